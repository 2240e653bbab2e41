"""Commands about orders that are more than plain ones, all of rules version 4. Units as in `commands`."""

from mypy_extensions import mypyc_attr

from exchange.contracts.commands import Command

__all__ = ["AmendOrder", "CancelOrderList", "OrderLeg", "PlaceOrderList", "PlaceOrderWithTerms"]


@mypyc_attr(acyclic=True)
class PlaceOrderWithTerms(Command):
    """Place an order that is more than `commands.PlaceOrder` says: rules version 4 (ADR 0037).

    The first twelve fields are those of `PlaceOrder`. STOP_LOSS and TAKE_PROFIT go to work as MARKET
    orders once the last price reaches `stop_price_ticks`, STOP_LOSS_LIMIT and TAKE_PROFIT_LIMIT as LIMIT
    orders at `price_ticks`. `trailing_bips` (hundredths of a percent) lets the trigger follow the price;
    with `stop_price_ticks` it begins to follow once that is reached. `iceberg_lots`: how much of it the
    book shows. `peg_price_type` (codes.PEG_*) takes the price from the book, `peg_offset_levels` levels
    deeper. 0: not set. `strategy_id` and `strategy_type` are the sender's own and are echoed.
    """

    def __init__(
        self,
        command_id: int,
        user_id: int,
        market_id: int,
        client_order_id: str,
        side: int,
        order_type: int,
        time_in_force: int,
        price_ticks: int,
        quantity_lots: int,
        quote_quantity_atoms: int,
        stp_mode: int,
        valid_until_ms: int,
        stop_price_ticks: int,
        trailing_bips: int,
        iceberg_lots: int,
        strategy_id: int,
        strategy_type: int,
        peg_price_type: int,
        peg_offset_levels: int,
    ) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.market_id = market_id
        self.client_order_id = client_order_id
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.quote_quantity_atoms = quote_quantity_atoms
        self.stp_mode = stp_mode
        self.valid_until_ms = valid_until_ms
        self.stop_price_ticks = stop_price_ticks
        self.trailing_bips = trailing_bips
        self.iceberg_lots = iceberg_lots
        self.strategy_id = strategy_id
        self.strategy_type = strategy_type
        self.peg_price_type = peg_price_type
        self.peg_offset_levels = peg_offset_levels


@mypyc_attr(acyclic=True)
class OrderLeg:
    """One order of a list; fields as in `PlaceOrderWithTerms`.

    Its `client_order_id` has `limits.LEG_NAME_LENGTH_MAX` characters at most.
    """

    def __init__(
        self,
        client_order_id: str,
        side: int,
        order_type: int,
        time_in_force: int,
        price_ticks: int,
        quantity_lots: int,
        stop_price_ticks: int,
        trailing_bips: int,
        iceberg_lots: int,
        strategy_id: int,
        strategy_type: int,
        peg_price_type: int,
        peg_offset_levels: int,
    ) -> None:
        self.client_order_id = client_order_id
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.stop_price_ticks = stop_price_ticks
        self.trailing_bips = trailing_bips
        self.iceberg_lots = iceberg_lots
        self.strategy_id = strategy_id
        self.strategy_type = strategy_type
        self.peg_price_type = peg_price_type
        self.peg_offset_levels = peg_offset_levels


@mypyc_attr(acyclic=True)
class PlaceOrderList(Command):
    """Place orders of which each decides about the others: all of them, or none (rules version 4).

    `contingency` says what `legs` are (codes.CONTINGENCY_*), in this order: OCO the one above and the one
    below; OTO the working one and the pending one; OTOCO the working one, the pending one above and the
    one below. OPO and OPOCO (rules version 5, ADR 0046) are OTO and OTOCO whose working order buys and whose
    pending ones sell what it has bought: those have a `quantity_lots` of 0.
    """

    def __init__(
        self,
        command_id: int,
        user_id: int,
        market_id: int,
        list_client_order_id: str,
        contingency: int,
        stp_mode: int,
        valid_until_ms: int,
        legs: list[OrderLeg],
    ) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.market_id = market_id
        self.list_client_order_id = list_client_order_id
        self.contingency = contingency
        self.stp_mode = stp_mode
        self.valid_until_ms = valid_until_ms
        self.legs = legs


@mypyc_attr(acyclic=True)
class CancelOrderList(Command):
    """Cancel all orders of a list, named by its id (0: not given) and/or by its name ("": not given)."""

    def __init__(
        self,
        command_id: int,
        user_id: int,
        market_id: int,
        order_list_id: int,
        list_client_order_id: str,
        cancel_client_order_id: str,
        valid_until_ms: int,
    ) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.market_id = market_id
        self.order_list_id = order_list_id
        self.list_client_order_id = list_client_order_id
        self.cancel_client_order_id = cancel_client_order_id
        self.valid_until_ms = valid_until_ms


@mypyc_attr(acyclic=True)
class AmendOrder(Command):
    """Make an open order smaller; it keeps its place in the queue. Named as in `commands.CancelOrder`.

    `quantity_lots`: what it is to be in all, what has been filled included. `new_client_order_id`: its
    name from then on, which may be the one that it has.
    """

    def __init__(
        self,
        command_id: int,
        user_id: int,
        market_id: int,
        order_id: int,
        client_order_id: str,
        new_client_order_id: str,
        quantity_lots: int,
        valid_until_ms: int,
    ) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.market_id = market_id
        self.order_id = order_id
        self.client_order_id = client_order_id
        self.new_client_order_id = new_client_order_id
        self.quantity_lots = quantity_lots
        self.valid_until_ms = valid_until_ms
