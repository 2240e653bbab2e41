"""Many outcomes folded into the rows and differences that one transaction writes. Pure.

An order, a withdrawal or a balance that changes ten times in a batch is written once. What the batch
itself created is folded in memory; what is older becomes a difference that SQL adds.
"""

from collections.abc import Iterable, MutableMapping
from typing import Final

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import (
    BUY,
    FILLED,
    MODE_TRADING,
    NEW,
    PARTIALLY_FILLED,
    SELL,
    STATE_WORKING,
)
from exchange.contracts.events import (
    AssetRegistered,
    DepositCredited,
    Event,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
    TradingModeChanged,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.order_events import (
    IcebergRefilled,
    OrderAmended,
    OrderListDone,
    OrderListPlaced,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderFunded,
    PendingOrderPlaced,
    SelfTradeDecremented,
    TrailingStarted,
)
from exchange.trading.fees import fee_of
from services.projections.ledger.entries import AVAILABLE, HELD, MarketAssets, entries_of
from services.projections.ledger.fee_rows import FeeChanges

__all__ = ["ENTRIES_PER_EVENT_MAX", "RELEASED", "RESERVED", "SETTLED", "BalanceChange", "LedgerBatch"]

# Made once: a union of types is made anew each time that it is asked for.
_ACCEPTED: Final = (OrderAccepted, OrderWithTermsAccepted)
ENTRIES_PER_EVENT_MAX: Final = 100
RESERVED: Final = "RESERVED"
SETTLED: Final = "SETTLED"
RELEASED: Final = "RELEASED"

EntryRow = tuple[int, int, int, int, int, int, int, str, str]
TradeRow = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int, int]
DepositRow = tuple[int, int, int, int, int]
WithdrawalRow = tuple[int, int, int, int, str, str, int, int]
DecrementRow = tuple[int, int, int, int, int, int, int, int]


class BalanceChange:
    """What one user's balance of one asset gains (or loses) in a batch."""

    __slots__ = ("available_atoms", "held_atoms", "time_ms")

    def __init__(self) -> None:
        self.available_atoms = 0
        self.held_atoms = 0
        self.time_ms = 0


class OrderChange:
    """What happened to one order in a batch; `accepted` is there when the batch created it.

    `None` of `price_ticks` and the three below it: as it was. `displayed_lots` counts for orders with terms.
    """

    __slots__ = (
        "accepted",
        "amended",
        "close_reason",
        "close_status",
        "counter_order_id",
        "created_ms",
        "decrement_seq",
        "displayed_lots",
        "executed_lots",
        "executed_quote_atoms",
        "funded_lots",
        "held_atoms",
        "match_id",
        "prevented_lots",
        "price_ticks",
        "state",
        "time_ms",
        "trailing_ms",
        "waits_since_ms",
        "working_ms",
    )

    def __init__(self, accepted: OrderAccepted | OrderWithTermsAccepted | None, time_ms: int) -> None:
        self.accepted = accepted
        self.created_ms = time_ms
        self.executed_lots = 0
        self.executed_quote_atoms = 0
        self.prevented_lots = 0
        self.decrement_seq = 0
        self.held_atoms = 0 if accepted is None else accepted.held_atoms
        self.close_status = 0
        self.close_reason = 0
        self.counter_order_id = 0
        self.match_id = 0  # of the prevented self-trade that has ended it
        self.time_ms = time_ms
        self.displayed_lots = 0 if accepted is None else accepted.resting_lots
        self.price_ticks: int | None = None
        self.state: int | None = None
        self.working_ms: int | None = None
        self.trailing_ms: int | None = None
        # Since when a pending order waits for a price; without a stop price it follows it from then on.
        self.waits_since_ms: int | None = None
        # What an OPO's working order has bought for it, once that is filled.
        self.funded_lots: int | None = None
        # The newest amendment: its name and its quantity.
        self.amended: OrderAmended | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the batch has nothing of it that a plain order's row has no room for."""
        return (
            not self.prevented_lots
            and self.amended is None
            and self.price_ticks is None
            and self.state is None
            and self.trailing_ms is None
            and self.funded_lots is None
        )

    def quantity_lots(self) -> int:
        """Of an order that the batch created, as it is at the batch's end."""
        assert self.accepted is not None
        return self.accepted.quantity_lots if self.new_lots is None else self.new_lots

    @property
    def new_lots(self) -> int | None:
        """Its quantity, if that has changed."""
        return self.funded_lots if self.amended is None else self.amended.quantity_lots

    def status(self) -> int:
        """The state of an order that the batch created (codes.*). A close outranks the quantities."""
        if self.close_status:
            return self.close_status
        if self.executed_lots + self.prevented_lots == self.quantity_lots() > 0:
            return FILLED
        return PARTIALLY_FILLED if self.executed_lots else NEW


