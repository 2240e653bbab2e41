"""Both logs from the archive alone: same offsets, same time stamps, same bytes (ADR 0010)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from exchange.contracts.codec import decode_events
from exchange.ports import LogRecord, LogRestorer, ObjectStore
from services.archive.segments import ArchiveError
from services.archive.shelf import Shelf

__all__ = ["Restored", "restore"]

# Called with the log's name and how many of its records stand.
Progress = Callable[[str, int], None]


class Restored(NamedTuple):
    """Where the restored logs end, and how many archived event records were left out."""

    commands_end: int
    events_end: int
    events_left_out: int


async def restore(
    store: ObjectStore, shard: int, commands: LogRestorer, events: LogRestorer, on_progress: Progress
) -> Restored:
    """Fill both logs and make them usable.

    The two are archived apart, so one may reach further. Events of commands that are not there are left
    out: the commands are what has happened, and the engine publishes again what the event log lacks.
    Raises ArchiveError (damage, a gap, no commands), ObjectStoreError, LogError; then neither log is usable.
    """
    commands_end = 0
    async for segment in Shelf(store, shard, "commands").segments():
        await commands.append(segment.records)
        commands_end = segment.next_offset
        on_progress("commands", commands_end)
    if not commands_end:
        raise ArchiveError(f"the archive holds no commands of shard {shard}")
    events_end, left_out = 0, 0
    async for segment in Shelf(store, shard, "events").segments():
        kept = [] if left_out else _before(segment.records, commands_end)
        left_out += len(segment.records) - len(kept)
        if kept:
            await events.append(kept)
            events_end = kept[-1].offset + 1
            on_progress("events", events_end)
    # Commands first: the engine can make events, but nobody can make commands.
    await commands.finish()
    await events.finish()
    return Restored(commands_end, events_end, left_out)


def _before(records: Sequence[LogRecord], commands_end: int) -> Sequence[LogRecord]:
    """The records up to the first one that speaks of a command at `commands_end` or later."""
    for place, record in enumerate(records):
        if any(outcome.command_offset >= commands_end for outcome in decode_events(record.value).outcomes):
            return records[:place]
    return records
