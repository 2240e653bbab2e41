"""The watchers of a load test: they miss no gap and no end, count nothing twice, and stay within bounds."""

import asyncio
import json
import random
import resource
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from exchange.contracts.errors import ApiError
from exchange.contracts.limits import SOCKETS_PER_ADDRESS_MAX
from exchange.http.server import HttpServer, bind
from loadtest.crowd.beside import Watchers, WatchersError, watched_line
from loadtest.crowd.crowd import Crowd, source_addresses
from loadtest.crowd.process import descriptors_missing
from loadtest.crowd.tally import Delays, StreamSeen, Tally, read_update
from loadtest.orders import MARKETS
from loadtest.processes import GENERATOR, WATCHERS
from loadtest.report import Verdict
from loadtest.run import PROGRESS_MARK, follow
from loadtest.search import Step, cpu_us
from loadtest.watchers.report import P99_MS_MAX, Watched, write_report
from services.market_data.streams.hub import Hub
from services.market_data.streams.messages import depth_message
from services.market_data.streams.sockets import StreamSockets

STREAMS = [f"{market.symbol.lower()}@depth@100ms" for market in MARKETS]
DEADLINE_S = 60.0


def update(first: int, last: int, event_ms: int = 1_764_000_000_000, symbol: str = "BTCUSDT") -> bytes:
    """As the service writes it (tests/unit/market_data/test_depth_chain.py holds its form)."""
    return b'{"e":"depthUpdate","E":%d,"s":"%s","U":%d,"u":%d,"b":[["1.00","2.000"]],"a":[]}' % (
        event_ms,
        symbol.encode(),
        first,
        last,
    )


def test_an_update_is_read_and_other_messages_are_not() -> None:
    assert read_update(update(5, 9)) == (1_764_000_000_000, 5, 9)
    assert read_update(b'{"result":null,"id":1}') is None
    assert read_update(b'{"e":"trade","E":1,"s":"BTCUSDT","t":1}') is None


def test_the_messages_of_the_service_are_read() -> None:
    market: Any = type("Market", (), {"symbol": "ETHBTC"})
    assert read_update(depth_message(market, 3, 4, [("1", "2")], [], 1_764_000_000_123_456, 1)) == (
        1_764_000_000_123, 3, 4,
    )  # fmt: skip


def test_every_gap_of_every_client_is_counted() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    tally, stream, gaps = Tally(), StreamSeen(), 0
    history = [update(10 * number + 1, 10 * number + 10) for number in range(200)]
    clients = [(0, -1)] * 20
    for number, payload in enumerate(history):
        for client, (last, seen) in enumerate(clients):
            if chance.random() < 0.1:
                continue
            gaps += seen >= 0 and seen != number - 1
            clients[client] = tally.take(stream, last, payload, 1_764_000_000_001), number
    figures = tally.figures()
    assert gaps > 100
    assert figures["gaps"] == gaps
    assert figures["updates"] == len(set(history)), "each update once, however many got it"


def test_a_delay_counts_from_the_event_and_from_the_tick_that_was_due() -> None:
    tally, stream = Tally(), StreamSeen()
    last = tally.take(stream, 0, update(1, 1, 1_764_000_000_030), 1_764_000_000_042)
    last = tally.take(stream, last, update(2, 2, 1_764_000_000_400), 1_764_000_000_401)
    tally.take(stream, last, b'{"result":null,"id":1}', 1_764_000_009_999)
    figures = tally.figures()
    assert (figures["p50_ms"], figures["max_ms"]) == (2, 13)
    assert figures["since_due"]["max_ms"] == 43
    assert figures["late_ticks"]["max_ms"] == 31
    assert figures["pause_ms_max"] == 370
    assert (figures["messages"], figures["others"], figures["gaps"]) == (3, 1, 0)
    tally.reset()
    assert tally.figures()["max_ms"] == tally.figures()["messages"] == 0


