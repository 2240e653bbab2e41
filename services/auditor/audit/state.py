"""What the auditor derives from the events: money, holds, open orders, books. Pure, integers only."""

from bisect import bisect_right
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from mypy_extensions import mypyc_attr

from exchange.contracts import limits
from exchange.contracts.codec import EMPTY_CHAIN_HASH
from exchange.contracts.codes import BUY, MODE_TRADING, STATE_WORKING
from exchange.contracts.limits import INTEGER_MAX

__all__ = [
    "Asset",
    "AuditState",
    "Balance",
    "BookSide",
    "Breach",
    "Fees",
    "Market",
    "Order",
    "OrderList",
    "SpentIds",
    "Trader",
    "Withdrawal",
]

_HEAP_SLACK: Final = 64
# Prices of one market that no later trade has passed; of more of them the oldest are thinned out.
PRICES_KEPT_MAX: Final = 200_000
SPENT_IDS_MAX: Final = limits.IDS_REMEMBERED_MAX


class Breach(NamedTuple):
    """A broken promise: at which seq, which invariant (I1 ... or `ledger`), and the figures."""

    seq: int
    invariant: str
    detail: str


@mypyc_attr(acyclic=True)
class Asset:
    """Totals in atoms. `kept`: available and held of all users, as the checks have last seen them."""

    __slots__ = ("asset_id", "code", "decimals", "deposited", "fees", "kept", "withdrawn")

    def __init__(self, asset_id: int, code: str, decimals: int) -> None:
        self.asset_id = asset_id
        self.code = code
        self.decimals = decimals
        self.kept = 0
        self.fees = 0
        self.deposited = 0
        self.withdrawn = 0


@mypyc_attr(acyclic=True)
class Balance:
    """One user's money in one asset.

    `available` and `held` move by the amounts that events state. `explained` is what `held` should be:
    the sum over open orders (by price and open lots) and pending withdrawals. `worth` is available
    plus held at the last check.
    """

    __slots__ = ("asset", "available", "explained", "held", "user_id", "worth")

    def __init__(self, user_id: int, asset: Asset) -> None:
        self.user_id = user_id
        self.asset = asset
        self.available = 0
        self.held = 0
        self.explained = 0
        self.worth = 0


@mypyc_attr(acyclic=True)
class Fees:
    """What is agreed about fees beside a market's own. `tiers`: tier -> shares of maker and taker, in ppm.

    `discount_asset_id` 0: there is none. `discounted`: who has switched it on.
    """

    __slots__ = ("discount_asset_id", "discount_ppm", "discounted", "tier_of", "tiers")

    def __init__(self) -> None:
        self.tiers: dict[int, tuple[int, int]] = {}
        self.tier_of: dict[int, int] = {}
        self.discount_asset_id = 0
        self.discount_ppm = 0
        self.discounted: set[int] = set()


@mypyc_attr(acyclic=True)
class BookSide:
    """Levels of one side, price_ticks -> lots, and the best price in amortised O(log n)."""

    __slots__ = ("_heap", "_sign", "levels")

    def __init__(self, side: int) -> None:
        self._sign = -1 if side == BUY else 1
        self.levels: dict[int, int] = {}
        # Prices in order of goodness; those whose level is gone are dropped when they come up.
        self._heap: list[int] = []

    def change(self, price_ticks: int, lots: int) -> bool:
        """Add lots, or take them away. False, with the level dropped, when it would be negative."""
        levels = self.levels
        before = levels.get(price_ticks, 0)
        after = before + lots
        if after > 0:
            levels[price_ticks] = after
            if not before:
                heappush(self._heap, self._sign * price_ticks)
                if len(self._heap) > 2 * len(levels) + _HEAP_SLACK:
                    self._heap = [self._sign * price for price in levels]
                    heapify(self._heap)
            return True
        levels.pop(price_ticks, None)
        return after == 0

    def best(self) -> int:
        """The best price, 0 when the side is empty."""
        heap, levels, sign = self._heap, self.levels, self._sign
        while heap:
            price = sign * heap[0]
            if price in levels:
                return price
            heappop(heap)
        return 0


