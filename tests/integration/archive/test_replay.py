"""Promises of matching_engine/replay.py: the same history, or an error that says where it differs."""

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.chain import pack_links
from exchange.contracts.codec import decode_commands, encode_commands
from exchange.contracts.commands import Command, CreditDeposit, KeepTime, Malformed
from exchange.contracts.events import Outcome
from exchange.log.event_tail import ChainError, TailPosition, newest_event
from loadtest.bench.workload import Mischief
from matching_engine.core.engine import Engine
from matching_engine.core.shard import PoisonError, Shard
from matching_engine.replay import replay, skipped_commands
from matching_engine.snapshots import state_hash

SEED = 91
POISONED = 555_555


async def history(skipped: dict[tuple[int, int], int]) -> tuple[MemoryLog, MemoryLog, Shard]:
    """Both logs of an engine that traded, and its state; one deposit is POISONED."""
    print(f"seed {SEED}")
    now_ms = iter(range(1_700_000_000_000, 1_800_000_000_000, 7))
    commands, events, shard = MemoryLog(lambda: next(now_ms)), MemoryLog(lambda: 1), Shard(Engine())
    shard.skipped = skipped
    source = Mischief(SEED)
    some = [c for c in [*source.setup(), *source.take(200)] if not isinstance(c, Malformed)]
    some.insert(len(some) // 2, CreditDeposit(5, 1001, 1, 3, POISONED))
    writer, event_writer = await commands.writer(), await events.writer()
    for command in some:
        # A leader is at work all the time.
        word = KeepTime(6, shard.engine.epoch, 1_900_000_000_000)
        offset = await writer.append(encode_commands([command, word]))
        record = commands.records[offset]
        links = shard.apply_record(offset, record.timestamp_ms, record.value)
        await event_writer.append(pack_links(0, 1, links))
    return commands, events, shard


def ignore(_done: int, _total: int) -> None:
    """No progress bar."""


async def test_replay_comes_to_the_same_state() -> None:
    commands, events, shard = await history({})
    replayed = await replay(commands, await newest_event(events), {}, shard, ignore)
    assert state_hash(replayed) == state_hash(shard)


async def test_commands_that_the_operator_ordered_to_go_past_are_skipped_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide = Engine.decide

    def breaks(self: Engine, command: Command, time_ms: int, events: Outcome) -> None:
        if isinstance(command, CreditDeposit) and command.deposit_id == POISONED:
            raise AssertionError("a promise is broken")
        decide(self, command, time_ms, events)

    known, *_ = await history({})
    (place,) = [
        (record.offset, 0)
        for record in known.records
        if isinstance(command := decode_commands(record.value)[0], CreditDeposit)
        and command.deposit_id == POISONED
    ]
    monkeypatch.setattr(Engine, "decide", breaks)
    commands, events, shard = await history({place: 1})
    newest = await newest_event(events)
    skipped = await skipped_commands(events)
    assert list(skipped) == [place]
    assert state_hash(await replay(commands, newest, skipped, None, ignore)) == state_hash(shard)
    with pytest.raises(PoisonError):
        await replay(commands, newest, {}, None, ignore)


async def test_another_hash_another_state_and_missing_commands_are_found() -> None:
    commands, events, shard = await history({})
    newest = await newest_event(events)
    with pytest.raises(ChainError, match="another hash"):
        await replay(commands, TailPosition(newest.seq, b"x" * 16, 0), {}, None, ignore)
    shard.engine.next_order_id += 1
    with pytest.raises(ChainError, match="differs from the snapshot"):
        await replay(commands, newest, {}, shard, ignore)
    del commands.records[-1]
    with pytest.raises(ChainError, match="the commands only"):
        await replay(commands, newest, {}, None, ignore)


async def test_newest_event_is_found_behind_a_stale_leaders_repeats() -> None:
    _, events, shard = await history({})
    stale = [record.value for record in events.records[-50:-20]]
    writer = await events.writer()
    for value in stale:
        await writer.append(value)
    newest = await newest_event(events)
    assert (newest.seq, newest.hash) == (shard.engine.seq, shard.chain)
    assert newest.next_offset == len(events.records)
