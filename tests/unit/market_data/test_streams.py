"""Messages of every stream: exact keys, right moments."""

import itertools
from typing import Any

import pytest

from exchange.contracts import codes, limits
from exchange.contracts.commands import PlaceOrder, SetTradingMode
from exchange.contracts.events import TradeExecuted
from tests.conformance import covers
from tests.event_streams import RandomTrading
from tests.unit.market_data.clients import HubClient
from tests.unit.market_data.services import OfflineService

KEYS = {
    "btcusdt@trade": "e E s t p q T m M",
    "btcusdt@aggTrade": "e E s a p q f l T m M",
    "btcusdt@depth": "e E s U u b a",
    "btcusdt@depth@100ms": "e E s U u b a",
    "btcusdt@depth5": "lastUpdateId bids asks",
    "btcusdt@depth10@100ms": "lastUpdateId bids asks",
    "btcusdt@depth20@1000ms": "lastUpdateId bids asks",
    "btcusdt@bookTicker": "u s b B a A",
    "!bookTicker": "u s b B a A",
    "btcusdt@miniTicker": "e E s c o h l v q",
    "btcusdt@ticker": "e E s p P w x c Q b B a A o h l v q O C F L n",
    "btcusdt@ticker_1h": "e E s p P o h l c w v q O C F L n",
    "btcusdt@avgPrice": "e E s i w T",
    "btcusdt@referencePrice": "e s r t",
    "btcusdt@kline_1m": "e E s k",
}
KLINE_KEYS = "t T s i f L o c h l v n x q V Q B"


@pytest.fixture
def offline() -> OfflineService:
    return OfflineService()


def trade_for_a_while(offline: OfflineService, trading: RandomTrading, steps: int = 30) -> None:
    done = len(trading.stream.outcomes)
    for _ in range(steps):
        trading.run(30)
        offline.apply(trading.stream.outcomes[done:])
        done = len(trading.stream.outcomes)
        offline.tick()


@pytest.fixture
def trading(offline: OfflineService) -> RandomTrading:
    trading = RandomTrading(21)
    trading.run(200)
    offline.apply(trading.stream.outcomes)
    return trading


@covers(
    "<symbol>@trade",
    "<symbol>@aggTrade",
    "<symbol>@depth",
    "<symbol>@depth<levels>",
    "<symbol>@bookTicker",
    "<symbol>@miniTicker",
    "<symbol>@ticker",
    "<symbol>@ticker_<window>",
    "<symbol>@avgPrice",
    "<symbol>@referencePrice",
)
@pytest.mark.parametrize("name", KEYS)
def test_messages_have_binances_keys_in_binances_order(
    name: str, offline: OfflineService, trading: RandomTrading
) -> None:
    client = HubClient(offline.hub, name)
    trade_for_a_while(offline, trading)
    messages = client.take()
    assert messages
    for message in messages:
        assert list(message) == KEYS[name].split()
        if name.startswith("btcusdt") and "s" in message:
            assert message["s"] == "BTCUSDT"


@covers("<symbol>@kline_<interval>")
def test_klines_have_binances_keys_and_close_at_the_end_of_their_second(
    offline: OfflineService, trading: RandomTrading
) -> None:
    client = HubClient(offline.hub, "btcusdt@kline_1s")
    trade_for_a_while(offline, trading, 45)
    candles = [message["k"] for message in client.take()]
    assert all(list(candle) == KLINE_KEYS.split() for candle in candles)
    closed = [candle["t"] for candle in candles if candle["x"]]
    assert len(closed) >= 3
    assert [b - a for a, b in itertools.pairwise(closed)] == [1_000] * (len(closed) - 1)
    for candle in candles:
        assert candle["T"] == candle["t"] + 999
        assert candle["i"] == "1s"