@mypyc_attr(acyclic=True)
class Trader:
    """A user's balances in the two assets of a market."""

    __slots__ = ("base", "quote")

    def __init__(self, base: Balance, quote: Balance) -> None:
        self.base = base
        self.quote = quote


@mypyc_attr(acyclic=True)
class Market:
    """One market's rules, trades and book. `touched_seq`: the last seq that changed the book."""

    __slots__ = (
        "asks",
        "base",
        "bids",
        "highs",
        "last_price_ticks",
        "last_trade_id",
        "lot_atoms",
        "lows",
        "maker_fee_ppm",
        "market_id",
        "mode",
        "quote",
        "symbol",
        "taker_fee_ppm",
        "touched_seq",
        "traders",
        "unit_atoms",
    )

    def __init__(
        self,
        market_id: int,
        symbol: str,
        base: Asset,
        quote: Asset,
        lot_atoms: int,
        unit_atoms: int,
        maker_fee_ppm: int,
        taker_fee_ppm: int,
    ) -> None:
        self.market_id = market_id
        self.symbol = symbol
        self.base = base
        self.quote = quote
        self.lot_atoms = lot_atoms
        self.unit_atoms = unit_atoms
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm
        self.mode = MODE_TRADING
        self.last_trade_id = 0
        self.last_price_ticks = 0
        # (seq, price) of trades that no later one has passed, the prices falling (rising) by age.
        self.highs: list[tuple[int, int]] = []
        self.lows: list[tuple[int, int]] = []
        self.bids = BookSide(BUY)
        self.asks = BookSide(3 - BUY)
        self.touched_seq = 0
        self.traders: dict[int, Trader] = {}

    def record(self, seq: int, price_ticks: int) -> None:
        """Remember a trade's price, for whoever asks about prices since then."""
        self.last_price_ticks = price_ticks
        traded = (seq, price_ticks)
        highs, lows = self.highs, self.lows
        while highs and highs[-1][1] <= price_ticks:
            highs.pop()
        while lows and lows[-1][1] >= price_ticks:
            lows.pop()
        for kept in (highs, lows):
            kept.append(traded)
            if len(kept) > PRICES_KEPT_MAX:
                # What was the oldest extreme counts as a later one's: a range may seem wider, never narrower.
                oldest = kept[0][1]
                del kept[: PRICES_KEPT_MAX // 2]
                kept[0] = (kept[0][0], oldest)

    def range_since(self, seq: int) -> tuple[int, int]:
        """(lowest, highest) price of the trades behind `seq`, at least; (0, 0) if there was none."""
        ranges = []
        for kept in (self.lows, self.highs):
            at = bisect_right(kept, (seq, INTEGER_MAX))
            ranges.append(kept[at][1] if at < len(kept) else 0)
        return ranges[0], ranges[1]

    def side(self, side: int) -> BookSide:
        """Bids for BUY, else asks."""
        return self.bids if side == BUY else self.asks


@mypyc_attr(acyclic=True)
class Order:
    """An open order. `hold_atoms`: what it should hold now. `resting_lots`: what was announced of it.

    `shown_lots`: what the book shows of it; of an iceberg less than is open. `is_open`: until it has ended.
    """

    __slots__ = (
        "client_order_id",
        "extreme_ticks",
        "gets",
        "hold_atoms",
        "holds_as_told",
        "iceberg_lots",
        "is_open",
        "is_resting",
        "market",
        "open_lots",
        "order_id",
        "order_list_id",
        "order_type",
        "pays",
        "price_ticks",
        "quantity_lots",
        "resting_lots",
        "seq",
        "shown_lots",
        "side",
        "state",
        "stop_price_ticks",
        "time_in_force",
        "trailing_bips",
        "user_id",
    )

    def __init__(
        self,
        order_id: int,
        user_id: int,
        market: Market,
        client_order_id: str,
        side: int,
        order_type: int,
        time_in_force: int,
        price_ticks: int,
        quantity_lots: int,
        trader: Trader,
    ) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.market = market
        self.client_order_id = client_order_id
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.open_lots = quantity_lots
        self.resting_lots = 0
        self.hold_atoms = 0
        self.holds_as_told = False
        self.pays, self.gets = (trader.quote, trader.base) if side == BUY else (trader.base, trader.quote)
        self.is_open = True
        self.is_resting = False
        self.shown_lots = 0
        self.order_list_id = 0
        self.state = STATE_WORKING
        self.stop_price_ticks = 0
        self.trailing_bips = 0
        self.iceberg_lots = 0
        self.extreme_ticks = market.last_price_ticks  # from where a trailing order follows
        self.seq = 0  # since when it waits


@mypyc_attr(acyclic=True)
class OrderList:
    """Orders that decide about each other; those that were accepted as its own, the ended ones too."""

    __slots__ = ("contingency", "market_id", "order_ids", "order_list_id", "user_id")

    def __init__(self, order_list_id: int, user_id: int, market_id: int, contingency: int) -> None:
        self.order_list_id = order_list_id
        self.user_id = user_id
        self.market_id = market_id
        self.contingency = contingency
        self.order_ids: list[int] = []


class Withdrawal(NamedTuple):
    """A pending withdrawal."""

    balance: Balance
    amount_atoms: int


@mypyc_attr(acyclic=True)
class SpentIds:
    """Deposit or withdrawal ids that have taken effect, the newest SPENT_IDS_MAX of them.

    Ids at or below the highest forgotten one count as spent: they come from a growing sequence.
    """

    __slots__ = ("forgotten_max", "ids")

    def __init__(self) -> None:
        self.forgotten_max = 0
        self.ids: dict[int, None] = {}

    def spend(self, identifier: int) -> bool:
        """Remember an id. False when it had taken effect before."""
        if identifier <= self.forgotten_max or identifier in self.ids:
            return False
        self.ids[identifier] = None
        if len(self.ids) > SPENT_IDS_MAX:
            oldest = next(iter(self.ids))
            del self.ids[oldest]
            self.forgotten_max = max(self.forgotten_max, oldest)
        return True


class AuditState:
    """Everything at `seq`, whose chain hash is `hash`."""

    def __init__(self) -> None:
        self.seq = 0
        self.hash = EMPTY_CHAIN_HASH
        # Place of the last outcome on the command log, and the engine's clock there.
        self.command_offset = -1
        self.command_index = 0
        self.time_ms = 0
        self.last_order_id = 0
        self.last_order_list_id = 0
        self.assets: dict[int, Asset] = {}
        self.markets: dict[int, Market] = {}
        self.balances: dict[tuple[int, int], Balance] = {}
        self.orders: dict[int, Order] = {}
        # By user, then by name.
        self.names: dict[int, dict[str, Order]] = {}
        self.order_lists: dict[int, OrderList] = {}
        self.withdrawals: dict[int, Withdrawal] = {}
        self.deposit_ids = SpentIds()
        self.withdrawal_ids = SpentIds()
        self.fees = Fees()

    def balance(self, user_id: int, asset: Asset) -> Balance:
        """The balance, opened empty on first use."""
        key = (user_id, asset.asset_id)
        balance = self.balances.get(key)
        if balance is None:
            balance = self.balances[key] = Balance(user_id, asset)
        return balance

    def names_of(self, user_id: int) -> dict[str, Order]:
        """A user's open orders by name."""
        names = self.names.get(user_id)
        if names is None:
            names = self.names[user_id] = {}
        return names

    def trader(self, user_id: int, market: Market) -> Trader:
        """Who trades there: a BUY pays quote for base, a SELL base for quote."""
        trader = market.traders.get(user_id)
        if trader is None:
            base, quote = self.balance(user_id, market.base), self.balance(user_id, market.quote)
            trader = market.traders[user_id] = Trader(base, quote)
        return trader
