"""`python -m loadtest.lean URL --rps 2000 --measure-s 30`: the load of `loadtest.mix` from one lean process.

Requests are sent when they are due, whether those before were answered or not, and each time counts from when
the request was due: an exchange that stands still is not spared the requests of that time. Prints a line of
progress a second, and the figures as JSON to `--figures-file`.
"""

import asyncio
import contextlib
import json
import resource
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer
import uvloop

from loadtest.accounts import TradingKey, open_account
from loadtest.crowd.beside import Watchers, WatchersError
from loadtest.lean.connections import Connections
from loadtest.lean.figures import Counts
from loadtest.lean.sockets import METHODS, OrderSockets
from loadtest.mix import Asked, Mix, signed
from loadtest.processes import GENERATOR, WATCHERS, cpu_by_name, spent

PROGRESS_MARK: Final = "progress "
TURN_S: Final = 0.001
DEADLINE_S: Final = 10.0
# An answer may take so long after the measured time without counting as a lower rate.
DRAIN_S: Final = 0.2
SIGN_UPS_AT_ONCE: Final = 4
USERS_PER_ACCOUNT: Final = 2


class Generator:
    """Users in turn, each with its mix; every `ws_every`th request goes by the WebSocket API, 0: none."""

    def __init__(self, url: str, keys: list[TradingKey], ws_every: int) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._host = parts.netloc.encode()
        self._connections = Connections(parts.hostname, parts.port or 80)
        self._sockets = OrderSockets(url)
        self._ws_every = ws_every
        began = f"l{time.time_ns() // 1_000_000:x}"
        self._users = [
            (keys[number // USERS_PER_ACCOUNT], Mix(number, f"{began}-{number}-"))
            for number in range(len(keys) * USERS_PER_ACCOUNT)
        ]
        self._sent = 0
        self.counts = Counts()
        self._under_way: dict[int, tuple[str, float]] = {}

    async def run(self, rps: float, seconds: float, phase: str) -> None:
        """Send at a constant rate for so long, then wait until all is answered or has had its time."""
        began_s, due_number = time.perf_counter(), 0
        told_s = 0.0
        while (passed_s := time.perf_counter() - began_s) < seconds:
            while due_number < passed_s * rps:
                await self._send(began_s + due_number / rps)
                due_number += 1
            if passed_s - told_s >= 1.0:
                told_s = passed_s
                report(phase, passed_s, seconds)
            await asyncio.sleep(TURN_S)
        give_up_s = time.perf_counter() + DEADLINE_S
        # Thousands of answers, of which the last one is waited for.
        while self._under_way and time.perf_counter() < give_up_s:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for name, due_s in self._under_way.values():
            self.counts.add(name, (time.perf_counter() - due_s) * 1_000, 0, b"no answer in time")
        self._under_way.clear()
        report(phase, seconds, seconds)

    async def _send(self, due_s: float) -> None:
        key, mix = self._users[self._sent % len(self._users)]
        self._sent += 1
        number, asked = self._sent, mix.next()
        by_socket = self._ws_every and not number % self._ws_every and (asked.method, asked.path) in METHODS
        name = f"ws-api {METHODS[asked.method, asked.path]}" if by_socket else asked.name
        self._under_way[number] = name, due_s

        def answered(status: int, body: bytes) -> None:
            if self._under_way.pop(number, None) is None:
                return
            took_s = time.perf_counter() - due_s
            self.counts.add(name, took_s * 1_000, status, body)
            if status == 200:
                mix.taken(asked)

        if by_socket:
            await self._sockets.ask(key, asked, answered)
        else:
            self._connections.ask(self._request(key, asked), answered)

    def _request(self, key: TradingKey, asked: Asked) -> bytes:
        text = asked.parameters if asked.is_public else signed(key, asked.parameters)
        return (
            f"{asked.method} {asked.path}?{text} HTTP/1.1\r\nHost: ".encode()
            + self._host
            + b"\r\nX-MBX-APIKEY: "
            + key.api_key.encode()
            + b"\r\nAccept-Encoding: identity\r\n\r\n"
        )

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """With what the requests go over."""
        async with contextlib.AsyncExitStack() as stack:
            if self._ws_every:
                await stack.enter_async_context(self._sockets)
            try:
                yield
            finally:
                self._connections.close()


def main(
    url: str,
    rps: Annotated[float, typer.Option(min=1)],
    measure_s: Annotated[float, typer.Option(min=1)],
    warm_up_s: Annotated[float, typer.Option(min=0)] = 5.0,
    accounts: Annotated[int, typer.Option(min=1)] = 50,
    ws_share: Annotated[float, typer.Option(min=0, max=1, help="Part of the orders by the ws-api")] = 0.0,
    watchers: Annotated[int, typer.Option(min=0, help="Sockets of depth@100ms, in another process")] = 0,
    watch_url: Annotated[str, typer.Option(help="Where they connect; empty: as the requests")] = "",
    exchange_pid: Annotated[int, typer.Option(min=0, help="Whose processor time is looked at")] = 0,
    keys_file: Annotated[str, typer.Option(help="Keeps the accounts for the next run")] = "",
    figures_file: Annotated[str, typer.Option()] = "",
) -> None:
    """Load an exchange and write down what came of it."""
    try:
        keys = trading_keys(url, accounts, keys_file)
    except (RuntimeError, OSError) as error:
        sys.exit(f"cannot open accounts: {error}")
    ws_every = round(1 / ws_share) if ws_share else 0
    generator = Generator(url, keys, ws_every)
    try:
        with Watchers(watch_url or url, watchers) as crowd:
            measured = uvloop.run(measure(generator, crowd, rps, warm_up_s, measure_s, exchange_pid))
    except WatchersError as error:
        sys.exit(str(error))
    if figures_file:
        Path(figures_file).write_text(json.dumps(measured, indent=2))
    else:
        print(json.dumps(measured["total"]))


async def measure(
    generator: Generator,
    watchers: Watchers,
    rps: float,
    warm_up_s: float,
    measure_s: float,
    exchange_pid: int,
) -> dict[str, Any]:
    """Warm up, count from zero, and return the figures."""
    async with generator.connected():
        if warm_up_s:
            await generator.run(rps, warm_up_s, "warm-up")
        generator.counts.reset()
        watchers.reset()
        before, used_s, began_s = cpu_by_name(exchange_pid), cpu_s(), time.perf_counter()
        await generator.run(rps, measure_s, "measuring")
        # The last answers come a little after the last request was due.
        took_s = max(measure_s, time.perf_counter() - began_s - DRAIN_S)
        own_s = cpu_s() - used_s
        processes = spent(before, cpu_by_name(exchange_pid))
        watched = watchers.figures()
    figures = generator.counts.figures(took_s)
    cpu = {**processes, GENERATOR: own_s}
    if watched["sockets"]:
        cpu[WATCHERS] = watched["cpu_s"]
    return figures | {"cpu_s": cpu, "watchers": watched}


def trading_keys(url: str, count: int, keys_file: str) -> list[TradingKey]:
    """The accounts of the file, or new ones. Raises RuntimeError."""
    kept = Path(keys_file) if keys_file else None
    if kept is not None and kept.exists():
        return [TradingKey(name, secret.encode()) for name, secret in json.loads(kept.read_text())]
    keys: list[TradingKey] = []
    with ThreadPoolExecutor(SIGN_UPS_AT_ONCE) as pool:
        for key in pool.map(open_account, [url] * count):
            keys.append(key)
            report("accounts", len(keys), count)
    if kept is not None:
        kept.touch(mode=0o600)
        kept.write_text(json.dumps([(key.api_key, key.secret_key.decode()) for key in keys]))
    return keys


def cpu_s() -> float:
    """Processor time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(phase: str, done: float, total: float) -> None:
    """One line that the parent turns into a progress bar."""
    print(f"{PROGRESS_MARK}{json.dumps({'phase': phase, 'done': done, 'total': total})}", flush=True)


if __name__ == "__main__":
    typer.run(main)