class LedgerBatch:
    """Collects outcomes with `add`; the rest is read by `ledger_store`.

    `markets` is the projector's knowledge of each market's assets and grows with the events.
    """

    def __init__(self, markets: MutableMapping[int, MarketAssets]) -> None:
        self._markets = markets
        self.entries: list[EntryRow] = []
        self.balances: dict[tuple[int, int], BalanceChange] = {}
        self.assets: list[AssetRegistered] = []
        self.new_markets: list[MarketRegistered] = []
        self.modes: dict[int, int] = {}
        # The newest of each filter, by type, market and asset.
        self.filters: dict[tuple[int, int, int], FilterChanged] = {}
        self.fees = FeeChanges()
        self.orders: dict[int, OrderChange] = {}
        self.trades: list[TradeRow] = []
        # For each trade, whether an aggregate trade begins with it.
        self.aggregate_starts: list[bool] = []
        self._last_aggregate: tuple[int, int, int, int] | None = None
        self.new_lists: dict[int, tuple[OrderListPlaced, int]] = {}
        self.done_lists: dict[int, int] = {}
        # In the log's order: (event, seq, time_ms).
        self.amendments: list[tuple[OrderAmended, int, int]] = []
        self.decrements: list[DecrementRow] = []
        self.deposits: list[DepositRow] = []
        self.new_withdrawals: dict[int, tuple[WithdrawalReserved, int, int]] = {}
        self.withdrawal_states: dict[int, str] = {}

    def add(self, outcomes: Iterable[CommandOutcome]) -> None:
        """Fold outcomes in, in log order. Raises UnknownMarketError."""
        for outcome in outcomes:
            for recorded in outcome.events:
                self._enter(recorded.seq, outcome.time_ms, recorded.event)
                self._describe(recorded.seq, outcome.time_ms, recorded.event)

    def mode_of(self, market_id: int) -> int:
        """Mode of a market that this batch registered: the engine opens them trading."""
        return self.modes.get(market_id, MODE_TRADING)

    def new_withdrawal_rows(self) -> list[WithdrawalRow]:
        """Rows of the withdrawals that this batch created, in their last state."""
        return [
            (
                event.withdrawal_id,
                event.user_id,
                event.asset_id,
                event.amount_atoms,
                event.address,
                self.withdrawal_states.get(event.withdrawal_id, RESERVED),
                time_ms,
                seq,
            )
            for event, time_ms, seq in self.new_withdrawals.values()
        ]

    def _enter(self, seq: int, time_ms: int, event: Event) -> None:
        entries = entries_of(event, self._markets)
        assert len(entries) < ENTRIES_PER_EVENT_MAX
        for place, entry in enumerate(entries):
            self.entries.append((seq * ENTRIES_PER_EVENT_MAX + place, seq, time_ms, *entry))
            if entry.bucket not in (AVAILABLE, HELD):
                continue
            change = self.balances.get((entry.user_id, entry.asset_id))
            if change is None:
                change = self.balances[entry.user_id, entry.asset_id] = BalanceChange()
            if entry.bucket == AVAILABLE:
                change.available_atoms += entry.amount_atoms
            else:
                change.held_atoms += entry.amount_atoms
            change.time_ms = time_ms

    def _describe(self, seq: int, time_ms: int, event: Event) -> None:
        if isinstance(event, TradeExecuted):
            self._trade(seq, time_ms, event)
        elif isinstance(event, _ACCEPTED):
            self.orders[event.order_id] = OrderChange(event, time_ms)
        elif isinstance(event, OrderClosed):
            order = self._order(event.order_id, time_ms)
            order.close_status, order.close_reason = event.status, event.reason
            order.counter_order_id = event.counter_order_id
            if event.counter_order_id:
                # Who ended together were told of together: one match, named by the first of its two events.
                counter = self.orders.get(event.counter_order_id)
                ended_both = counter is not None and counter.counter_order_id == event.order_id
                order.match_id = counter.match_id if counter is not None and ended_both else seq
            order.held_atoms -= event.released_atoms
            order.displayed_lots -= event.unbooked_lots
        elif isinstance(event, DepositCredited):
            self.deposits.append(
                (event.deposit_id, event.user_id, event.asset_id, event.amount_atoms, time_ms)
            )
        elif isinstance(event, WithdrawalReserved):
            self.new_withdrawals[event.withdrawal_id] = (event, time_ms, seq)
        elif isinstance(event, WithdrawalSettled):
            self.withdrawal_states[event.withdrawal_id] = SETTLED
        elif isinstance(event, WithdrawalReleased):
            self.withdrawal_states[event.withdrawal_id] = RELEASED
        elif isinstance(event, AssetRegistered):
            self.assets.append(event)
        elif isinstance(event, MarketRegistered):
            self.new_markets.append(event)
            self._markets[event.market_id] = MarketAssets(event.base_asset_id, event.quote_asset_id)
        elif isinstance(event, TradingModeChanged):
            self.modes[event.market_id] = event.mode
        elif isinstance(event, FilterChanged):
            self.filters[event.filter_type, event.market_id, event.asset_id] = event
        elif not self.fees.take(event):
            self._describe_terms(seq, time_ms, event)

    def _describe_terms(self, seq: int, time_ms: int, event: Event) -> None:
        """Events of orders that are more than plain ones."""
        if isinstance(event, OrderTriggered):
            order = self._order(event.order_id, time_ms)
            order.held_atoms += event.held_atoms - event.released_atoms
            order.displayed_lots += event.resting_lots
            order.state, order.working_ms = STATE_WORKING, time_ms
            # A MARKET order keeps no price, as before.
            order.price_ticks = event.price_ticks
        elif isinstance(event, PendingOrderPlaced):
            order = self._order(event.order_id, time_ms)
            order.held_atoms += event.held_atoms
            order.displayed_lots += event.resting_lots
            order.state, order.price_ticks = event.state, event.price_ticks
            if event.state == STATE_WORKING:
                order.working_ms = time_ms
            else:
                order.waits_since_ms = time_ms
        elif isinstance(event, PendingOrderFunded):
            order = self._order(event.order_id, time_ms)
            order.held_atoms += event.held_atoms - event.released_atoms
            order.funded_lots = event.quantity_lots or order.funded_lots
        elif isinstance(event, TrailingStarted):
            self._order(event.order_id, time_ms).trailing_ms = time_ms
        elif isinstance(event, IcebergRefilled):
            self._order(event.order_id, time_ms).displayed_lots += event.displayed_lots
        elif isinstance(event, OrderAmended):
            order = self._order(event.order_id, time_ms)
            order.held_atoms -= event.released_atoms
            order.displayed_lots -= event.unbooked_lots
            order.amended = event
            self.amendments.append((event, seq, time_ms))
        elif isinstance(event, SelfTradeDecremented):
            self._decrement(seq, time_ms, event)
        elif isinstance(event, OrderListPlaced):
            self.new_lists[event.order_list_id] = (event, time_ms)
        elif isinstance(event, OrderListDone):
            self.done_lists[event.order_list_id] = time_ms

    def _decrement(self, seq: int, time_ms: int, event: SelfTradeDecremented) -> None:
        taker = self._order(event.taker_order_id, time_ms)
        taker.prevented_lots += event.prevented_lots
        taker.decrement_seq = seq
        taker.held_atoms -= event.taker_released_atoms
        maker = self._order(event.maker_order_id, time_ms)
        maker.prevented_lots += event.prevented_lots
        maker.decrement_seq = seq
        maker.held_atoms -= event.maker_released_atoms
        maker.displayed_lots -= event.prevented_lots
        self.decrements.append(
            (
                seq,
                event.user_id,
                event.market_id,
                event.taker_order_id,
                event.maker_order_id,
                event.price_ticks,
                event.prevented_lots,
                time_ms,
            )
        )

    def _order(self, order_id: int, time_ms: int) -> OrderChange:
        order = self.orders.get(order_id)
        if order is None:
            order = self.orders[order_id] = OrderChange(None, time_ms)
        order.time_ms = time_ms
        return order

    def _trade(self, seq: int, time_ms: int, event: TradeExecuted) -> None:
        # As in exchange.trading.trades: one taker order, price and time. A taker's trades come together.
        taker_id = event.buyer_order_id if event.taker_side == BUY else event.seller_order_id
        aggregate = (event.market_id, taker_id, event.price_ticks, time_ms)
        self.aggregate_starts.append(aggregate != self._last_aggregate)
        self._last_aggregate = aggregate
        buyer_fee, seller_fee = fee_of(event, BUY), fee_of(event, SELL)
        self.trades.append(
            (
                event.market_id,
                event.trade_id,
                time_ms,
                seq,
                event.taker_side,
                event.price_ticks,
                event.quantity_lots,
                event.base_atoms,
                event.quote_atoms,
                event.buyer_order_id,
                event.buyer_user_id,
                buyer_fee.atoms,
                event.seller_order_id,
                event.seller_user_id,
                seller_fee.atoms,
                buyer_fee.asset_id,
                seller_fee.asset_id,
            )
        )
        for order_id, unheld_atoms in (
            (event.buyer_order_id, event.quote_atoms + event.buyer_released_atoms),
            (event.seller_order_id, event.base_atoms),
        ):
            order = self._order(order_id, time_ms)
            if order_id != taker_id:
                order.displayed_lots -= event.quantity_lots
            order.executed_lots += event.quantity_lots
            order.executed_quote_atoms += event.quote_atoms
            order.held_atoms -= unheld_atoms
