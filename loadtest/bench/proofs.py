"""How fast a history is proven: `python -m loadtest.bench.proofs`, over files, in processor time.

A busy market's history is archived, both logs are restored from that archive, its commands are replayed as
`make rebuild FROM=archive` replays them, and the auditor looks at its events from the first one on. What
tables and hot books take is not in it. Run in another checkout's folder, this file measures that one.
"""

import argparse
import asyncio
import gc
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

COMMANDS_PER_RECORD: Final = 100
# A leader says that often that it is at work: its clock decides what comes next.
WORD_EVERY_RECORDS: Final = 50
SEGMENT_RECORDS: Final = 500
DEADLINE_MS: Final = 60_000
READ_TIMEOUT_MS: Final = 100
SHARD: Final = 0
YARDSTICK_STEPS: Final = 100_000


def main() -> None:
    """Measure in turns, and print a line of each."""
    parser = argparse.ArgumentParser(prog="loadtest.bench.proofs", description=__doc__)
    parser.add_argument("--commands", type=int, default=300_000)
    parser.add_argument("--per-record", type=int, default=COMMANDS_PER_RECORD)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--build", default="compiled", choices=("compiled", "interpreted"))
    options = parser.parse_args()
    from matching_engine import build

    build.activate(options.build)
    with tempfile.TemporaryDirectory(prefix="proofs-") as name:
        asyncio.run(_archived(Path(name, "archive"), options.commands, options.per_record))
        for turn in range(options.turns):
            print(json.dumps(asyncio.run(_proven(Path(name), turn, options.commands))), flush=True)


def _yardstick_us() -> float:
    """A fixed step of plain Python, as in `loadtest.bench.record_path`, once."""
    started, kept = time.process_time(), 0
    for number in range(YARDSTICK_STEPS):
        kept += hash((number, number + 1)) & 1
        _ = {number: kept}
    return (time.process_time() - started) / YARDSTICK_STEPS * 1e6


async def _archived(folder: Path, count: int, per_record: int) -> None:
    """The history: money for a thousand traders, then so many commands of theirs."""
    from exchange.adapters.files.objects import FolderStore
    from exchange.contracts.codec import encode_commands
    from exchange.contracts.commands import Command, KeepTime
    from exchange.log.segments import Segment
    from exchange.log.shelf import Shelf
    from exchange.ports.world import LogRecord
    from loadtest.bench.workload import Traffic, time_ms_of
    from matching_engine.core.engine import Engine
    from matching_engine.core.shard import Shard
    from matching_engine.outbox import records_of

    traffic, shard = Traffic(7), Shard(Engine())
    sent = [*traffic.setup(), *traffic.take(count)]
    commands: list[LogRecord] = []
    events: list[LogRecord] = []
    for first in range(0, len(sent), per_record):
        offset, now_ms = len(commands), time_ms_of(first)
        says = offset % WORD_EVERY_RECORDS == 0
        word: list[Command] = [KeepTime(0, 0, now_ms)] if says else []
        value = encode_commands([*word, *sent[first : first + per_record]])
        commands.append(LogRecord(offset, now_ms, value))
        for packed in records_of(SHARD, 1, shard.apply_record(offset, now_ms, value)):
            events.append(LogRecord(len(events), now_ms, packed))
    store = FolderStore(folder)
    for name, records in (("commands", commands), ("events", events)):
        for first in range(0, len(records), SEGMENT_RECORDS):
            await Shelf(store, SHARD, name).add(Segment(name, records[first : first + SEGMENT_RECORDS]))


async def _proven(folder: Path, turn: int, count: int) -> dict[str, Any]:
    """Each step's commands a second of processor; the yardstick before and behind them."""
    from exchange.adapters.files.log_restore import FileRestorer
    from exchange.adapters.files.objects import FolderStore
    from exchange.log.event_tail import newest_event
    from matching_engine.replay import replay, skipped_commands
    from services.archive.restore import restore

    found: dict[str, Any] = {"commands": count, "turn": turn, "yardstick_us": [_yardstick_us()]}
    paths = [folder / f"{name}-{turn}" for name in ("commands", "events")]
    gc.collect()
    gc.freeze()
    steps = _Steps(found, count)
    with steps.step("restored"):
        commands, events = (FileRestorer(path) for path in paths)
        await restore(FolderStore(folder / "archive"), SHARD, commands, events, lambda *_: None)
    async with _opened(paths[0]) as command_log, _opened(paths[1]) as event_log:
        with steps.step("looked for orders to skip"):
            published, skipped = await newest_event(event_log), await skipped_commands(event_log)
        with steps.step("replayed"):
            shard = await replay(command_log, published, skipped, None, lambda *_: None)
        found["state_seq"] = shard.engine.seq
        del shard
        found["yardstick_us"].append(_yardstick_us())
        with steps.step("audited"):
            found["audited_seq"] = await _audited(event_log, published.seq)
    assert found["audited_seq"] == found["state_seq"], "both have seen all of it"
    found["yardstick_us"].append(_yardstick_us())
    gc.unfreeze()
    return found


async def _audited(event_log: Any, end_seq: int) -> int:
    """The auditor's own way along the log; the seq it came to."""
    from services.auditor.audit.state import AuditState
    from services.auditor.follower import Follower

    follower = Follower(event_log, AuditState(), 0, DEADLINE_MS)
    await follower.open()
    while follower.state.seq < end_seq:
        breaches = await follower.advance(READ_TIMEOUT_MS)
        assert not breaches, breaches
        await asyncio.sleep(0)
    await follower.close()
    return follower.state.seq


class _Steps:
    """Notes what each step takes."""

    def __init__(self, found: dict[str, Any], count: int) -> None:
        self._found = found
        self._count = count

    def step(self, name: str) -> "_Step":
        """A step of that name, as a context."""
        return _Step(lambda cpu_s, wall_s: self._note(name, cpu_s, wall_s))

    def _note(self, name: str, cpu_s: float, wall_s: float) -> None:
        self._found[name] = {
            "cpu_s": round(cpu_s, 3),
            "wall_s": round(wall_s, 3),
            "us": round(cpu_s / self._count * 1e6, 3),
            "per_s": round(self._count / cpu_s),
        }


class _Step:
    def __init__(self, note: Callable[[float, float], None]) -> None:
        self._note = note

    def __enter__(self) -> None:
        self._began = time.process_time(), time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._note(time.process_time() - self._began[0], time.monotonic() - self._began[1])


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[Any]:
    from exchange.adapters.files.log import FileLog

    log = await FileLog.open(path, DEADLINE_MS)
    try:
        yield log
    finally:
        await log.close()


if __name__ == "__main__":
    main()
