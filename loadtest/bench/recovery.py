"""How long the engine recovers: `python -m loadtest.bench.recovery`, over files, in processor time.

Three starts of `EngineRunner` over the same tail of commands: the first publishes all that comes of it (a
crash in the middle of a flood), the second finds it published (a crash at rest), the third loads a snapshot
of so many live orders and has no tail. What a whole stack takes besides is `make cold-start`.
"""

import argparse
import asyncio
import gc
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from exchange.process.loop.heap import quiet_collector
from matching_engine import build

TAILS: Final = (10_000, 100_000, 1_000_000)
LIVE: Final = (1_000, 100_000, 1_000_000)
COMMANDS_PER_RECORD: Final = 100
DEADLINE_MS: Final = 60_000
ORDERS_PER_USER: Final = 100
FIRST_USER_ID: Final = 100_000
USDT: Final = 3
WORD_EVERY_COMMANDS: Final = 10_000


def main() -> None:
    """Measure all tails and all snapshots; one line each."""
    parser = argparse.ArgumentParser(prog="loadtest.bench.recovery", description=__doc__)
    parser.add_argument("--tails", type=_sizes, default=TAILS)
    parser.add_argument("--live", type=_sizes, default=LIVE)
    parser.add_argument("--build", default="compiled", choices=("compiled", "interpreted"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    build.activate(options.build)
    quiet_collector()
    found = []
    for tail in options.tails:
        found.append(asyncio.run(measured_tail(tail)))
        print(json.dumps(found[-1]), flush=True)
    for live in options.live:
        found.append(asyncio.run(measured_snapshot(live)))
        print(json.dumps(found[-1]), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


async def measured_tail(commands: int) -> dict[str, Any]:
    """Orders far from the market, each cancelled: decided and published, then only decided."""
    with tempfile.TemporaryDirectory(prefix="recovery-") as name:
        folder = Path(name)
        await _fill(folder, commands)
        flood_s, _ = await _started(folder)
        rest_s, seq = await _started(folder)
    return {
        "commands": commands,
        "seq": seq,
        "decided_and_published_s": flood_s,
        "decided_s": rest_s,
        "decided_per_s": commands / rest_s,
    }


async def measured_snapshot(live: int) -> dict[str, Any]:
    """So many live orders, a level for each up to a hundred thousand, and nothing behind the snapshot."""
    from exchange.adapters.files.objects import FolderStore
    from matching_engine.snapshots import Snapshots, capture

    with tempfile.TemporaryDirectory(prefix="recovery-") as name:
        folder = Path(name)
        await _fill(folder, live, rest=True)
        shard = await _decided(folder)
        assert len(shard.engine.orders) == live, "every order rests"
        snapshot = capture(shard)
        await Snapshots(FolderStore(folder / "snapshots")).store(snapshot)
        size = len(snapshot.body)
        del shard, snapshot
        took_s, _ = await _started(folder)
    return {"live": live, "snapshot_bytes": size, "loaded_s": took_s}


async def _fill(folder: Path, count: int, *, rest: bool = False) -> None:
    """Put commands on the log of a new exchange: an order and its cancel in turns, or orders that `rest`."""
    from exchange.adapters.files.log import FileLog
    from exchange.contracts import codes
    from exchange.contracts.codec import encode_commands
    from exchange.contracts.commands import CancelOrder, Command, CreditDeposit, KeepTime, PlaceOrder
    from matching_engine.genesis import genesis_commands

    def command(number: int) -> Command:
        user_id = FIRST_USER_ID + number // ORDERS_PER_USER
        name, kind = f"r{number - number % 2}", (codes.BUY, codes.LIMIT, codes.GTC)
        if number % 2 and not rest:
            return CancelOrder(number, user_id, 1, 0, name, "", codes.CANCEL_ANY, 0)
        price_ticks = 1_000_000 + number % 100_000
        name = f"r{number}"
        return PlaceOrder(number, user_id, 1, name, *kind, price_ticks, 1_000, 0, codes.STP_EXPIRE_MAKER, 0)

    log = await FileLog.open(folder / "commands", DEADLINE_MS)
    writer = await log.writer()
    await writer.append(encode_commands(genesis_commands()))
    users = range(FIRST_USER_ID, FIRST_USER_ID + -(-count // ORDERS_PER_USER))
    money = [CreditDeposit(user, user, USDT, 2**61 // len(users), user) for user in users]
    commands: list[Command] = [*money, *(command(number) for number in range(count))]
    for first in range(0, len(commands), COMMANDS_PER_RECORD):
        batch = commands[first : first + COMMANDS_PER_RECORD]
        # A leader is at work all the time.
        word = [KeepTime(0, 0, time.time_ns() // 1_000_000)] if first % WORD_EVERY_COMMANDS == 0 else []
        await writer.append(encode_commands([*word, *batch]))
    await log.close()


async def _decided(folder: Path) -> Any:
    """The state after the whole log, its events published."""
    runner, close = await _runner(folder)
    await runner.start()
    await close()
    return runner.shard


async def _started(folder: Path) -> tuple[float, int]:
    """Processor time of a start, and the seq that it came to."""
    gc.collect()
    began_s = time.process_time()
    runner, close = await _runner(folder)
    await runner.start()
    took_s = time.process_time() - began_s
    await close()
    return took_s, runner.shard.engine.seq


async def _runner(folder: Path) -> tuple[Any, Any]:
    from exchange.adapters.files.log import FileLog
    from exchange.adapters.files.objects import FolderStore
    from matching_engine.runner import EngineRunner
    from matching_engine.snapshots import Snapshots

    commands, events = [await FileLog.open(folder / name, DEADLINE_MS) for name in ("commands", "events")]
    snapshots = Snapshots(FolderStore(folder / "snapshots"))
    runner = EngineRunner(commands, events, snapshots, shard_number=0, snapshot_every_commands=10**9)

    async def close() -> None:
        await runner.stop()
        await commands.close()
        await events.close()

    return runner, close


if __name__ == "__main__":
    main()
