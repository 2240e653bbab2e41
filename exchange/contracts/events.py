"""Events: what the engine has decided. Past tense, integers only, never changed once made.

Every movement of money stands in an event in full, so that a projection needs no rules of its own.
Units as in `commands`. Which asset a field counts in follows from the market and the side: a BUY
holds quote, a SELL holds base; the buyer's fee is taken from the base received, the seller's from
the quote received.

`free_list_len`: of the frequent kinds the compiled build uses the last one again instead of allocating.
"""

from mypy_extensions import i64, mypyc_attr


@mypyc_attr(acyclic=True)
class Event:
    """Base of all events."""


class Outcome:
    """What one command has led to so far: `count` events, in order. The next command takes its slots."""

    def __init__(self) -> None:
        self.count: i64 = 0
        self._slots: list[Event] = []

    def begin(self) -> None:
        """Nothing has been decided; the events of the command before stay until others take their slots."""
        self.count = 0

    def append(self, event: Event) -> None:
        """One event more."""
        if self.count < len(self._slots):
            self._slots[self.count] = event
        else:
            self._slots.append(event)
        self.count += 1

    def at(self, place: i64) -> Event:
        """The event at a place, from 0 on."""
        assert place < self.count, "it has been decided"
        return self._slots[place]

    def all(self) -> list[Event]:
        """All of them, in a list of their own."""
        return self._slots[: self.count]


@mypyc_attr(acyclic=True, free_list_len=1)
class CommandRejected(Event):
    """A command was refused and changed nothing. `reason`: codes.REJECT_*."""

    def __init__(self, user_id: i64, market_id: i64, reason: i64, client_order_id: str, detail: str) -> None:
        self.user_id = user_id
        self.market_id = market_id
        self.reason = reason
        self.client_order_id = client_order_id
        self.detail = detail


@mypyc_attr(acyclic=True)
class AssetRegistered(Event):
    """An asset exists from now on."""

    def __init__(self, asset_id: int, code: str, decimals: int) -> None:
        self.asset_id = asset_id
        self.code = code
        self.decimals = decimals


@mypyc_attr(acyclic=True)
class MarketRegistered(Event):
    """A market exists from now on; fields as in `commands.RegisterMarket`.

    `notional_unit_atoms`: quote atoms of one tick times one lot.
    """

    def __init__(
        self,
        market_id: int,
        symbol: str,
        base_asset_id: int,
        quote_asset_id: int,
        tick_atoms: int,
        lot_atoms: int,
        notional_unit_atoms: int,
        price_ticks_min: int,
        price_ticks_max: int,
        quantity_lots_min: int,
        quantity_lots_max: int,
        market_quantity_lots_max: int,
        notional_atoms_min: int,
        notional_atoms_max: int,
        bid_multiplier_up_ppm: int,
        bid_multiplier_down_ppm: int,
        ask_multiplier_up_ppm: int,
        ask_multiplier_down_ppm: int,
        open_orders_max: int,
        maker_fee_ppm: int,
        taker_fee_ppm: int,
    ) -> None:
        self.market_id = market_id
        self.symbol = symbol
        self.base_asset_id = base_asset_id
        self.quote_asset_id = quote_asset_id
        self.tick_atoms = tick_atoms
        self.lot_atoms = lot_atoms
        self.notional_unit_atoms = notional_unit_atoms
        self.price_ticks_min = price_ticks_min
        self.price_ticks_max = price_ticks_max
        self.quantity_lots_min = quantity_lots_min
        self.quantity_lots_max = quantity_lots_max
        self.market_quantity_lots_max = market_quantity_lots_max
        self.notional_atoms_min = notional_atoms_min
        self.notional_atoms_max = notional_atoms_max
        self.bid_multiplier_up_ppm = bid_multiplier_up_ppm
        self.bid_multiplier_down_ppm = bid_multiplier_down_ppm
        self.ask_multiplier_up_ppm = ask_multiplier_up_ppm
        self.ask_multiplier_down_ppm = ask_multiplier_down_ppm
        self.open_orders_max = open_orders_max
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm


