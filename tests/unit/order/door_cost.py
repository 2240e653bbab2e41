"""What a request costs the door, in processor time: `python -m tests.unit.order.door_cost`.

One process serves, with engine and logs in memory, on uvloop as everywhere; another one asks over sockets and
is not counted. The long way through the application and the short one take turns, so that the ratio holds
on a busy machine too. `--profile out.txt`: a profile of the short way (cProfile, which adds to each call).
"""

import argparse
import asyncio
import cProfile
import io
import pstats
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import orjson
import uvloop

from exchange.http import fair_turns
from exchange.http.server import HttpServer, bind
from tests.unit.order.order_exchange import (
    ALICE,
    BOB,
    KEYS,
    OrderExchange,
    limit_order,
    running_exchange,
    signed,
)

KINDS: Final = ("order", "refused order", "cancel of nothing", "query", "open orders", "no signature")
PROXY: Final = "127.0.0.1"
BURST: Final = 400


def request(kind: str, number: int) -> bytes:
    """One of a kind, as nginx passes it on."""
    user_id = BOB if kind == "refused order" else ALICE
    order = limit_order("BUY", "50000", "0.001", timeInForce="IOC", newOrderRespType="RESULT")
    named: dict[str, object] = {"symbol": "BTCUSDT", "origClientOrderId": "resting"}
    kinds: dict[str, tuple[str, str, dict[str, object]]] = {
        "order": ("POST", "order", {**order, "newClientOrderId": f"c{number}"}),
        "refused order": ("POST", "order", order),
        "cancel of nothing": ("DELETE", "order", {"symbol": "BTCUSDT", "orderId": 999_999_999}),
        "query": ("GET", "order", named),
        "open orders": ("GET", "openOrders", {"symbol": "BTCUSDT"}),
        "no signature": ("GET", "account", {}),
    }
    method, path, query = kinds[kind]
    text = signed(user_id, recvWindow=60_000, **query) if kind != "no signature" else ""
    return (
        f"{method} /api/v3/{path}?{text} HTTP/1.1\r\nX-Forwarded-For: 203.0.113.{number % 200}\r\n"
        f"Host: 127.0.0.1:8080\r\nX-MBX-APIKEY: {KEYS[user_id]}\r\nAccept: */*\r\n"
        "Accept-Encoding: identity\r\nUser-Agent: door\r\n\r\n"
    ).encode()


async def batch(port: int, kind: str, count: int) -> float:
    """Ask so many times from another process; microseconds of this process's processor time for each."""
    asked = orjson.dumps([request(kind, number).decode() for number in range(count)])
    asker = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("door_asker.py")), str(port),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert asker.stdin is not None
    assert asker.stdout is not None
    asker.stdin.write(asked)
    asker.stdin.write_eof()
    await asker.stdout.readline()
    began_s = time.process_time()
    asker.stdin.close()
    await asker.stdout.readline()
    took_s = time.process_time() - began_s
    await asker.wait()
    return took_s / count * 1_000_000


async def measure(rounds: int, count: int, profile: str) -> None:
    """Print a table: kinds of requests, the two ways."""
    async with running_exchange(request_limits=True, request_limits_exempt="10.0.0.0/8") as exchange:
        used = exchange.service.rest._limits
        used.reserve_orders(BOB, 100)
        await exchange.request(
            "POST", "/order", ALICE, **limit_order("BUY", "50000", "0.001", newClientOrderId="resting")
        )
        ways = {"long": None, "short": exchange.service.rest.direct()}
        servers, ports = [], {}
        for way, direct in ways.items():
            listener = bind("127.0.0.1", 0)
            ports[way] = listener.getsockname()[1]
            servers.append(HttpServer(exchange.app, listener, PROXY, direct=direct))
        running = [asyncio.create_task(server.run()) for server in servers]
        costs: dict[tuple[str, str], list[float]] = {(kind, way): [] for kind in KINDS for way in ways}
        for kind in KINDS if count else ():
            for each in range(rounds + 1):
                for way in ways:
                    _make_room(exchange, kind)
                    cost_us = await batch(ports[way], kind, count)
                    if each:  # the first one warms up
                        costs[kind, way].append(cost_us)
            long_us, short_us = (statistics.median(costs[kind, way]) for way in ways)
            print(f"{kind:<18} long {long_us:6.1f} us  short {short_us:6.1f} us  {short_us / long_us:.2f}")
        await _bursts(exchange, ports, rounds)
        if profile:
            await _profiled(exchange, ports["short"], count, profile)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def burst(exchange: OrderExchange, port: int) -> float:
    """Processor time in ms from a burst of refused orders, one honest question behind them, to its answer.

    All stand in the sockets' buffers before the server looks once; the honest one has an address of its own.
    """
    loop = asyncio.get_running_loop()
    sockets = []
    for _ in range(BURST + 1):
        each = socket.create_connection(("127.0.0.1", port))
        each.setblocking(False)
        sockets.append(each)
        await asyncio.sleep(0)
    await asyncio.sleep(0.5)
    _make_room(exchange, "refused order")
    for number, each in enumerate(sockets[:-1]):
        each.send(request("refused order", number % 10))
    sockets[-1].send(request("open orders", 150))
    began_s = time.process_time()
    told = await loop.sock_recv(sockets[-1], 4_096)
    took_s = time.process_time() - began_s
    assert told.startswith(b"HTTP/1.1 200 "), told
    refused = 0
    for each in sockets[:-1]:
        refused += (await loop.sock_recv(each, 4_096)).startswith(b"HTTP/1.1 429 ")
    for each in sockets:
        each.close()
    # In between, a new window of the order count may have begun.
    return took_s * 1_000 if refused == BURST else await burst(exchange, port)


async def _bursts(exchange: OrderExchange, ports: dict[str, int], rounds: int) -> None:
    """As it was, each cure alone, and both."""
    turns = fair_turns.BEGUN_PER_ROUND
    for way in ports:
        for begun, name in ((10**9, "by arrival"), (turns, "in turns")):
            fair_turns.BEGUN_PER_ROUND = begun  # type: ignore[misc]
            costs_ms = [await burst(exchange, ports[way]) for _ in range(rounds)]
            print(f"behind {BURST} refused orders, {way} way, {name}: {statistics.median(costs_ms):.1f} ms")
    fair_turns.BEGUN_PER_ROUND = turns  # type: ignore[misc]


def _make_room(exchange: OrderExchange, kind: str) -> None:
    """No order is refused but those that shall be, and no address."""
    windows = exchange.service.rest._limits.windows
    for window in windows:
        window._used.clear()
        window._unshared.clear()
    limit = exchange.service.rest._limits
    limit.is_enforced = kind == "refused order"
    if kind == "refused order":
        for window in windows[2:]:
            window._ends_ms = 0
        limit.reserve_orders(BOB, 100)


async def _profiled(exchange: OrderExchange, port: int, count: int, path: str) -> None:
    profiler, text = cProfile.Profile(), io.StringIO()
    for kind in ("order", "refused order"):
        _make_room(exchange, kind)
        profiler.enable()
        await batch(port, kind, count)
        profiler.disable()
        text.write(f"== {kind}, {count} times\n")
        pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(45)
        profiler.clear()
    Path(path).write_text(text.getvalue())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2_000, help="0: the bursts alone")
    parser.add_argument("--profile", default="")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(given.rounds, given.count, given.profile))
