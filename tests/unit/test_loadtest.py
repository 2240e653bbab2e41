"""A load test passes only when rate, latency and answers are as promised; its orders keep their promises."""

import asyncio
import contextlib
import random
from pathlib import Path

import pytest
import uvloop
from prometheus_client import generate_latest

from exchange.process.loop.pulse import beating
from loadtest.flame import LOOP, Stack, drawn, modules, parsed
from loadtest.lean.connections import Connections
from loadtest.lean.figures import Counts
from loadtest.mix import Mix
from loadtest.orders import MARKETS, deep_order, near_order, shifted
from loadtest.pauses import pauses_in, process_urls
from loadtest.processes import name_of, spent
from loadtest.report import Verdict, judge
from loadtest.search import STEPS_MAX, Step, next_rate
from local.operating import write_settings

GOOD = {"requests": 1000, "failures": 0, "rps": 99.0, "p99_ms": 99}


def test_verdict_passes_within_every_limit() -> None:
    assert judge({"total": GOOD}, 100).passed


@pytest.mark.parametrize(
    "change", [{"failures": 1}, {"rps": 97.9}, {"p99_ms": 100}, {"requests": 0, "rps": 0.0}]
)
def test_verdict_fails_on(change: dict[str, float]) -> None:
    verdict = judge({"total": GOOD | change}, 100)
    assert not verdict.passed
    assert verdict.problems


def test_deep_orders_are_out_of_reach_of_near_ones() -> None:
    chance = random.Random(1)
    reached: dict[str, list[float]] = {market.symbol: [] for market in MARKETS}
    for _ in range(5_000):
        symbol, text = near_order(chance)
        reached[symbol].append(price_of(text))
    for _ in range(5_000):
        symbol, text = deep_order(chance)
        if "side=BUY" in text:
            assert price_of(text) < min(reached[symbol])
        else:
            assert price_of(text) > max(reached[symbol])


def test_near_orders_of_both_sides_always_meet_so_none_is_left_for_long() -> None:
    chance = random.Random(2)
    prices: dict[tuple[str, str], list[float]] = {}
    for _ in range(5_000):
        symbol, text = near_order(chance)
        side = "BUY" if "side=BUY" in text else "SELL"
        prices.setdefault((symbol, side), []).append(price_of(text))
    for market in MARKETS:
        assert min(prices[market.symbol, "BUY"]) >= max(prices[market.symbol, "SELL"])


def price_of(text: str) -> float:
    return float(dict(pair.split("=") for pair in text.split("&"))["price"])


def test_decimal_point_is_shifted() -> None:
    assert [shifted(v, 5) for v in (0, 7, 123_456)] == ["0.00000", "0.00007", "1.23456"]


async def test_what_a_process_tells_of_its_pauses_is_read() -> None:
    with beating():
        await asyncio.sleep(0.05)
    told = pauses_in("order", generate_latest().decode())
    assert told.process == "order"
    assert told.longest_callback_ms > 0
    assert "longest callback" in str(told)
    with pytest.raises(KeyError):
        pauses_in("another", "# TYPE up gauge\nup 1\n")


def test_every_process_of_a_stack_is_asked(tmp_path: Path) -> None:
    for folder in ("embedded", "stack"):
        (tmp_path / folder).mkdir()
    write_settings(tmp_path / "stack", {"EXCHANGE_PEER_URLS": "order=http://a:1,user=http://b:2"})
    assert process_urls("http://x", tmp_path) == {"order": "http://a:1", "user": "http://b:2"}
    assert process_urls("http://x") == {"exchange": "http://x"}


def searched(limit: int, first: int = 500) -> list[int]:
    """The rates that a search asks an exchange that holds up to a limit."""
    steps: list[Step] = []
    while (rate := next_rate(steps, first)) is not None:
        steps.append(Step(rate, {}, Verdict(rate <= limit, ())))
    return [step.rate for step in steps]


@pytest.mark.parametrize("limit", [90, 300, 499, 500, 777, 1_200, 3_000])
def test_search_ends_near_the_limit(limit: int) -> None:
    rates = searched(limit)
    assert len(rates) <= STEPS_MAX
    held = max(rate for rate in rates if rate <= limit)
    assert min(rate for rate in rates if rate > limit) <= held * 1.1 + 1


def test_search_ends_where_nothing_holds_or_everything_does() -> None:
    assert searched(0) == [500, 250, 125, 62]
    assert len(searched(10**9)) == STEPS_MAX