def test_percentiles_are_those_of_the_sorted_values() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    for size in (1, 2, 99, 100, 101, 1_000):
        values, delays = sorted(chance.randrange(90_000) for _ in range(size)), Delays()
        for value in values:
            delays.add(value)
        told = [min(60_000, values[-(-size * share // 100) - 1]) + 1 for share in (50, 95, 99, 100)]
        assert list(delays.figures().values()) == told


def test_no_address_opens_more_sockets_than_it_may() -> None:
    asked = list(islice(source_addresses("127.0.0.1"), 100_000))
    counted = Counter(asked)
    assert max(counted.values()) <= SOCKETS_PER_ADDRESS_MAX
    assert asked[0] == "127.0.0.1"
    assert all(address is not None and address.startswith("127.0.") for address in counted)
    assert set(islice(source_addresses("exchange.example"), 10)) == {None}


def test_who_may_not_open_so_many_files_is_told_so() -> None:
    assert descriptors_missing(5_000, 20_000) == ""
    assert descriptors_missing(5_000, resource.RLIM_INFINITY) == ""
    assert "5064" in descriptors_missing(5_000, 4_096)


def test_what_a_load_test_brings_is_no_part_of_what_the_exchange_costs() -> None:
    cpu_s = {"order": 1.0, "market-data": 0.5, GENERATOR: 7.0, WATCHERS: 9.0}
    assert cpu_us(Step(1, {"cpu_s": cpu_s, "total": {"requests": 1_000}}, Verdict(True, ()))) == 1_500


class _Places:
    """As many places as there are. `SocketLimits` refuses with an ApiError as this does."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.addresses: Counter[str] = Counter()

    @contextmanager
    def place(self, address: str) -> Any:
        self.addresses[address] += 1
        if self.addresses.total() > self.most:
            raise ApiError(-1003, "too many", status=429)
        yield


@asynccontextmanager
async def streams_server(places: _Places) -> AsyncIterator[tuple[str, Hub]]:
    """The service's sockets behind its own server."""
    hub, listener = Hub(), bind("127.0.0.1", 0)
    sockets = StreamSockets(hub, cast(Any, None), cast(Any, places), rate_limits=True)
    server = asyncio.create_task(HttpServer(sockets, listener).run())
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", hub
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        listener.close()


async def until(true: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await asyncio.sleep(0.01)


async def figures_with(watchers: Watchers, messages: int) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE_S):
        while (figures := await asyncio.to_thread(watchers.figures))["messages"] < messages:
            await asyncio.sleep(0.01)
    return figures


def publish(hub: Hub, first: int, last: int) -> None:
    for name in STREAMS:
        hub.publish(name, lambda scale: update(first, last))


def test_a_crowd_counts_what_comes_and_who_is_refused_or_cut() -> None:
    uvloop.run(watched_crowd())  # as the process runs it


async def watched_crowd() -> None:
    places = _Places(most=30)
    async with streams_server(places) as (url, hub):
        crowd = Crowd(url, 36)
        await crowd.connect()
        assert crowd.figures()["refused"] == {"handshake: 429": 6}
        await until(lambda: sum(len(topic.clients) for topic in hub.topics.values()) == 30)
        publish(hub, 1, 4)
        publish(hub, 5, 5)
        publish(hub, 7, 8)
        await until(lambda: crowd.figures()["messages"] == 90)
        assert crowd.figures()["gaps"] == 30
        for client in list(hub.clients)[:3]:
            client.cut("too slow")
        list(hub.clients)[-1].end()
        await until(lambda: crowd.figures()["ended"] == 4)
        assert crowd.figures()["open"] == 26
        assert crowd.figures()["ends"]["cut"] == 3
        crowd.close()
        await until(lambda: not hub.clients)
        assert crowd.figures()["ended"] == 4, "who leaves by himself is not counted"


@pytest.mark.slow
async def test_the_process_counts_from_when_it_is_told_and_ends_with_who_began_it() -> None:
    places = _Places(most=1_000)
    async with streams_server(places) as (url, hub):
        watchers = Watchers(url, 60)
        await asyncio.to_thread(watchers.open)
        await until(lambda: sum(len(topic.clients) for topic in hub.topics.values()) == 60)
        publish(hub, 1, 1)
        await figures_with(watchers, 60)
        watchers.reset()
        # Its words are obeyed in turn: now it counts anew.
        assert (await asyncio.to_thread(watchers.figures))["messages"] == 0
        publish(hub, 2, 2)
        second = await figures_with(watchers, 60)
        assert (second["messages"], second["gaps"], second["open"], second["ended"]) == (60, 0, 60, 0)
        assert "60 of 60 watchers" in watched_line(second)
        await asyncio.to_thread(watchers.close)
        await until(lambda: not hub.clients)


@pytest.mark.slow
def test_the_watchers_count_from_where_the_generator_does() -> None:
    """`make loadtest` resets them as the phase begins, once."""
    lines = [
        PROGRESS_MARK + json.dumps({"phase": phase, "done": done, "total": 2})
        for phase in ("warm-up", "measuring")
        for done in range(3)
    ]
    told: list[str] = []
    said = follow(
        [sys.executable, "-c", f"print('hello', *{lines!r}, sep=chr(10))"],
        DEADLINE_S,
        {"measuring": lambda: told.append("reset"), "another": lambda: told.append("never")},
    )
    assert told == ["reset"]
    assert said == ["hello"]


@pytest.mark.slow
def test_a_process_that_cannot_begin_is_an_error_and_none_is_none() -> None:
    nobody = Watchers("http://127.0.0.1:1", 0)
    with nobody:
        nobody.reset()
        assert nobody.figures() == {"sockets": 0}
    with pytest.raises(WatchersError):
        Watchers("http://127.0.0.1:1", 10_000_000).open()


def watched(size: int, **change: Any) -> Watched:
    seen = {
        "open": size, "sockets": size, "ended": 0, "gaps": 0, "messages": 10 * size, "seconds": 1.0,
        "refused": {}, "ends": {}, "p50_ms": 20, "p95_ms": 30, "p99_ms": 40, "max_ms": 50,
        "since_due": {"p99_ms": 41}, "connect_s": 1.0, "cpu_s": 0.1,
    }  # fmt: skip
    cpu = {"market_data": 0.1 + size * 1e-4, "nginx": 0.2, "order": 0.3, GENERATOR: 0.1, WATCHERS: 0.1}
    total = {"p50_ms": 5.0, "p99_ms": 20.0}
    measured = {"watchers": seen | change, "cpu_s": cpu, "seconds": 1.0, "total": total}
    return Watched("stack", size, measured, Verdict(True, ()), 100_000_000, 0.5)


@pytest.mark.parametrize("change", [{"open": 999}, {"gaps": 1}, {"p99_ms": P99_MS_MAX + 1}, {"messages": 0}])
def test_a_row_that_missed_a_promise_says_so(change: dict[str, int]) -> None:
    assert not watched(1_000).problems()
    assert watched(1_000, **change).problems()
    assert watched(0)._replace(orders=Verdict(False, ("slow",))).problems() == ["orders: slow"]


def test_the_report_tells_what_a_message_costs_the_publisher(tmp_path: Path) -> None:
    rows = [watched(0), watched(1_000), watched(5_000, gaps=3)]
    told = write_report(tmp_path, "watchers-2026-01-01", {"machine": "this"}, rows).read_text()
    assert told.count("| stack | 5,000 |") == 2
    assert "3 gaps" in told
    # A tenth of a core for ten thousand messages a second, and what it does without clients left out.
    assert "| stack | 1,000 | 20% | 10.0 | 20% | 10% | 10% | 30% | 100 | 1.0 | 0.5 |" in told
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md", ".svg"}
    assert len(json.loads((tmp_path / "watchers-2026-01-01.json").read_text())["rows"]) == 3
