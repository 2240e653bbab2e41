"""Command logs from the shared workloads, and their replay; `python -m tests.property.replay BUILD SEED N`
prints what the named build makes of one, as JSON."""

import json
import os
import random
import sys
from collections.abc import Sequence
from typing import Any

from matching_engine import build

SEED = int(os.environ.get("SEED", "20240917"))
"""Of every random test: printed first, set by the variable SEED."""


def mischief_log(
    seed: int, count: int, per_record: int = 7, *, with_terms: bool = False
) -> list[tuple[int, bytes]]:
    """(timestamp_ms, record) of a log with every kind of command, wrong ones and wrong bytes included.

    `with_terms`: every third command is about an order of any kind, and some change fees and filters.
    """
    from exchange.contracts import codes
    from exchange.contracts.codec import encode_commands
    from exchange.contracts.commands import KeepTime, LeaderElected, Malformed
    from exchange.contracts.filter_commands import SetFilter
    from loadtest.bench.workload import Mischief
    from tests.fee_traffic import fee_command
    from tests.property.terms_traffic import TermsTraffic

    source = Mischief(seed)
    commands = [*source.setup(), *source.take(count)]
    if with_terms:
        users = (1_001, 1_002, 1_003)
        terms = TermsTraffic(seed, users=users, markets=(1,), price=5_000_000, lots=100)
        first = len(commands) - count
        commands[first::3] = [terms.next() for _ in commands[first::3]]
        draw = random.Random(f"{seed}/administrators")
        for place in range(first + 1, len(commands), 24):
            most = draw.choice((0, 0, 40))
            filter_command = SetFilter(0, codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 0, 0, most, 0, 0, 0)
            commands[place] = draw.choice((filter_command, fee_command(draw, 0, users, (1,), (1, 2, 3))))
    log: list[tuple[int, bytes]] = []
    epoch = 0
    for first in range(0, len(commands), per_record):
        batch = commands[first : first + per_record]
        # What stands for wrong bytes cannot be encoded: wrong bytes travel in its place.
        sendable = [command for command in batch if not isinstance(command, Malformed)]
        # A leader that is at work, with pauses, and now and then one that was.
        word = KeepTime(first, max(0, epoch - first // per_record % 3 // 2), source.time_ms_of(first))
        record = encode_commands([word, *sendable] if first // per_record % 5 else sendable)
        is_whole = len(sendable) == len(batch)
        log.append((source.time_ms_of(first), record if is_whole else record[:-1]))
        epoch += is_whole * sum(isinstance(command, LeaderElected) for command in sendable)
    return log


def replay(shard: Any, log: Sequence[tuple[int, bytes]], start: int = 0) -> list[Any]:
    """Apply the records from `start` on; return the outcomes."""
    from exchange.contracts.codec import outcomes_of

    links: list[Any] = []
    for offset in range(start, len(log)):
        links += shard.apply_record(offset, *log[offset])
    return outcomes_of(links)


def main(kind: str, seed: int, count: int) -> None:
    """Replay a log through one build."""
    build.activate(kind)
    from exchange.contracts.codec import outcomes_of
    from matching_engine.core.engine import Engine
    from matching_engine.core.engine_limits import EngineLimits
    from matching_engine.core.shard import Shard
    from matching_engine.snapshots import state_hash

    # Bounds that this workload meets.
    shard = Shard(Engine(limits=EngineLimits(fills_per_command_max=3)))
    chains: list[str] = []
    kinds: set[str] = set()
    for offset, (timestamp_ms, record) in enumerate(mischief_log(seed, count, with_terms=True)):
        outcomes = outcomes_of(shard.apply_record(offset, timestamp_ms, record))
        kinds.update(type(told.event).__name__ for outcome in outcomes for told in outcome.events)
        chains.append(shard.chain.hex())
    print(
        json.dumps(
            {
                "build": build.active_build().kind,
                "seq": shard.engine.seq,
                "chains": chains,
                "kinds": sorted(kinds),
                "state_hash": state_hash(shard),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
