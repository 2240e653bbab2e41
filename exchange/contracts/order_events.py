"""Events about orders that are more than plain ones, all of rules version 4 (ADR 0037). Units as in `events`.

What the book shows changes by these fields alone: `resting_lots` and `displayed_lots` come to the level at
`price_ticks`, `unbooked_lots`, `prevented_lots` and traded lots leave the maker's.
"""

from mypy_extensions import mypyc_attr

from exchange.contracts.events import Event

__all__ = [
    "IcebergRefilled",
    "OrderAmended",
    "OrderListDone",
    "OrderListPlaced",
    "OrderTriggered",
    "OrderWithTermsAccepted",
    "PendingOrderFunded",
    "PendingOrderPlaced",
    "SelfTradeDecremented",
    "TrailingStarted",
]


@mypyc_attr(acyclic=True)
class OrderWithTermsAccepted(Event):
    """An order with terms passed every check: by itself, or as one of a list (`order_list_id`, else 0).

    Its first thirteen fields are those of `events.OrderAccepted`. `state`: codes.STATE_*. What is WAITING
    or PENDING is not on the book and has no trades before its OrderTriggered or PendingOrderPlaced.
    `held_atoms` may be less than the order needs where another leg of its list holds already (ADR 0037).
    `resting_lots`: what the book shows of it once its own matching ended, so of an iceberg the first
    slice. `price_ticks`: of a pegged order the price that it has taken, 0 until then.
    """

    def __init__(
        self,
        order_id: int,
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
        held_atoms: int,
        resting_lots: int,
        order_list_id: int,
        state: int,
        stop_price_ticks: int,
        trailing_bips: int,
        iceberg_lots: int,
        strategy_id: int,
        strategy_type: int,
        peg_price_type: int,
        peg_offset_levels: int,
    ) -> None:
        self.order_id = order_id
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
        self.held_atoms = held_atoms
        self.resting_lots = resting_lots
        self.order_list_id = order_list_id
        self.state = state
        self.stop_price_ticks = stop_price_ticks
        self.trailing_bips = trailing_bips
        self.iceberg_lots = iceberg_lots
        self.strategy_id = strategy_id
        self.strategy_type = strategy_type
        self.peg_price_type = peg_price_type
        self.peg_offset_levels = peg_offset_levels


@mypyc_attr(acyclic=True)
class OrderTriggered(Event):
    """A waiting order goes to work, as a MARKET order (`price_ticks` 0) or as a LIMIT one; trades follow.

    `trigger_price_ticks`: the price that had to be reached. `held_atoms` moved from available to held on
    top of what it held (the other leg of its list has just given it back), `released_atoms` back to
    available (a MARKET order holds what the book will cost it). `resting_lots`: what the book shows of it
    once its own matching ended.
    """

    def __init__(
        self,
        order_id: int,
        user_id: int,
        market_id: int,
        side: int,
        price_ticks: int,
        trigger_price_ticks: int,
        held_atoms: int,
        released_atoms: int,
        resting_lots: int,
    ) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.market_id = market_id
        self.side = side
        self.price_ticks = price_ticks
        self.trigger_price_ticks = trigger_price_ticks
        self.held_atoms = held_atoms
        self.released_atoms = released_atoms
        self.resting_lots = resting_lots


@mypyc_attr(acyclic=True)
class TrailingStarted(Event):
    """A trailing order's stop price was reached: it follows the price from now, from `price_ticks` on."""

    def __init__(self, order_id: int, user_id: int, market_id: int, price_ticks: int) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.market_id = market_id
        self.price_ticks = price_ticks


@mypyc_attr(acyclic=True)
class PendingOrderPlaced(Event):
    """The working order of its list is filled, so a pending order works or is WAITING now (`state`).

    `held_atoms` moved from available to held. If it works, its trades follow. `price_ticks` as in
    OrderWithTermsAccepted, `resting_lots` as in OrderTriggered. One that cannot be placed has an
    OrderClosed instead.
    """

    def __init__(
        self,
        order_id: int,
        user_id: int,
        market_id: int,
        side: int,
        price_ticks: int,
        state: int,
        held_atoms: int,
        resting_lots: int,
    ) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.market_id = market_id
        self.side = side
        self.price_ticks = price_ticks
        self.state = state
        self.held_atoms = held_atoms
        self.resting_lots = resting_lots


