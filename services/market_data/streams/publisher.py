"""What is sent when: live messages after each outcome, the rest on timers (binance-spot-api, section 4).

Depth: an event covers (last sent u of its symbol and speed, seq now], so ids have no gaps for whoever
follows one stream, also for one who joins between two events; REST answers from the same state, so it
is never behind. Changes count as sent when their timer comes, whether anybody listens or not.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple

import orjson

from exchange.trading.intervals import DAY_MS, Interval
from services.market_data.markets.book import Level
from services.market_data.markets.state import Changes, MarketState, MarketView
from services.market_data.markets.texts import AVERAGE_PRICE_MINUTES, average_price_text, level_texts
from services.market_data.markets.windows import WINDOWS, window_start_ms
from services.market_data.streams import messages
from services.market_data.streams.hub import Hub, Topic

__all__ = ["TICK_MS", "StreamPublisher"]

TICK_MS: Final = 100
# Second-long tasks run this late, so that the second's last trades have come in before its candle closes.
_SECOND_GRACE_MS: Final = 200
_KLINE_SECONDS: Final = 2
_CATCH_UP_BUCKETS_MAX: Final = 10
_BuildTicker = Callable[[MarketView, int], dict[str, object]]


class _Pending:
    """What is still to be sent for one market. `sent_*`: u of the last depth event of that speed."""

    def __init__(self, view: MarketView, seq: int) -> None:
        self.view = view
        self.sent_fast = self.sent_slow = seq
        self.slow_bids: set[int] = set()
        self.slow_asks: set[int] = set()
        self.best: tuple[Level | None, Level | None] = view.best()
        self.traded = False
        self.best_changed = False


class _Moment(NamedTuple):
    """A tick: the clock, and until when everything that was traded is known."""

    now_ms: int
    known_ms: int
    now_us: int


class _KlineCursor:
    """What a kline stream has sent. `open_from_ms`: the first bucket whose closing candle was not sent yet.

    `sent`: the candles of buckets from there on, by opening, as values to compare with.
    """

    def __init__(self, open_from_ms: int) -> None:
        self.open_from_ms = open_from_ms
        self.sent: dict[int, tuple[int, ...]] = {}


class StreamPublisher:
    """Turns changes of the state into messages. `clock_us`: microseconds since 1970."""

    def __init__(self, state: MarketState, hub: Hub, clock_us: Callable[[], int]) -> None:
        self._state = state
        self._hub = hub
        self._clock_us = clock_us
        self._pending = {key: _Pending(view, state.seq) for key, view in state.views.items()}
        self._klines: dict[str, _KlineCursor] = {}
        self._last_second = 0
        hub.know(state.by_symbol)

    def live(self, changes: Iterable[Changes]) -> None:
        """Send what goes out at once; several outcomes' best prices are sent as the last one leaves them."""
        now_us = self._clock_us()
        touched: dict[int, MarketView] = {}
        for change in changes:
            touched |= change.views
            for view in change.views.values():
                self._of(view)  # a new market's streams begin before its first message
            for view, trade in change.trades:
                self._hub.publish(
                    f"{view.market.stream_symbol}@trade",
                    partial(messages.trade_message, view.market, trade, now_us),
                )
            for view, joined in change.aggregates:
                self._hub.publish(
                    f"{view.market.stream_symbol}@aggTrade",
                    partial(messages.aggregate_trade_message, view.market, joined, now_us),
                )
            if change.trades:
                for view in change.views.values():
                    self._of(view).traded |= any(view is traded for traded, _ in change.trades)
        for view in touched.values():
            self._best_price(self._of(view))

    def tick(self, now_ms: int, known_ms: int | None = None) -> None:
        """Call every TICK_MS: depth, and once a second, shortly after it began, everything else.

        `known_ms`: all that was traded before then has come; when not given, all before the second.
        """
        now_us = self._clock_us()
        moment = _Moment(now_ms, now_ms - _SECOND_GRACE_MS if known_ms is None else known_ms, now_us)
        second = (now_ms - _SECOND_GRACE_MS) // 1000
        is_second = second != self._last_second
        self._last_second = second
        changed_fast: set[int] = set()
        changed_slow: set[int] = set()
        for market_id, view in self._state.views.items():
            pending = self._of(view)
            if self._flush_fast(pending, now_us):
                changed_fast.add(market_id)
            if is_second and self._flush_slow(pending, now_us):
                changed_slow.add(market_id)
        self._partial("partial_fast", changed_fast)
        if is_second:
            self._partial("partial_slow", changed_slow)
            self._tickers(now_ms, now_us)
            self._average_prices(now_ms, now_us)
            self._kline_streams(moment, second)
            self._reference_prices(now_ms)
            self._hub.cut_stalled()

    def _of(self, view: MarketView) -> _Pending:
        pending = self._pending.get(view.market.market_id)
        if pending is None:
            # A new market: its book was empty at 0, so the first event may cover everything.
            pending = self._pending[view.market.market_id] = _Pending(view, 0)
            pending.best = (None, None)
            self._hub.know([view.market.symbol])
        return pending

    def _best_price(self, pending: _Pending) -> None:
        best = pending.view.best()
        if best == pending.best:
            return
        pending.best = best
        pending.best_changed = True
        view = pending.view
        build = partial(messages.book_ticker_message, view, self._state.seq)
        self._hub.publish(f"{view.market.stream_symbol}@bookTicker", build)
        self._hub.publish("!bookTicker", build)

    def _flush_fast(self, pending: _Pending, now_us: int) -> bool:
        bids, asks = pending.view.book.take_changes()
        if not bids and not asks:
            return False
        pending.slow_bids |= bids
        pending.slow_asks |= asks
        self._depth(
            pending.view,
            f"{pending.view.market.stream_symbol}@depth@100ms",
            pending.sent_fast,
            bids,
            asks,
            now_us,
        )
        pending.sent_fast = self._state.seq
        return True

    def _flush_slow(self, pending: _Pending, now_us: int) -> bool:
        bids, asks = pending.slow_bids, pending.slow_asks
        if not bids and not asks:
            return False
        pending.slow_bids, pending.slow_asks = set(), set()
        for name in ("@depth", "@depth@1000ms"):
            self._depth(
                pending.view, pending.view.market.stream_symbol + name, pending.sent_slow, bids, asks, now_us
            )
        pending.sent_slow = self._state.seq
        return True

    def _depth(
        self, view: MarketView, name: str, sent_seq: int, bids: set[int], asks: set[int], now_us: int
    ) -> None:
        if name not in self._hub.topics:
            return
        market, book, seq = view.market, view.book, self._state.seq
        bid_texts = level_texts(market, book.bids.in_order(bids))
        ask_texts = level_texts(market, book.asks.in_order(asks))
        self._hub.publish(
            name,
            partial(messages.depth_message, market, sent_seq + 1, seq, bid_texts, ask_texts, now_us),
        )

    def _partial(self, kind: str, changed: set[int]) -> None:
        for topic, view in self._listened(kind):
            if topic.fresh or view.market.market_id in changed:
                topic.fresh = False
                levels = topic.parsed.levels if topic.parsed else 0
                topic.publish(partial(messages.partial_depth_message, view, self._state.seq, levels))

    def _listened(self, kind: str) -> list[tuple[Topic, MarketView]]:
        """Topics of a kind whose market exists."""
        found = []
        for topic in self._hub.of_kind(kind):
            view = self._state.by_symbol.get(topic.parsed.symbol) if topic.parsed else None
            if view is not None:
                found.append((topic, view))
        return found

    def _tickers(self, now_ms: int, now_us: int) -> None:
        for pending in self._pending.values():
            for window in pending.view.windows.values():
                window.advance(now_ms)

        def mini(view: MarketView, scale: int) -> dict[str, object]:
            return messages.mini_ticker(view.market, view.windows["1d"].statistics(), now_us, scale)

        def full(view: MarketView, scale: int) -> dict[str, object]:
            stats = view.windows["1d"].statistics()
            return messages.ticker(view, stats, now_ms - DAY_MS, now_ms, now_us, scale)

        self._ticker_streams("miniTicker", mini, partial(_has_moved, "1d"))
        self._ticker_streams("ticker", full, lambda p: p.best_changed or _has_moved("1d", p))
        for name, length_ms in WINDOWS.items():
            open_ms = window_start_ms(now_ms, length_ms)
            self._ticker_streams(
                f"ticker_{name}",
                partial(_window_ticker, name, open_ms, now_ms, now_us),
                partial(_has_moved, name),
            )
        for pending in self._pending.values():
            pending.traded = pending.best_changed = False
            for window in pending.view.windows.values():
                window.has_rolled = False

    def _ticker_streams(
        self,
        kind: str,
        build: _BuildTicker,
        changed: Callable[[_Pending], bool],
    ) -> None:
        """One market's stream when it changed, and the array of all that changed."""
        for topic, view in self._listened(kind):
            if topic.fresh or changed(self._of(view)):
                topic.fresh = False
                topic.publish(partial(_joined, build, view))
        for topic in self._hub.of_kind("!" + kind):
            views = [p.view for p in self._pending.values() if topic.fresh or changed(p)]
            topic.fresh = False
            if views:
                topic.publish(partial(_joined_array, build, views))

    def _average_prices(self, now_ms: int, now_us: int) -> None:
        for topic, view in self._listened("avgPrice"):
            last = view.last_trade
            if last is None:
                continue
            price = average_price_text(view, now_ms)
            topic.fresh = False
            topic.publish(
                partial(
                    messages.average_price_message,
                    view.market,
                    AVERAGE_PRICE_MINUTES,
                    price,
                    last.time_ms,
                    now_us,
                )
            )

    def _reference_prices(self, now_ms: int) -> None:
        """No market has a reference price, and its stream says so each second."""
        for topic, view in self._listened("referencePrice"):
            topic.fresh = False
            topic.publish(partial(messages.reference_price_message, view.market, now_ms))

    def _kline_streams(self, moment: _Moment, second: int) -> None:
        listened = self._listened("kline")
        names = {topic.name for topic, _ in listened}
        for name in [name for name in self._klines if name not in names]:
            del self._klines[name]
        for topic, view in listened:
            interval = topic.parsed.interval if topic.parsed else None
            if interval is None:
                continue
            is_due = interval.step_ms == 1000 or second % _KLINE_SECONDS == 0 or topic.fresh
            cursor = self._klines.get(topic.name)
            if cursor is None:
                cursor = self._klines[topic.name] = _KlineCursor(interval.start_of(moment.now_ms))
            if is_due:
                self._kline(topic, view, interval, cursor, moment)

    @staticmethod
    def _kline(
        topic: Topic,
        view: MarketView,
        interval: Interval,
        cursor: _KlineCursor,
        moment: _Moment,
    ) -> None:
        """Send the buckets that changed or closed since the last time, the newest also to newcomers.

        A bucket closes once, when all its trades are known: nothing that was sent is changed later.
        """
        current = interval.start_of(moment.now_ms)
        opening = max(cursor.open_from_ms, interval.moved(current, -_CATCH_UP_BUCKETS_MAX))
        while opening <= current:
            candle = view.candles.bucket(interval, opening)
            end_ms = interval.moved(opening, 1)
            closed = end_ms <= moment.known_ms
            if candle is not None:
                values = candle.values()
                if closed or cursor.sent.get(opening) != values or (topic.fresh and opening == current):
                    topic.publish(
                        partial(messages.kline_message, view.market, interval, candle, closed, moment.now_us)
                    )
                cursor.sent[opening] = values
            if closed:
                cursor.open_from_ms = end_ms
            opening = end_ms
        cursor.sent = {begin: values for begin, values in cursor.sent.items() if begin >= cursor.open_from_ms}
        topic.fresh = False


def _has_moved(window: str, pending: _Pending) -> bool:
    return pending.traded or pending.view.windows[window].has_rolled


def _window_ticker(
    window: str, open_ms: int, close_ms: int, now_us: int, view: MarketView, scale: int
) -> dict[str, object]:
    stats = view.windows[window].statistics()
    return messages.window_ticker(view.market, window, stats, open_ms, close_ms, now_us, scale)


def _joined(build: _BuildTicker, view: MarketView, scale: int) -> bytes:
    return orjson.dumps(build(view, scale))


def _joined_array(build: _BuildTicker, views: list[MarketView], scale: int) -> bytes:
    return orjson.dumps([build(view, scale) for view in views])
