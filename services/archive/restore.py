"""Both logs from the archive alone: same offsets, same time stamps, same bytes (ADR 0010)."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from exchange.log.places import last_link
from exchange.log.segments import ArchiveError, Segment
from exchange.log.shelf import Shelf
from exchange.ports.world import LogRecord, LogRestorer, ObjectStore

__all__ = ["Restored", "restore"]

# Called with the log's name and how many of its records stand.
Progress = Callable[[str, int], None]


class Restored(NamedTuple):
    """Where the restored logs end, how many archived event records were left out, and which gaps accepted."""

    commands_end: int
    events_end: int
    events_left_out: int
    # The newest command's time stamp.
    commands_last_ms: int
    gaps: Sequence[str]


async def restore(
    store: ObjectStore,
    shard: int,
    commands: LogRestorer,
    events: LogRestorer,
    on_progress: Progress,
    *,
    accept_loss: bool = False,
) -> Restored:
    """Fill both logs and make them usable.

    The two are archived apart, so one may reach further. Events of commands that are not there are left
    out: the commands are what has happened, and the engine publishes again what the event log lacks.
    `accept_loss`: a missing or damaged segment is where a log ends. Copies arrive in any order, so one that
    was cut off may have such gaps.
    Raises ArchiveError (damage, a gap, no commands), ObjectStoreError, LogError; then neither log is usable.
    """
    commands_end, commands_last_ms = 0, 0
    gaps: list[str] | None = [] if accept_loss else None
    async for segment in _segments(Shelf(store, shard, "commands"), gaps):
        await commands.append(segment.records)
        commands_end = segment.next_offset
        commands_last_ms = segment.records[-1].timestamp_ms
        on_progress("commands", commands_end)
    if not commands_end:
        raise ArchiveError(f"the archive holds no commands of shard {shard}")
    events_end, left_out = 0, 0
    async for segment in _segments(Shelf(store, shard, "events"), gaps):
        kept = [] if left_out else _before(segment.records, commands_end)
        left_out += len(segment.records) - len(kept)
        if kept:
            await events.append(kept)
            events_end = kept[-1].offset + 1
            on_progress("events", events_end)
    # Commands first: the engine can make events, but nobody can make commands.
    await commands.finish()
    await events.finish()
    return Restored(commands_end, events_end, left_out, commands_last_ms, gaps or ())


async def _segments(shelf: Shelf, gaps: list[str] | None) -> AsyncIterator[Segment]:
    """Up to the first gap, which goes into `gaps` if there is such a list. Raises ArchiveError if not."""
    try:
        async for segment in shelf.segments():
            yield segment
    except ArchiveError as error:
        if gaps is None:
            raise
        gaps.append(str(error))


def _before(records: Sequence[LogRecord], commands_end: int) -> Sequence[LogRecord]:
    """The records up to the first one that speaks of a command at `commands_end` or later.

    A record's last link is of its newest command.
    """
    for place, record in enumerate(records):
        if last_link(record.value).command_offset >= commands_end:
            return records[:place]
    return records