@mypyc_attr(acyclic=True)
class PendingOrderFunded(Event):
    """What the working order of an OPO or OPOCO has received is held for its pending orders (ADR 0046).

    Of rules version 5. `held_atoms` moved from available to held for this pending order, the first of its
    list, `released_atoms` back. `quantity_lots`: 0 as long as the working order is not filled; then what the
    order is to sell, told of each pending order right before its PendingOrderPlaced.
    """

    def __init__(
        self,
        order_id: int,
        user_id: int,
        market_id: int,
        side: int,
        quantity_lots: int,
        held_atoms: int,
        released_atoms: int,
    ) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.market_id = market_id
        self.side = side
        self.quantity_lots = quantity_lots
        self.held_atoms = held_atoms
        self.released_atoms = released_atoms


@mypyc_attr(acyclic=True)
class IcebergRefilled(Event):
    """An iceberg's shown part was used up: `displayed_lots` more stand at the end of the level's queue."""

    def __init__(
        self, order_id: int, user_id: int, market_id: int, side: int, price_ticks: int, displayed_lots: int
    ) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.market_id = market_id
        self.side = side
        self.price_ticks = price_ticks
        self.displayed_lots = displayed_lots


@mypyc_attr(acyclic=True)
class OrderAmended(Event):
    """An open order has `quantity_lots` now, what has been filled included. It keeps its place.

    `released_atoms` went from held back to available. `unbooked_lots` left the book's level at
    `price_ticks`. `client_order_id`: its name from now on.
    """

    def __init__(
        self,
        order_id: int,
        user_id: int,
        market_id: int,
        client_order_id: str,
        side: int,
        price_ticks: int,
        quantity_lots: int,
        released_atoms: int,
        unbooked_lots: int,
    ) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.market_id = market_id
        self.client_order_id = client_order_id
        self.side = side
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.released_atoms = released_atoms
        self.unbooked_lots = unbooked_lots


@mypyc_attr(acyclic=True)
class SelfTradeDecremented(Event):
    """Two orders of one user met: both lost `prevented_lots`, which trade with nobody (STP DECREMENT).

    The maker's level at `price_ticks` loses them. `taker_released_atoms` and `maker_released_atoms` went
    from held back to available. An order that has nothing left has an OrderClosed next. `taker_side`:
    codes.BUY or codes.SELL.
    """

    def __init__(
        self,
        market_id: int,
        user_id: int,
        taker_side: int,
        price_ticks: int,
        prevented_lots: int,
        taker_order_id: int,
        taker_released_atoms: int,
        maker_order_id: int,
        maker_released_atoms: int,
    ) -> None:
        self.market_id = market_id
        self.user_id = user_id
        self.taker_side = taker_side
        self.price_ticks = price_ticks
        self.prevented_lots = prevented_lots
        self.taker_order_id = taker_order_id
        self.taker_released_atoms = taker_released_atoms
        self.maker_order_id = maker_order_id
        self.maker_released_atoms = maker_released_atoms


@mypyc_attr(acyclic=True)
class OrderListPlaced(Event):
    """A list was accepted; each of its orders has an OrderWithTermsAccepted that names it."""

    def __init__(
        self, order_list_id: int, user_id: int, market_id: int, list_client_order_id: str, contingency: int
    ) -> None:
        self.order_list_id = order_list_id
        self.user_id = user_id
        self.market_id = market_id
        self.list_client_order_id = list_client_order_id
        self.contingency = contingency


@mypyc_attr(acyclic=True)
class OrderListDone(Event):
    """The orders of a list decide nothing about each other any more; one of them may still be open."""

    def __init__(self, order_list_id: int, user_id: int, market_id: int) -> None:
        self.order_list_id = order_list_id
        self.user_id = user_id
        self.market_id = market_id
