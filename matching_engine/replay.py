"""The whole command log through an empty engine: what it must come to, without publishing anything."""

import asyncio
from collections.abc import Callable

from exchange.event_tail import ChainError, TailPosition
from exchange.ports import Log, LogTimeoutError
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import check_invariants
from matching_engine.snapshots import state_hash

__all__ = ["replay"]

_READ_TIMEOUT_MS = 10_000


async def replay(
    command_log: Log, published: TailPosition, witness: Shard | None, on_progress: Callable[[int, int], None]
) -> Shard:
    """Replay every command with its recorded time, and return the state.

    Raises ChainError unless the replay has the event hash `published` at its seq, and the state hash of
    `witness` (a state from a snapshot) at its place in the log; InvariantError; LogError.
    `on_progress` gets the records done and the log's end.
    """
    shard = Shard(Engine())
    end = await command_log.end_offset()
    reader = await command_log.reader(0)
    try:
        while shard.next_command_offset < end:
            records = await reader.read(_READ_TIMEOUT_MS)
            if not records:
                raise LogTimeoutError(f"command record {shard.next_command_offset} of {end} did not come")
            for record in records:
                for outcome in shard.apply_record(record.offset, record.timestamp_ms, record.value):
                    for recorded in outcome.events:
                        _compare(recorded.seq, recorded.hash, published)
                if witness is not None and shard.next_command_offset == witness.next_command_offset:
                    _compare_states(shard, witness)
            on_progress(shard.next_command_offset, end)
            await asyncio.sleep(0)
    finally:
        await reader.close()
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