def test_mix_cancels_and_looks_up_only_what_was_acknowledged() -> None:
    mix, deep = Mix(1, "x-"), set[str]()
    methods = {"POST": 0, "DELETE": 0, "GET": 0}
    for number in range(3_000):
        asked = mix.next()
        methods[asked.method] += 1
        if "origClientOrderId" in asked.parameters:
            assert asked.parameters.partition("origClientOrderId=")[2] in deep
        if asked.deep is not None and number % 2:
            mix.taken(asked)
            deep.add(asked.deep[1])
    assert methods["POST"] > 2 * (methods["DELETE"] + methods["GET"]) > 0
    assert methods["DELETE"] > methods["GET"] > 100


def test_lean_counts_say_what_failed_and_why() -> None:
    counts = Counts()
    for took_ms in range(100):
        counts.add("POST /a", float(took_ms), 200, b"")
    counts.add("GET /b", 1_000.0, 503, b'{"code":-1001}')
    figures = counts.figures(10.0)
    assert figures["total"]["requests"] == 101
    assert figures["total"]["failures"] == 1
    assert figures["total"]["rps"] == 10.1
    assert figures["requests"]["POST /a"]["p99_ms"] == 99.0
    assert figures["errors"] == [{"request": "GET /b", "error": '503 {"code":-1001}', "count": 1}]
    assert not judge(figures, 10).passed


def test_lean_connections_tell_each_who_asked_what_was_answered() -> None:
    uvloop.run(lean_connections())  # as the generator runs them


async def lean_connections() -> None:
    answers = {
        b"/two": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"/bad": b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nbad",
        b"/cut": b"",
        b"/odd": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while answer := answers[(await reader.readuntil(b"\r\n\r\n")).split()[1]]:
                for at in range(0, len(answer), 7):  # in pieces
                    writer.write(answer[at : at + 7])
                    await writer.drain()
                    await asyncio.sleep(0)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.append(1)

    ended: list[int] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connections = Connections("127.0.0.1", server.sockets[0].getsockname()[1])
    asked = [b"/two", b"/bad", b"/cut", b"/odd"] * 5
    told: list[tuple[bytes, int, bytes]] = []
    done = asyncio.Event()
    for path in asked:

        def answered(status: int, body: bytes, path: bytes = path) -> None:
            told.append((path, status, body))
            if len(told) == len(asked):
                done.set()

        connections.ask(b"GET " + path + b" HTTP/1.1\r\n\r\n", answered)
    await asyncio.wait_for(done.wait(), 20)
    connections.close()
    async with asyncio.timeout(20):
        while len(ended) < len(asked):
            await asyncio.sleep(0.01)
    server.close()
    assert sorted(path for path, _, _ in told) == sorted(asked)
    assert {(path, status) for path, status, _ in told} == {
        (b"/two", 200), (b"/bad", 400), (b"/cut", 0), (b"/odd", 0),
    }  # fmt: skip
    assert {body for path, _, body in told if path in (b"/two", b"/bad")} == {b"ok", b"bad"}


def test_processes_have_the_names_that_people_know() -> None:
    python = "/x/.venv/bin/python"
    assert name_of([python, "-X", "folder=/x", "-m", "services.order.main"]) == "order"
    assert name_of([python, "-m", "services.projections.main", "ledger"]) == "projections ledger"
    assert name_of([python, "-m", "local", "run"]) == "local run"
    assert name_of(["/x/bin/java", "-Xmx1g"]) == "kafka"
    assert name_of(["postgres: exchange postgres 127.0.0.1(3) idle"]) == "postgres"
    assert spent({"a": 1.0, "b": 1.0}, {"a": 1.5, "b": 1.0, "c": 2.0}) == {"c": 2.0, "a": 0.5}


LOOP_FRAME, REST = "run (exchange/process/frame.py:80)", "services/order/doors/rest.py"
PLACING = "place <x> (services/order/decisions/placing.py:4)"
RAW = [
    f"{LOOP_FRAME};answer ({REST}:12);hmac (hmac.py:3) 30",
    f"{LOOP_FRAME};answer ({REST}:19);{PLACING} 60",
    "select (selectors.py:1) 10",
    f"{LOOP_FRAME};narrow ({REST}:12) 0",
]


def test_a_librarys_time_is_that_of_the_module_that_called_it() -> None:
    stacks = parsed(RAW)
    assert stacks[2] == Stack(("select (selectors.py:1)",), 10)
    assert modules(stacks)[:3] == [
        ("services/order/decisions/placing.py", 0.6),
        (REST, 0.3),
        (LOOP, 0.1),
    ]


def test_a_flame_graph_joins_the_lines_of_a_function_and_leaves_out_what_is_narrow() -> None:
    picture = drawn(parsed(RAW), "all & sundry")
    assert picture.count("<rect") == 1 + 5, "the ground and five functions"
    assert f"answer ({REST}): 90.0%" in picture
    assert "narrow" not in picture
    assert "all &amp; sundry" in picture
    assert "place &lt;x&gt;" in picture
    assert "<script" not in picture
