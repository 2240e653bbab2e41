"""Snapshot + tail = full replay (invariant I12)."""

import random
from itertools import pairwise

import msgspec
import pytest

from exchange.contracts.codec import EventBatch, encode_events
from matching_engine.core.engine import Engine
from matching_engine.core.invariants import check_invariants
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows
from matching_engine.snapshots import state_bytes
from tests.property.replay import SEED, mischief_log, replay


@pytest.mark.parametrize(
    ("commands", "snapshots"), [(1_500, 10), pytest.param(6_000, 25, marks=pytest.mark.thorough)]
)
def test_snapshot_and_tail_give_the_state_and_events_of_a_full_replay(commands: int, snapshots: int) -> None:
    print(f"SEED={SEED}")
    log = mischief_log(SEED, commands, with_terms=True)
    whole = Shard(Engine())
    outcomes = replay(whole, log)
    points = sorted(random.Random(SEED).sample(range(len(log)), snapshots))
    before, head = Shard(Engine()), []
    for start, point in pairwise([0, 0, *points, len(log)]):
        head += replay(before, log[:point], start)
        restored = from_rows(msgspec.msgpack.decode(state_bytes(before)), Engine())
        check_invariants(restored.engine)
        assert state_bytes(restored) == state_bytes(before), f"SEED={SEED}: snapshot at {point}"
        tail = replay(restored, log, restored.read_offset)
        assert restored.chain == whole.chain, f"SEED={SEED}: events after the snapshot at {point}"
        assert restored.engine.epoch == whole.engine.epoch
        assert state_bytes(restored) == state_bytes(whole), f"SEED={SEED}: state after {point}"
        assert encode_events(EventBatch(0, 1, tuple(head + tail))) == encode_events(
            EventBatch(0, 1, tuple(outcomes))
        )


def test_taking_a_snapshot_changes_nothing() -> None:
    log = mischief_log(SEED, 500, with_terms=True)
    watched, alone = Shard(Engine()), Shard(Engine())
    for offset, (timestamp_ms, record) in enumerate(log):
        watched.apply_record(offset, timestamp_ms, record)
        alone.apply_record(offset, timestamp_ms, record)
        state_bytes(watched)
    assert (watched.chain, state_bytes(watched)) == (alone.chain, state_bytes(alone))
