"""Promises of exchange/log/event_tail.py: first copy of each seq, chain checked, stop on a gap."""

from collections import Counter
from typing import Any

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.codec import (
    EMPTY_CHAIN_HASH,
    CodecError,
    CommandOutcome,
    EventBatch,
    RecordedEvent,
    chain_hash,
    decode_events,
    encode_events,
)
from exchange.contracts.events import LeaderChanged
from exchange.contracts.limits import TAIL_READ_SIZE_BYTES_MAX
from exchange.log import decoded as decoded_module
from exchange.log import event_tail
from exchange.log.event_tail import ChainError, EventTail, TailPosition
from tests.event_streams import EventStream


def outcomes(count: int, leader: str = "a") -> list[CommandOutcome]:
    """Outcomes of two events each."""
    stream = EventStream()
    for epoch in range(count):
        stream.append(LeaderChanged(leader, epoch), LeaderChanged(leader, epoch))
    return stream.outcomes


def record(*decided: CommandOutcome, epoch: int = 1) -> bytes:
    return encode_events(EventBatch(0, epoch, decided))


async def tail_over(*records: bytes, seq: int = 0, digest: bytes = EMPTY_CHAIN_HASH) -> EventTail:
    log = MemoryLog(lambda: 1)
    writer = await log.writer()
    for value in records:
        await writer.append(value)
    return EventTail(await log.reader(0), TailPosition(seq, digest, 0))


async def test_outcomes_come_in_order_and_move_the_position() -> None:
    first, second, third = outcomes(3)
    tail = await tail_over(record(first, second), record(third))
    assert [o.command_id for o in await tail.read(10)] == [1, 2, 3]
    assert (tail.position.seq, tail.position.next_offset) == (6, 2)
    assert tail.position.hash == third.events[-1].hash
    assert await tail.read(1) == []


async def test_repeats_are_dropped_even_from_another_epoch() -> None:
    first, second, third = outcomes(3)
    tail = await tail_over(
        record(first, second), record(first, second, epoch=2), record(second, third, epoch=2)
    )
    assert [o.command_id for o in await tail.read(10)] == [1, 2, 3]


async def test_tail_goes_on_from_a_saved_position() -> None:
    first, second, third = outcomes(3)
    tail = await tail_over(record(first), record(second, third), seq=2, digest=first.events[-1].hash)
    assert [o.command_id for o in await tail.read(10)] == [2, 3]


async def test_gap_stops() -> None:
    first, _, third = outcomes(3)
    with pytest.raises(ChainError, match="expected seq 3, the log has 5"):
        await (await tail_over(record(first), record(third))).read(10)


async def test_event_missing_inside_an_outcome_stops() -> None:
    (first,) = outcomes(1)
    torn = first._replace(events=(first.events[1],))
    with pytest.raises(ChainError, match="expected seq 1"):
        await (await tail_over(record(torn))).read(10)


async def test_wrong_hash_stops() -> None:
    (first,) = outcomes(1)
    forged = RecordedEvent(2, b"\x00" * 16, first.events[1].event)
    with pytest.raises(ChainError, match="hash of seq 2"):
        await (await tail_over(record(first._replace(events=(first.events[0], forged))))).read(10)


async def test_changed_event_stops() -> None:
    (first,) = outcomes(1)
    changed = first.events[0]._replace(event=LeaderChanged("mallory", 0))
    with pytest.raises(ChainError, match="hash of seq 1"):
        await (await tail_over(record(first._replace(events=(changed, first.events[1]))))).read(10)


async def test_changed_time_or_command_id_stops() -> None:
    (first,) = outcomes(1)
    for changed in (first._replace(time_ms=first.time_ms + 1), first._replace(command_id=99)):
        with pytest.raises(ChainError):
            await (await tail_over(record(changed))).read(10)


async def test_two_different_events_with_one_seq_stop() -> None:
    (first,), (other,) = outcomes(1), outcomes(1, leader="b")
    with pytest.raises(ChainError, match="two different events have seq 2"):
        await (await tail_over(record(first), record(other))).read(10)


async def test_another_history_than_the_saved_one_stops() -> None:
    _, second = outcomes(2)
    tail = await tail_over(record(second), seq=2, digest=b"\x01" * 16)
    with pytest.raises(ChainError):
        await tail.read(10)


async def test_bytes_that_are_no_events_stop() -> None:
    with pytest.raises(CodecError):
        await (await tail_over(b"nonsense")).read(10)


async def test_a_large_fetch_is_decoded_in_portions_and_loses_nothing() -> None:
    stream = EventStream()
    records = []
    for number in range(40):
        stream.append(LeaderChanged("x" * 200 + str(number), number + 1))
        records.append(stream.record([stream.outcomes[-1]] + [stream.outcomes[-1]] * 40))
    log = MemoryLog(lambda: 1)
    writer = await log.writer()
    for record in records:
        await writer.append(record)
    tail = EventTail(await log.reader(0), TailPosition(0, EMPTY_CHAIN_HASH, 0))
    sizes = []
    while tail.position.seq < stream.seq:
        before = tail.position.next_offset
        assert await tail.read(1) != []
        sizes.append(sum(map(len, records[before : tail.position.next_offset])))
    assert max(sizes) <= TAIL_READ_SIZE_BYTES_MAX + max(map(len, records))
    assert len(sizes) > 1


async def test_tails_of_one_process_share_one_decoding_and_one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog(lambda: 1)
    writer = await log.writer()
    decided = outcomes(20, "shared")
    for place in range(0, 20, 2):
        await writer.append(record(*decided[place : place + 2]))
    counts = Counter[str]()

    def counted(name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            counts[name] += 1
            return function(*arguments)

        return call

    monkeypatch.setattr(decoded_module, "decode_events", counted("decoded", decode_events))
    monkeypatch.setattr(event_tail, "chain_hash", counted("checked", chain_hash))
    found = []
    for _ in range(9):
        tail = EventTail(await log.reader(0), TailPosition(0, EMPTY_CHAIN_HASH, 0))
        found.append(await tail.read(100))
    assert counts == {"decoded": 10, "checked": 40}
    assert found == [found[0]] * 9


async def test_what_another_tail_has_checked_is_no_word_for_a_tail_that_stands_elsewhere() -> None:
    log = MemoryLog(lambda: 1)
    writer = await log.writer()
    for outcome in outcomes(5, "elsewhere"):
        await writer.append(record(outcome))
    await EventTail(await log.reader(0), TailPosition(0, EMPTY_CHAIN_HASH, 0)).read(100)
    with pytest.raises(ChainError):
        await EventTail(await log.reader(0), TailPosition(0, b"x" * 16, 0)).read(100)
    with pytest.raises(ChainError):
        await EventTail(await log.reader(1), TailPosition(0, EMPTY_CHAIN_HASH, 1)).read(100)