@covers("<symbol>@kline_<interval>")
def test_a_trade_that_is_late_comes_before_its_candle_closes(
    offline: OfflineService, trading: RandomTrading
) -> None:
    """One closing candle an interval, equal to `klines`, however late the log brings a trade (finding A8)."""
    name = "btcusdt@kline_1s"
    client = HubClient(offline.hub, name)
    offline.now_ms = -(-offline.state.time_ms // 1_000) * 1_000 + 300
    second_ms = offline.now_ms - 300
    offline.publisher.tick(offline.now_ms, offline.now_ms)
    # Decided in the last millisecond of the second, and on its way while the second ends here.
    stream, time_ms = trading.stream, second_ms + 999
    kinds = (codes.LIMIT, codes.GTC, 5_000_000, 60, 0, codes.STP_NONE, 0)
    late = [
        stream.append(*stream.engine.apply(command, time_ms), time_ms=time_ms)
        for command in (
            SetTradingMode(0, 0, codes.MODE_TRADING),
            PlaceOrder(1, 1001, 1, "late", codes.BUY, *kinds),
            PlaceOrder(2, 1002, 1, "late", codes.SELL, *kinds),
        )
    ]
    count = sum(isinstance(one.event, TradeExecuted) for outcome in late for one in outcome.events)
    assert count
    offline.now_ms = second_ms + 1_300
    offline.publisher.tick(offline.now_ms, second_ms + 900)
    candles = [message["k"] for message in client.take() if message["k"]["t"] == second_ms]
    assert not any(candle["x"] for candle in candles)
    offline.apply(late)
    for known_ms in (second_ms + 999, second_ms + 1_000, second_ms + 2_000, second_ms + 3_000):
        offline.now_ms += 1_000
        offline.publisher.tick(offline.now_ms, known_ms)
    candles += [message["k"] for message in client.take() if message["k"]["t"] == second_ms]
    closing = [candle for candle in candles if candle["x"]]
    assert len(closing) == 1
    assert candles[-1] is closing[0]
    assert closing[0]["n"] == count


def test_a_quiet_market_still_closes_its_candles(offline: OfflineService, trading: RandomTrading) -> None:
    client = HubClient(offline.hub, "btcusdt@kline_1m")
    for _ in range(61 * 2):
        offline.tick(1_000)
    candles = [message["k"] for message in client.take()]
    assert sum(candle["x"] for candle in candles) == 2
    flat = candles[-1]
    assert flat["o"] == flat["c"] == flat["h"] == flat["l"]
    assert (flat["n"], flat["f"], flat["L"], flat["v"]) == (0, -1, -1, "0.00000000")


@covers("!miniTicker@arr", "!ticker_<window>@arr")
def test_arrays_hold_all_for_a_newcomer_and_then_only_what_changed(
    offline: OfflineService, trading: RandomTrading
) -> None:
    client = HubClient(offline.hub, "!miniTicker@arr", "!ticker_1h@arr", "!ticker@arr")
    offline.tick(1_000)
    first = client.take()
    assert [len(rows) for rows in first] == [len(offline.state.views)] * 3
    offline.tick(1_000)
    assert client.take() == []
    trade_for_a_while(offline, trading, 10)
    told: list[Any] = client.take()
    changed = {row["s"] for rows in told for row in rows}
    assert changed == {"BTCUSDT", "ETHUSDT"}


def test_a_ticker_rolls_out_of_its_window_without_any_trade(
    offline: OfflineService, trading: RandomTrading
) -> None:
    client = HubClient(offline.hub, "btcusdt@ticker_1h", "btcusdt@miniTicker")
    offline.tick(1_000)
    assert int(client.take()[-1]["n"]) > 0
    offline.tick(2 * 3_600_000)
    rolled = client.take()
    assert [message["e"] for message in rolled] == ["1hTicker"]
    assert (rolled[0]["n"], rolled[0]["F"], rolled[0]["L"]) == (0, -1, -1)


def test_times_come_in_microseconds_for_who_asked_so(offline: OfflineService, trading: RandomTrading) -> None:
    names = ("btcusdt@trade", "btcusdt@kline_1m")
    exact = HubClient(offline.hub, *names, microseconds=True)
    plain = HubClient(offline.hub, *names)
    trade_for_a_while(offline, trading, 25)
    for fine, coarse in zip(exact.take(), plain.take(), strict=True):
        assert fine["E"] // 1000 == coarse["E"]
        assert fine["E"] % 1000 == 7
        if "k" in fine:
            assert fine["k"]["t"] == coarse["k"]["t"] * 1000
            assert fine["k"]["T"] == (coarse["k"]["T"] + 1) * 1000 - 1
        else:
            assert fine["T"] == coarse["T"] * 1000


def test_best_prices_go_out_when_they_change_and_never_crossed(
    offline: OfflineService, trading: RandomTrading
) -> None:
    client = HubClient(offline.hub, "btcusdt@bookTicker")
    trade_for_a_while(offline, trading)
    messages = client.take()
    seqs = [message["u"] for message in messages]
    assert seqs == sorted(set(seqs))
    shown = [(m["b"], m["B"], m["a"], m["A"]) for m in messages]
    assert all(a != b for a, b in itertools.pairwise(shown))
    for message in messages:
        if float(message["a"]):
            assert float(message["b"]) < float(message["a"])


def test_a_partial_book_comes_at_once_to_a_newcomer_of_a_quiet_market(
    offline: OfflineService, trading: RandomTrading
) -> None:
    offline.tick()
    client = HubClient(offline.hub, "btcusdt@depth5@100ms")
    offline.tick()
    offline.tick()
    messages = client.take()
    assert len(messages) == 1
    assert messages[0]["lastUpdateId"] == offline.state.seq
    assert len(messages[0]["bids"]) <= 5


def test_a_client_whose_queue_is_full_is_cut() -> None:
    offline = OfflineService()
    client = HubClient(offline.hub, "!bookTicker")
    frame = b'"' + b"x" * 1_000 + b'"'
    for _ in range(limits.SOCKET_QUEUE_SIZE_BYTES_MAX // 1_000):
        offline.hub.publish("!bookTicker", lambda _: frame)
    assert client.client.cut_reason == "too slow: its queue is full"
    assert client.client._bytes_queued <= limits.SOCKET_QUEUE_SIZE_BYTES_MAX


def test_a_client_keeps_its_stream_through_the_largest_outcome() -> None:
    """Delivered in one step, in which nobody can read; four such came in one turn before."""
    offline = OfflineService()
    client = HubClient(offline.hub, "!bookTicker")
    trade = b"t" * 300
    for _ in range(4 * limits.FILLS_PER_COMMAND_MAX + 200):
        offline.hub.publish("!bookTicker", lambda _: trade)
    assert client.client.cut_reason is None


def test_a_client_whose_oldest_frame_waits_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("services.market_data.streams.hub.time.monotonic", lambda: now_s)
    offline = OfflineService()
    client = HubClient(offline.hub, "!bookTicker")
    offline.hub.publish("!bookTicker", lambda _: b"{}")
    now_s += limits.SOCKET_QUEUE_AGE_S_MAX
    offline.hub.publish("!bookTicker", lambda _: b"{}")
    assert client.client.cut_reason is None
    now_s += 1
    offline.hub.publish("!bookTicker", lambda _: b"{}")
    assert client.client.cut_reason == "too slow: its queue is old"


def test_nothing_is_kept_of_a_client_that_left() -> None:
    offline = OfflineService()
    client = HubClient(offline.hub, "btcusdt@trade", "!miniTicker@arr", "whatever")
    offline.hub.disconnect(client.client)
    assert not offline.hub.topics
    assert not offline.hub.clients
    assert not offline.hub.of_kind("trade")


@covers("<symbol>@blockTrade", "<symbol>@kline_<interval>@+08:00")
def test_a_day_of_another_zone_has_its_own_candle_and_blocks_are_never_traded(
    offline: OfflineService, trading: RandomTrading
) -> None:
    zoned = HubClient(offline.hub, "btcusdt@kline_1d@+08:00")
    here = HubClient(offline.hub, "btcusdt@kline_1d")
    blocks = HubClient(offline.hub, "btcusdt@blockTrade")
    offline.tick(3_000)
    (first,), (second,) = zoned.take(), here.take()
    day_ms, shift_ms = 86_400_000, 8 * 3_600_000
    assert (first["k"]["t"] + shift_ms) % day_ms == second["k"]["t"] % day_ms == 0
    assert first["k"]["t"] <= offline.now_ms < first["k"]["t"] + day_ms
    trade_for_a_while(offline, trading)
    assert list(blocks.client.names) == ["btcusdt@blockTrade"]
    assert blocks.take() == []
