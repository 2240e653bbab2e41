"""The audit: one outcome after the other, every promise checked after each. Pure.

Written from the docstrings of `exchange.contracts.events` alone, not from the engine: what both say is
twice thought. Invariants are numbered as in ARCHITECTURE.md.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.event_unpacking import ReadOutcome
from exchange.contracts.events import (
    AssetRegistered,
    CommandRejected,
    DepositCredited,
    Event,
    LeaderChanged,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    RulesActivated,
    SkipRecorded,
    TimeKept,
    TradeExecuted,
    TradingModeChanged,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.fee_events import (
    AccountTierChanged,
    FeeDiscountChanged,
    FeeDiscountSwitched,
    FeeTierChanged,
    MarketFeesChanged,
    TradeExecutedWithDiscount,
)
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.limits import FILLS_PER_COMMAND_MAX
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
from services.auditor.audit.fees import FeesAudit
from services.auditor.audit.orders import OrdersAudit
from services.auditor.audit.scope import AuditScope
from services.auditor.audit.state import AuditState, Balance, Breach
from services.auditor.audit.terms import TermsAudit
from services.auditor.audit.treasury import TreasuryAudit

__all__ = ["Audit"]

_FREQUENT: Final[frozenset[type[Event]]] = frozenset(
    (CommandRejected, OrderAccepted, OrderClosed, TradeExecuted, TradeExecutedWithDiscount)
)


class Audit:
    """Applies outcomes to a state and tells what they break.

    After a breach the state is not to be relied on: its owner stops.
    """

    def __init__(self, state: AuditState) -> None:
        self.state = state
        self._scope = AuditScope(state)
        fees = FeesAudit(self._scope)
        orders, treasury = OrdersAudit(self._scope, fees), TreasuryAudit(self._scope)
        terms = TermsAudit(self._scope, orders)
        self._orders = orders
        self._read = ReadOutcome()
        # All but the few that `apply_read` knows itself, for nearly all events are of these.
        self._rare: dict[type[Event], Callable[[Any], None]] = {
            OrderWithTermsAccepted: terms.accepted,
            OrderTriggered: terms.triggered,
            TrailingStarted: terms.trailing_started,
            PendingOrderPlaced: terms.pending_placed,
            PendingOrderFunded: terms.pending_funded,
            IcebergRefilled: terms.refilled,
            OrderAmended: terms.amended,
            SelfTradeDecremented: terms.decremented,
            OrderListPlaced: terms.list_placed,
            OrderListDone: terms.list_done,
            DepositCredited: treasury.deposit_credited,
            WithdrawalReserved: treasury.withdrawal_reserved,
            WithdrawalSettled: treasury.withdrawal_settled,
            WithdrawalReleased: treasury.withdrawal_released,
            AssetRegistered: treasury.asset_registered,
            MarketRegistered: treasury.market_registered,
            TradingModeChanged: treasury.trading_mode_changed,
            FilterChanged: treasury.filter_changed,
            MarketFeesChanged: fees.market_fees_changed,
            FeeTierChanged: fees.tier_changed,
            AccountTierChanged: fees.account_tier_changed,
            FeeDiscountChanged: fees.discount_changed,
            FeeDiscountSwitched: fees.discount_switched,
            LeaderChanged: _nothing,
            SkipRecorded: _nothing,
            TimeKept: _nothing,
            RulesActivated: treasury.rules_activated,
        }

    @property
    def known_kinds(self) -> frozenset[type[Event]]:
        """The kinds of events that the audit understands; any other is a breach."""
        return _FREQUENT | frozenset(self._rare)

    def apply(self, outcome: CommandOutcome) -> Sequence[Breach]:
        """Apply one outcome, whose place in the chain the tail has checked. Returns what it breaks."""
        events = outcome.events
        self._read.take(outcome, events[0].seq)
        return self.apply_read(self._read, events[-1].hash)

    def apply_read(self, outcome: ReadOutcome, digest: bytes) -> Sequence[Breach]:
        """The same for an outcome as read from a link. `digest`: the chain's hash behind it."""
        scope, state, events = self._scope, self.state, outcome.events
        orders = self._orders
        first_seq: int = outcome.first_seq
        count: int = events.count
        is_refused = False
        if scope.breaches:
            scope.breaches = []
        scope.seq = first_seq
        self._check_place(outcome.command_offset, outcome.command_index, outcome.time_ms)
        for place in range(count):
            scope.seq = first_seq + place
            event = events.at(place)
            if isinstance(event, OrderAccepted):
                orders.order_accepted(event)
            elif isinstance(event, OrderClosed):
                orders.order_closed(event)
            elif isinstance(event, TradeExecuted):
                orders.trade_executed(event)
            elif isinstance(event, CommandRejected):
                is_refused = True
            else:
                self._apply_rare(event)
        if count > 1 and is_refused:
            scope.breach("I10", "a refused command has other events too")
        if count > FILLS_PER_COMMAND_MAX:
            self._check_cut(events.all())
        state.seq, state.hash = scope.seq, digest
        if scope.accepted:
            orders.settle()
        if scope.hidden:
            self._check_hidden()
        if scope.bought:
            self._check_bought()
        if scope.markets:
            self._check_books()
        if scope.touched:
            self._check_balances()
        return list(dict.fromkeys(scope.breaches)) if scope.breaches else ()

    def _apply_rare(self, event: Event) -> None:
        """One of the kinds that seldom come."""
        apply = self._rare.get(type(event))
        if apply is None:
            kind = type(event).__name__
            self._scope.breach("I8", f"an event of a kind that the auditor does not know: {kind}")
        else:
            apply(event)

    def _check_cut(self, events: list[Event]) -> None:
        """I8: an order that was cut has met as many others as one may, and no order more than that."""
        first = events[0]
        if not isinstance(first, OrderAccepted):
            return
        met = 0
        was_cut = False
        lost: set[int] = set()
        for event in events:
            if isinstance(event, OrderTriggered | PendingOrderPlaced | TrailingStarted):
                break  # Other orders begin.
            if isinstance(event, TradeExecuted | SelfTradeDecremented):
                met += 1
                lost.add(event.maker_order_id if isinstance(event, SelfTradeDecremented) else 0)
            elif isinstance(event, OrderClosed) and event.order_id != first.order_id:
                met += event.reason == codes.CLOSED_SELF_TRADE and event.order_id not in lost
            elif isinstance(event, OrderClosed):
                was_cut = event.reason == codes.CLOSED_TOO_MANY_FILLS
        if was_cut and met != FILLS_PER_COMMAND_MAX:
            self._scope.breach("I8", f"order {first.order_id} was cut after {met} others")

    def _check_place(self, offset: int, index: int, time_ms: int) -> None:
        """I10: the outcome of the very next command; I7: the engine's clock never goes back."""
        scope, state = self._scope, self.state
        is_next = (offset == state.command_offset + 1 and index == 0) or (
            offset == state.command_offset and index == state.command_index + 1
        )
        if not is_next:
            scope.breach(
                "I10",
                f"outcome of command {index} of record {offset} after command {state.command_index} "
                f"of record {state.command_offset}",
            )
        if time_ms < state.time_ms:
            scope.breach("I7", f"time {time_ms} after {state.time_ms}")
        state.command_offset, state.command_index = offset, index
        state.time_ms = time_ms

    def _check_hidden(self) -> None:
        """I8: an iceberg whose shown part is used up shows the next one in the same outcome."""
        scope = self._scope
        for order in scope.hidden.values():
            scope.breach("I8", f"order {order.order_id} hides all its {order.open_lots} lots")
        scope.hidden.clear()

    def _check_bought(self) -> None:
        """I3: what an OPO has bought is kept for its pending orders, as long as there are any."""
        scope = self._scope
        for order_list_id, (base, _) in scope.bought.items():
            if order_list_id in self.state.order_lists:
                scope.breach("I3", f"list {order_list_id} keeps nothing of {base} that it has bought")
        scope.bought.clear()

    def _check_books(self) -> None:
        """I6: no bid at or above an ask."""
        scope = self._scope
        for market in scope.markets:
            market.touched_seq = scope.seq
            bid, ask = market.bids.best(), market.asks.best()
            if bid and ask and bid >= ask:
                scope.breach("I6", f"{market.symbol}: bid {bid} meets ask {ask}")
        scope.markets.clear()

    def _check_balances(self) -> None:
        """I2, I3 for every balance that moved, I1 for its asset."""
        scope = self._scope
        touched = scope.touched
        for balance in touched:
            available, held, asset = balance.available, balance.held, balance.asset
            if available < 0 or held < 0:
                scope.breach("I2", f"{_name(balance)}: available {available}, held {held}")
            if held != balance.explained:
                scope.breach(
                    "I3", f"{_name(balance)}: held {held}, orders and withdrawals {balance.explained}"
                )
            worth = available + held
            asset.kept += worth - balance.worth
            balance.worth = worth
        for balance in touched:
            asset = balance.asset
            if asset.kept + asset.fees != asset.deposited - asset.withdrawn:
                scope.breach(
                    "I1",
                    f"{asset.code}: users {asset.kept} + fees {asset.fees} are not "
                    f"deposits {asset.deposited} - withdrawals {asset.withdrawn}",
                )
        touched.clear()


def _nothing(_: Event) -> None:
    """For events that change nothing that is audited."""


def _name(balance: Balance) -> str:
    return f"user {balance.user_id} {balance.asset.code}"
