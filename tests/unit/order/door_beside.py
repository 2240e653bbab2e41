"""This checkout's door beside an older one's, in turns: `python -m tests.unit.order.door_beside CHECKOUT`.

A process of each serves the short way (`door_cost`), with engine and logs in memory; a third one asks. Each
round asks first the one, then the other, so a machine that is busy with other things is as busy for both. The
smallest figure of each is what its neighbours spoiled least, as in `loadtest.bench.beside`; the median of the
ratios stands beside it.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]


class Served:
    """The door of a checkout, in a process of its own."""

    def __init__(self, checkout: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, "--serve"],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def cost_us(self, kind: str, count: int) -> float:
        """Processor time of its process for a request of that kind."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{kind},{count}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def compare(checkout: Path, rounds: int, count: int) -> None:
    """Print a row for each kind of request."""
    from tests.unit.order.door_cost import KINDS

    doors = [Served(checkout), Served(ROOT)]
    try:
        for kind in KINDS:
            for door in doors:
                door.cost_us(kind, count)  # warms up
            pairs = [tuple(door.cost_us(kind, count) for door in doors) for _ in range(rounds)]
            before_us, now_us = (min(pair[place] for pair in pairs) for place in (0, 1))
            median = statistics.median(now / before for before, now in pairs)
            print(
                f"| {kind} | {before_us:.0f} | {now_us:.0f} | {now_us / before_us:.2f} | {median:.2f} |",
                flush=True,
            )
    finally:
        for door in doors:
            door.close()


async def serve() -> None:
    """Ask of ourselves what standard input says, and print what it cost, until it ends."""
    from exchange.http.server import HttpServer, bind
    from tests.unit.order.door_cost import PROXY, _make_room, batch
    from tests.unit.order.order_exchange import ALICE, BOB, limit_order, running_exchange

    async with running_exchange(request_limits=True, request_limits_exempt="10.0.0.0/8") as exchange:
        exchange.service.rest._limits.reserve_orders(BOB, 100)
        resting = limit_order("BUY", "50000", "0.001", newClientOrderId="resting")
        await exchange.request("POST", "/order", ALICE, **resting)
        listener = bind("127.0.0.1", 0)
        port = listener.getsockname()[1]
        running = asyncio.create_task(
            HttpServer(exchange.app, listener, PROXY, direct=exchange.service.rest.direct()).run()
        )
        while line := await asyncio.to_thread(sys.stdin.readline):
            kind, _, count = line.strip().partition(",")
            _make_room(exchange, kind)
            print(await batch(port, kind, int(count)), flush=True)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", nargs="?", type=Path, help="of the commit before")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--serve", action="store_true", help="by itself, for each checkout")
    given = parser.parse_args()
    if not given.serve:
        compare(given.checkout.resolve(), given.rounds, given.count)
        sys.exit()
    from matching_engine.build import activate

    activate()  # before anything imports the contracts
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
