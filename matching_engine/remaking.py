"""A snapshot made by a second run of the same commands, in a process that nobody waits for (ADR 0024).

It starts from the newest snapshot, so it costs what has come since. Where it ends, seq and chain hash must be
those of the engine that ordered it: each snapshot is a proof that two runs agree.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from exchange.ports.world import LogRecord
from matching_engine.core.invariants import check_invariants
from matching_engine.core.shard import Shard
from matching_engine.snapshots import Snapshot, SnapshotError, capture

__all__ = ["SnapshotMaker", "SnapshotOrder", "order_of", "remade"]


class SnapshotOrder(NamedTuple):
    """Where a snapshot is wanted, and what the state must come to there.

    `skipped`: (offset, index, by which clock) of commands that the operator ordered to go past.
    """

    next_command_offset: int
    seq: int
    chain: bytes
    skipped: tuple[tuple[int, int, int], ...]


class SnapshotMaker(Protocol):
    """Makes and stores snapshots somewhere else."""

    async def make(self, order: SnapshotOrder) -> None:
        """Return when it is stored. Raises SnapshotError."""
        ...


def order_of(shard: Shard) -> SnapshotOrder:
    """An order for the present state."""
    skipped = tuple((*place, clock_ms) for place, clock_ms in sorted(shard.skipped.items()))
    return SnapshotOrder(shard.next_command_offset, shard.engine.seq, shard.chain, skipped)


def remade(shard: Shard, records: Iterable[LogRecord], order: SnapshotOrder) -> Snapshot:
    """Apply `records`, from `shard.read_offset` to the order's place, and capture the state.

    Raises SnapshotError when it is not the state that was ordered; PoisonError, InvariantError.
    """
    shard.skipped = {(offset, index): clock_ms for offset, index, clock_ms in order.skipped}
    for record in records:
        shard.apply_record(record.offset, record.timestamp_ms, record.value)
    found = (shard.next_command_offset, shard.engine.seq, shard.chain)
    if found != order[:3]:
        raise SnapshotError(
            f"a second run of the commands is at record {found[0]}, seq {found[1]}, hash {found[2].hex()}; "
            f"the engine was at record {order.next_command_offset}, seq {order.seq}, hash {order.chain.hex()}"
        )
    check_invariants(shard.engine)
    return capture(shard)
