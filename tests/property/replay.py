"""Command logs from the shared workloads, and their replay; `python -m tests.property.replay BUILD SEED N`
prints what the named build makes of one, as JSON."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from matching_engine import build

SEED = int(os.environ.get("SEED", "20240917"))
"""Of every random test: printed first, set by the variable SEED."""


def mischief_log(seed: int, count: int, per_record: int = 7) -> list[tuple[int, bytes]]:
    """(timestamp_ms, record) of a log with every kind of command, wrong ones and wrong bytes included."""
    from exchange.contracts.codec import encode_commands
    from exchange.contracts.commands import Malformed
    from loadtest.bench.workload import Mischief

    source = Mischief(seed)
    commands = [*source.setup(), *source.take(count)]
    log: list[tuple[int, bytes]] = []
    for first in range(0, len(commands), per_record):
        batch = commands[first : first + per_record]
        # What stands for wrong bytes cannot be encoded: wrong bytes travel in its place.
        sendable = [command for command in batch if not isinstance(command, Malformed)]
        record = encode_commands(sendable)
        log.append((source.time_ms_of(first), record if len(sendable) == len(batch) else record[:-1]))
    return log


def replay(shard: Any, log: Sequence[tuple[int, bytes]], start: int = 0) -> list[Any]:
    """Apply the records from `start` on; return the outcomes."""
    outcomes: list[Any] = []
    for offset in range(start, len(log)):
        outcomes += shard.apply_record(offset, *log[offset])
    return outcomes


def main(kind: str, seed: int, count: int) -> None:
    """Replay a log through one build."""
    build.activate(kind)
    from matching_engine.core.engine import Engine
    from matching_engine.core.engine_limits import EngineLimits
    from matching_engine.core.shard import Shard
    from matching_engine.snapshots import state_hash

    # Bounds that this workload meets.
    shard = Shard(Engine(limits=EngineLimits(fills_per_command_max=3)))
    chains: list[str] = []
    for offset, (timestamp_ms, record) in enumerate(mischief_log(seed, count)):
        shard.apply_record(offset, timestamp_ms, record)
        chains.append(shard.chain.hex())
    print(
        json.dumps(
            {
                "build": build.active_build().kind,
                "seq": shard.engine.seq,
                "chains": chains,
                "state_hash": state_hash(shard),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