@mypyc_attr(acyclic=True)
class TradingModeChanged(Event):
    """A market's mode is now `mode` (codes.MODE_*)."""

    def __init__(self, market_id: int, mode: int) -> None:
        self.market_id = market_id
        self.mode = mode


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderAccepted(Event):
    """An order passed every check; its trades, if any, follow in the same outcome.

    `held_atoms` moved from available to held (BUY: quote, SELL: base). `resting_lots` is what is
    left on the book after the whole command, 0 when the order does not rest. For a MARKET order by
    quote quantity `quantity_lots` is what the book could give for it. The book may look crossed
    between the events of one outcome, never after it.
    """

    def __init__(
        self,
        order_id: i64,
        user_id: i64,
        market_id: i64,
        client_order_id: str,
        side: i64,
        order_type: i64,
        time_in_force: i64,
        price_ticks: i64,
        quantity_lots: i64,
        quote_quantity_atoms: i64,
        stp_mode: i64,
        held_atoms: i64,
        resting_lots: i64,
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
        # The fields from `user_id` to `stp_mode` as its command's record has them, if they are the same.
        self.as_sent: bytes | None = None


@mypyc_attr(acyclic=True, free_list_len=1)
class TradeExecuted(Event):
    """Two orders traded at the maker's price; the maker's level loses `quantity_lots`.

    Buyer: held quote - quote_atoms - buyer_released_atoms; available quote + buyer_released_atoms
    (price improvement); available base + base_atoms - buyer_fee_atoms.
    Seller: held base - base_atoms; available quote + quote_atoms - seller_fee_atoms.
    The exchange earns buyer_fee_atoms of base and seller_fee_atoms of quote.
    `taker_side`: codes.BUY when the buyer was the taker. `trade_id` counts per market from 1.
    """

    def __init__(
        self,
        market_id: i64,
        trade_id: i64,
        taker_side: i64,
        price_ticks: i64,
        quantity_lots: i64,
        base_atoms: i64,
        quote_atoms: i64,
        buyer_order_id: i64,
        buyer_user_id: i64,
        buyer_fee_atoms: i64,
        buyer_released_atoms: i64,
        seller_order_id: i64,
        seller_user_id: i64,
        seller_fee_atoms: i64,
    ) -> None:
        self.market_id = market_id
        self.trade_id = trade_id
        self.taker_side = taker_side
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.base_atoms = base_atoms
        self.quote_atoms = quote_atoms
        self.buyer_order_id = buyer_order_id
        self.buyer_user_id = buyer_user_id
        self.buyer_fee_atoms = buyer_fee_atoms
        self.buyer_released_atoms = buyer_released_atoms
        self.seller_order_id = seller_order_id
        self.seller_user_id = seller_user_id
        self.seller_fee_atoms = seller_fee_atoms


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderClosed(Event):
    """An order ended unfilled or partly filled. A filled order has no such event.

    `released_atoms` went from held back to available. `unbooked_lots` left the book's level at
    `price_ticks` (0: the order never rested). `status`: CANCELED, EXPIRED or EXPIRED_IN_MATCH.
    `cancel_client_order_id`: the cancellation's own name, "" when nobody asked.
    `counter_order_id`: the other order of a prevented self-trade, else 0.
    """

    def __init__(
        self,
        order_id: i64,
        user_id: i64,
        market_id: i64,
        side: i64,
        price_ticks: i64,
        status: i64,
        reason: i64,
        released_atoms: i64,
        unbooked_lots: i64,
        cancel_client_order_id: str,
        counter_order_id: i64,
    ) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.market_id = market_id
        self.side = side
        self.price_ticks = price_ticks
        self.status = status
        self.reason = reason
        self.released_atoms = released_atoms
        self.unbooked_lots = unbooked_lots
        self.cancel_client_order_id = cancel_client_order_id
        self.counter_order_id = counter_order_id


@mypyc_attr(acyclic=True)
class DepositCredited(Event):
    """`amount_atoms` came from outside into available."""

    def __init__(self, user_id: int, asset_id: int, amount_atoms: int, deposit_id: int) -> None:
        self.user_id = user_id
        self.asset_id = asset_id
        self.amount_atoms = amount_atoms
        self.deposit_id = deposit_id


@mypyc_attr(acyclic=True)
class WithdrawalReserved(Event):
    """`amount_atoms` went from available to held."""

    def __init__(
        self, user_id: int, asset_id: int, amount_atoms: int, withdrawal_id: int, address: str
    ) -> None:
        self.user_id = user_id
        self.asset_id = asset_id
        self.amount_atoms = amount_atoms
        self.withdrawal_id = withdrawal_id
        self.address = address


@mypyc_attr(acyclic=True)
class WithdrawalSettled(Event):
    """`amount_atoms` left from held to the outside."""

    def __init__(self, user_id: int, asset_id: int, amount_atoms: int, withdrawal_id: int) -> None:
        self.user_id = user_id
        self.asset_id = asset_id
        self.amount_atoms = amount_atoms
        self.withdrawal_id = withdrawal_id


@mypyc_attr(acyclic=True)
class WithdrawalReleased(Event):
    """`amount_atoms` went from held back to available."""

    def __init__(self, user_id: int, asset_id: int, amount_atoms: int, withdrawal_id: int) -> None:
        self.user_id = user_id
        self.asset_id = asset_id
        self.amount_atoms = amount_atoms
        self.withdrawal_id = withdrawal_id


@mypyc_attr(acyclic=True)
class LeaderChanged(Event):
    """A leader's marker was read from the command log."""

    def __init__(self, leader_id: str, epoch: int) -> None:
        self.leader_id = leader_id
        self.epoch = epoch


@mypyc_attr(acyclic=True)
class SkipRecorded(Event):
    """An operator's order to go past a command was read; who stood there has obeyed it already."""

    def __init__(self, offset: int, index: int) -> None:
        self.offset = offset
        self.index = index


@mypyc_attr(acyclic=True)
class TimeKept(Event):
    """The leader of `epoch` has said that it is at work; its clock is the outcome's time."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch


@mypyc_attr(acyclic=True)
class RulesActivated(Event):
    """What follows was decided by the rules of `version`."""

    def __init__(self, version: int) -> None:
        self.version = version
