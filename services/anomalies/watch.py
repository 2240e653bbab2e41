"""Outcomes of the engine to alarms: who leaves which band, and who is back within it. Pure.

The only clock is the outcomes' own, which never goes back; whoever folds the same outcomes in other portions
gets the same alarms. State is bounded: about a kilobyte a market, and a quarter of one for the
ANOMALY_ACCOUNTS_MAX accounts that were at work last.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from exchange.contracts.anomaly_kinds import (
    ACCOUNT_BURST,
    ANOMALY_WINDOW_MS,
    CANCEL_RATIO,
    JUMP_WINDOWS,
    LATENCY,
    ORDER_RATE,
    PRICE_JUMP,
)
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import CLOSED_BY_USER
from exchange.contracts.events import CommandRejected, Event, OrderAccepted, OrderClosed, TradeExecuted
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.contracts.limits import ANOMALIES_OPEN_MAX, ANOMALY_ACCOUNTS_MAX
from exchange.contracts.order_events import OrderAmended, OrderListPlaced, OrderWithTermsAccepted
from services.anomalies.bands import Band, BandRule

__all__ = ["CALM_WINDOWS", "CANCELS_COUNTED_MIN", "FLOORS", "Alarm", "AnomalyWatch", "Change"]

# An alarm is over after so many windows in a row in which its value was at most this part of its limit.
CALM_WINDOWS: Final = 3
_CALM_PERCENT: Final = 80
# A ratio of few says nothing.
CANCELS_COUNTED_MIN: Final = 200
# Kind -> what is never unusual, whatever was learned. Units as in anomaly_kinds.KINDS.
FLOORS: Final[Mapping[str, int]] = {
    ORDER_RATE: 500,
    CANCEL_RATIO: 1_500,
    PRICE_JUMP: 300,
    ACCOUNT_BURST: 300,
    LATENCY: 1_000,
}
_BIPS: Final = 10_000
_PERMILLE: Final = 1_000

_PLACED, _CLOSED, _TRADED, _REFUSED = 1, 2, 3, 4
_WHAT: Final[Mapping[type[Event], int]] = {
    OrderAccepted: _PLACED,
    OrderWithTermsAccepted: _PLACED,
    OrderClosed: _CLOSED,
    TradeExecuted: _TRADED,
    TradeExecutedWithDiscount: _TRADED,
    CommandRejected: _REFUSED,
}
# Whose command it was stands in the first event, if that is one of these.
_ASKED: Final = (
    OrderAccepted, OrderWithTermsAccepted, OrderListPlaced, OrderClosed, OrderAmended, CommandRejected,
)  # fmt: skip


class Alarm(NamedTuple):
    """Something unusual. `market_id` and `user_id` are 0 where it is of none; `value`: when it was raised."""

    kind: str
    market_id: int
    user_id: int
    raised_ms: int
    raised_seq: int
    value: int
    limit: int

    @property
    def key(self) -> tuple[str, int]:
        """At most one alarm of a key is open."""
        return self.kind, self.market_id or self.user_id


class Change(NamedTuple):
    """An alarm was raised, or is over (`cleared_ms`, by the outcomes' time)."""

    alarm: Alarm
    cleared_ms: int | None = None


class _Open:
    __slots__ = ("alarm", "calm_windows")

    def __init__(self, alarm: Alarm) -> None:
        self.alarm = alarm
        self.calm_windows = 0


class _Market:
    """One market's window, what it was in the one before, and its bands."""

    __slots__ = ("band_of", "cancels", "high", "low", "orders", "past", "past_high", "past_low", "window")

    def __init__(self, rules: Mapping[str, BandRule]) -> None:
        self.window = -1
        self.orders = self.cancels = self.low = self.high = 0
        # (window, lowest price, highest price) of windows with trades before this one, and of all of them.
        self.past: deque[tuple[int, int, int]] = deque(maxlen=JUMP_WINDOWS - 1)
        self.past_low = self.past_high = 0
        self.band_of = {kind: Band(rules[kind]) for kind in (ORDER_RATE, CANCEL_RATIO, PRICE_JUMP)}

    def enter(self, window: int) -> None:
        """Begin a window; the one before was ended by `end`."""
        if self.window >= 0:
            self.band_of[ORDER_RATE].idle(window - self.window - 1)
        self.window, self.orders, self.cancels, self.low, self.high = window, 0, 0, 0, 0
        lately = [entry for entry in self.past if entry[0] > window - JUMP_WINDOWS]
        self.past_low = min((low for _, low, _ in lately), default=0)
        self.past_high = max((high for _, _, high in lately), default=0)

    def range_bips(self) -> int:
        """The highest price over the lowest within JUMP_WINDOWS, as what it is beyond it."""
        low = min(self.low or self.past_low, self.past_low or self.low)
        return (max(self.high, self.past_high) - low) * _BIPS // low if low else 0

    def ratio_permille(self) -> int:
        """Cancels for 1,000 orders; 0 of few."""
        if self.cancels < CANCELS_COUNTED_MIN:
            return 0
        return self.cancels * _PERMILLE // max(self.orders, 1)

    def end(self) -> None:
        """Let the window teach the bands."""
        self.band_of[ORDER_RATE].learn(self.orders)
        if self.cancels >= CANCELS_COUNTED_MIN:
            self.band_of[CANCEL_RATIO].learn(self.ratio_permille())
        if self.low:
            self.band_of[PRICE_JUMP].learn(self.range_bips())
            self.past.append((self.window, self.low, self.high))


class _Account:
    __slots__ = ("band", "commands", "window")

    def __init__(self, rule: BandRule, window: int) -> None:
        self.band = Band(rule)
        self.window = window
        self.commands = 0


class AnomalyWatch:
    """Folds outcomes, and says what changed. `open` has every alarm that is not over."""

    def __init__(self, hard: Mapping[str, int], known: Iterable[Alarm] = ()) -> None:
        """`hard`: for each kind what is always unusual. `known`: alarms of an earlier life, still open."""
        self._rules = {kind: BandRule(min(FLOORS[kind], hard[kind]), hard[kind]) for kind in FLOORS}
        self._open = {alarm.key: _Open(alarm) for alarm in known}
        self._markets: dict[int, _Market] = {}
        # The markets in which something happened in this window.
        self._touched: list[tuple[int, _Market]] = []
        # In the order of the windows in which they were at work last.
        self._accounts: OrderedDict[int, _Account] = OrderedDict()
        self._window = -1
        self._ends_ms = 0
        self._age_sum_ms = self._ages = 0
        self._age_band = Band(self._rules[LATENCY])
        self._time_ms = self._seq = 0
        self._changes: list[Change] = []

    @property
    def open(self) -> Sequence[Alarm]:
        """Alarms that are not over."""
        return [each.alarm for each in self._open.values()]

    def fold(self, outcomes: Iterable[CommandOutcome], seen_ms: int | None = None) -> list[Change]:
        """Take these in order. `seen_ms`: the clock's time when they came, for the latency."""
        time_ms = 0
        for outcome in outcomes:
            time_ms = outcome.time_ms
            if time_ms >= self._ends_ms:
                self._turn(time_ms)
            self._time_ms = time_ms
            self._take(outcome)
        if seen_ms is not None and time_ms:
            self._age_sum_ms += max(0, seen_ms - time_ms)
            self._ages += 1
        changes, self._changes = self._changes, []
        return changes

    def _take(self, outcome: CommandOutcome) -> None:
        events = outcome.events
        self._seq = events[0].seq
        event: Any = events[0].event
        if type(event) in _ASKED and event.user_id > 0:
            self._count_command(event.user_id)
        for recorded in events:
            event = recorded.event
            what = _WHAT.get(type(event))
            if what is None:
                continue
            market_id: int = event.market_id
            market = self._markets.get(market_id)
            if market is None:
                if what == _REFUSED:
                    continue  # Whoever names a market that there is not makes none here.
                market = self._markets[market_id] = _Market(self._rules)
            if market.window != self._window:
                market.enter(self._window)
                self._touched.append((market_id, market))
            if what == _TRADED:
                self._note_price(market_id, market, event.price_ticks)
            elif what == _CLOSED:
                market.cancels += event.reason == CLOSED_BY_USER
            else:
                market.orders += 1
                if market.orders > market.band_of[ORDER_RATE].limit:
                    self._raise(ORDER_RATE, market_id, 0, market.orders, market.band_of[ORDER_RATE])

    def _note_price(self, market_id: int, market: _Market, price_ticks: int) -> None:
        if market.low <= price_ticks <= market.high:
            return
        market.low = min(market.low or price_ticks, price_ticks)
        market.high = max(market.high, price_ticks)
        range_bips, band = market.range_bips(), market.band_of[PRICE_JUMP]
        if range_bips > band.limit:
            self._raise(PRICE_JUMP, market_id, 0, range_bips, band)

    def _count_command(self, user_id: int) -> None:
        account = self._accounts.get(user_id)
        if account is None:
            account = self._accounts[user_id] = _Account(self._rules[ACCOUNT_BURST], self._window)
            if len(self._accounts) > ANOMALY_ACCOUNTS_MAX:
                self._forget(self._accounts.popitem(last=False)[0])
        elif account.window != self._window:
            account.band.learn(account.commands)
            account.band.idle(self._window - account.window - 1)
            account.window, account.commands = self._window, 0
            self._accounts.move_to_end(user_id)
        account.commands += 1
        if account.commands > account.band.limit:
            self._raise(ACCOUNT_BURST, 0, user_id, account.commands, account.band)

    def _forget(self, user_id: int) -> None:
        """Nobody counts any more what this account does: its alarm is over."""
        known = self._open.pop((ACCOUNT_BURST, user_id), None)
        if known is not None:
            self._changes.append(Change(known.alarm, self._time_ms))

    def _raise(self, kind: str, market_id: int, user_id: int, value: int, band: Band) -> None:
        key = kind, market_id or user_id
        if key in self._open or len(self._open) >= ANOMALIES_OPEN_MAX:
            return
        alarm = Alarm(kind, market_id, user_id, self._time_ms, self._seq, value, band.limit)
        self._open[key] = _Open(alarm)
        self._changes.append(Change(alarm))

    # -- windows --------------------------------------------------------------------------------

    def _turn(self, time_ms: int) -> None:
        """A window begins with what is stamped so."""
        window = time_ms // ANOMALY_WINDOW_MS
        if self._ends_ms:
            self._end_window(window - self._window)
        self._window, self._ends_ms = window, (window + 1) * ANOMALY_WINDOW_MS

    def _end_window(self, windows: int) -> None:
        """Judge what only a whole window tells, see who is calm, and let the bands learn."""
        for market_id, market in self._touched:
            band = market.band_of[CANCEL_RATIO]
            if market.ratio_permille() > band.limit:
                self._raise(CANCEL_RATIO, market_id, 0, market.ratio_permille(), band)
        age_ms = self._age_sum_ms // max(self._ages, 1)
        if age_ms > self._age_band.limit:
            self._raise(LATENCY, 0, 0, age_ms, self._age_band)
        self._calm(age_ms, windows)
        for _, market in self._touched:
            market.end()
        self._touched.clear()
        if self._ages:
            self._age_band.learn(age_ms)
        self._age_sum_ms = self._ages = 0

    def _calm(self, age_ms: int, windows: int) -> None:
        """Which alarms are over. `windows`: those that end, all but the first without an event."""
        for key, known in list(self._open.items()):
            value, limit = self._now(known.alarm, age_ms)
            is_calm = value * 100 <= limit * _CALM_PERCENT
            known.calm_windows = (known.calm_windows + 1 if is_calm else 0) + windows - 1
            if known.calm_windows >= CALM_WINDOWS:
                del self._open[key]
                self._changes.append(Change(known.alarm, self._time_ms))

    def _now(self, alarm: Alarm, age_ms: int) -> tuple[int, int]:
        """What an alarm's number is in the window that ends, and its limit."""
        if alarm.kind == LATENCY:
            return age_ms, self._age_band.limit
        if alarm.kind == ACCOUNT_BURST:
            account = self._accounts.get(alarm.user_id)
            if account is None or account.window != self._window:
                return 0, 0
            return account.commands, account.band.limit
        market = self._markets.get(alarm.market_id)
        if market is None:
            return 0, 0
        if market.window != self._window:
            market.enter(self._window)
            self._touched.append((alarm.market_id, market))
        values = {
            ORDER_RATE: market.orders,
            CANCEL_RATIO: market.ratio_permille(),
            PRICE_JUMP: market.range_bips(),
        }
        return values[alarm.kind], market.band_of[alarm.kind].limit
