"""The whole command log through an empty engine: what it must come to, without publishing anything."""

import asyncio
from collections.abc import Callable, Mapping

from exchange.contracts import codes
from exchange.contracts.codec import outcomes_beginning_with
from exchange.contracts.events import CommandRejected
from exchange.contracts.plain_packing import packed
from exchange.log.event_tail import ChainError, TailPosition
from exchange.log.records import records_between
from exchange.ports.world import Log, LogError
from matching_engine.core.engine import Engine
from matching_engine.core.invariants import check_invariants
from matching_engine.core.shard import Shard
from matching_engine.snapshots import state_hash

__all__ = ["refuse_a_gap", "replay", "skipped_commands"]

_PROGRESS_EVERY_RECORDS = 500


async def skipped_commands(event_log: Log) -> dict[tuple[int, int], int]:
    """Places on the command log that the engine went past by the operator's order, and by which clock.

    Raises LogError.
    """
    found: dict[tuple[int, int], int] = {}
    # The engine writes such an event in these bytes alone; a record without them is not taken apart.
    as_written = packed(CommandRejected(0, 0, codes.REJECT_SKIPPED, "", ""))
    async for record in records_between(event_log, 0, await event_log.end_offset()):
        if as_written not in record.value:
            continue
        for outcome in outcomes_beginning_with(CommandRejected, record.value):
            event = outcome.events[0].event
            assert isinstance(event, CommandRejected), "as asked for"
            if event.reason == codes.REJECT_SKIPPED:
                found[outcome.command_offset, outcome.command_index] = outcome.time_ms
    return found


async def refuse_a_gap(command_log: Log, needed: int) -> None:
    """Raise LogError when the log does not hold the record `needed` any more."""
    first = await command_log.first_offset()
    if needed < first:
        raise LogError(
            f"the command log begins at record {first}, and the newest snapshot that can be read needs "
            f"record {needed}: what is between is in the archive. Rebuild from the archive, both logs given "
            "up for it"
        )


async def replay(
    command_log: Log,
    published: TailPosition,
    skipped: Mapping[tuple[int, int], int],
    witness: Shard | None,
    on_progress: Callable[[int, int], None],
) -> Shard:
    """Replay every command but the `skipped` with its recorded time, and return the state.

    Raises ChainError unless the replay has the event hash `published` at its seq, and the state hash of
    `witness` (a state from a snapshot) at its place in the log. Raises InvariantError, PoisonError,
    UnknownRulesError and LogError too.
    `on_progress` gets the records done and the log's end.
    """
    shard = Shard(Engine())
    shard.skipped = dict(skipped)
    end = await command_log.end_offset()
    async for record in records_between(command_log, 0, end):
        for link in shard.apply_record(record.offset, record.timestamp_ms, record.value):
            _compare(link.last_seq, link.hash, published)
        if witness is not None and shard.next_command_offset == witness.next_command_offset:
            _compare_states(shard, witness)
        if record.offset % _PROGRESS_EVERY_RECORDS == 0 or record.offset + 1 == end:
            on_progress(record.offset + 1, end)
            await asyncio.sleep(0)
    if shard.engine.seq < published.seq:
        raise ChainError(f"the events reach seq {published.seq}, the commands only {shard.engine.seq}")
    check_invariants(shard.engine)
    return shard


def _compare(seq: int, digest: bytes, published: TailPosition) -> None:
    if seq == published.seq and digest != published.hash:
        raise ChainError(f"replay gives another hash at seq {seq} than the event log holds")


def _compare_states(replayed: Shard, witness: Shard) -> None:
    if state_hash(replayed) != state_hash(witness):
        raise ChainError(f"replay up to record {witness.next_command_offset} differs from the snapshot there")
