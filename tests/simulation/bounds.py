"""What rules version 2 bounds, thought out again from the events and the model's books, not from the core."""

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import (
    BUY,
    CLOSED_FOK_UNFILLABLE,
    CLOSED_SELF_TRADE,
    CLOSED_TOO_MANY_FILLS,
    FOK,
    MARKET,
    REJECT_OVERFLOW,
    SELL,
    STP_EXPIRE_MAKER,
    STP_NONE,
)
from exchange.contracts.commands import Command, CreditDeposit
from exchange.contracts.events import (
    CommandRejected,
    Event,
    OrderAccepted,
    OrderClosed,
    RulesActivated,
    TradeExecuted,
)
from exchange.contracts.order_events import (
    OrderTriggered,
    PendingOrderPlaced,
    SelfTradeDecremented,
    TrailingStarted,
)
from matching_engine.core.engine_limits import EngineLimits
from tests.simulation.model.auditor import Model
from tests.simulation.model.order import ModelOrder
from tests.simulation.violations import require

__all__ = ["Bounds"]


class Bounds:
    """`before` and `after` each outcome that the model follows. Raise Violation."""

    def __init__(self, model: Model, limits: EngineLimits) -> None:
        self._model = model
        self._limits = limits
        self._version = 1
        self.cut = 0  # orders that met the bound

    def before(self, command: Command, outcome: CommandOutcome) -> None:
        """What was refused or killed could not have been done otherwise."""
        if self._version < 2:
            return
        first = outcome.events[0].event
        last = outcome.events[-1].event
        if isinstance(command, CreditDeposit) and isinstance(first, CommandRejected):
            inside = self._model.inflow.get(command.asset_id, 0)
            fits = inside + command.amount_atoms <= self._limits.amount_atoms_max
            require(not (first.reason == REJECT_OVERFLOW and fits), "a deposit is refused that has room")
        if (
            isinstance(first, OrderAccepted)
            and isinstance(last, OrderClosed)
            and last.reason == CLOSED_FOK_UNFILLABLE
            and last.order_id == first.order_id
        ):
            fillable = self._fillable(first)
            require(fillable < first.quantity_lots, "I8: an order is killed that could be filled")

    def after(self, outcome: CommandOutcome) -> None:
        """No more was met than may be, and what was cut was cut for that."""
        events = [recorded.event for recorded in outcome.events]
        if isinstance(events[0], RulesActivated):
            self._version = events[0].version
        sent = sum(isinstance(event, OrderTriggered | TrailingStarted) for event in events)
        # The pending orders of a list are sent together, two at most.
        sent += (sum(isinstance(event, PendingOrderPlaced) for event in events) + 1) // 2
        require(sent <= self._limits.follow_ups_per_command_max, f"one command sends {sent} orders to work")
        if not isinstance(events[0], OrderAccepted) or self._version < 2:
            return
        taker = events[0]
        events = _own(events)
        trades = [event for event in events if isinstance(event, TradeExecuted)]
        closed = [event for event in events if isinstance(event, OrderClosed)]
        lost = [event for event in events if isinstance(event, SelfTradeDecremented)]
        ended = {event.order_id for event in closed if event.reason == CLOSED_SELF_TRADE}
        met = len(trades) + len(lost)
        met += len(ended - {taker.order_id} - {event.maker_order_id for event in lost})
        require(met <= self._limits.fills_per_command_max, f"an order meets {met} others")
        if taker.order_type != MARKET and taker.time_in_force == FOK and trades:
            filled = sum(trade.quantity_lots for trade in trades)
            require(filled == taker.quantity_lots, "I8: a fill-or-kill order is filled in part")
        for event in closed:
            if event.order_id == taker.order_id:
                self._check_end(taker, event, met)

    def _check_end(self, taker: OrderAccepted, closed: OrderClosed, met: int) -> None:
        if taker.order_type == MARKET and taker.side == BUY:
            require(closed.released_atoms == 0, "I3: a market order held more than its fills cost")
        if closed.reason == CLOSED_TOO_MANY_FILLS:
            self.cut += 1
            require(met == self._limits.fills_per_command_max, "an order is cut before the bound")
            require(bool(self._crossing(taker)), "an order is cut that would have met nobody else")

    def _crossing(self, taker: OrderAccepted) -> list[ModelOrder]:
        """Resting orders that the taker accepts, as they would trade."""
        other, price = (SELL if taker.side == BUY else BUY), taker.price_ticks
        sign = 1 if other == SELL else -1
        found = [
            order
            for order in self._model.orders.values()
            if order.accepted.market_id == taker.market_id
            and order.accepted.side == other
            and order.rests
            and (not price or sign * order.price_ticks <= sign * price)
        ]
        return sorted(found, key=lambda o: (sign * o.price_ticks, o.place))

    def _fillable(self, taker: OrderAccepted) -> int:
        if any(maker.iceberg_lots for maker in self._crossing(taker)):
            return 0  # What they hide comes before the orders behind them: others look at that.
        filled = 0
        for maker in self._crossing(taker)[: self._limits.fills_per_command_max]:
            if maker.accepted.user_id == taker.user_id and taker.stp_mode != STP_NONE:
                if taker.stp_mode != STP_EXPIRE_MAKER:
                    break
                continue
            filled += maker.shown_lots
        return filled


def _own(events: list[Event]) -> list[Event]:
    """The events of the command's own order: those before the first order that it has sent to work."""
    for place, event in enumerate(events):
        if isinstance(event, OrderTriggered | PendingOrderPlaced | TrailingStarted):
            return events[:place]
    return events
