"""The event log's two formats: what a link covers, who may stop within one, and what is found out."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts import codec, limits
from exchange.contracts.chain import ChainLink, LinkWriter, pack_links
from exchange.contracts.codec import (
    EMPTY_CHAIN_HASH,
    CodecError,
    CommandOutcome,
    EventBatch,
    decode_events,
    encode_commands,
    encode_events,
    first_wrong_seq,
    last_outcome,
    outcomes_beginning_with,
    outcomes_of,
    read_links,
)
from exchange.contracts.commands import ActivateRules
from exchange.contracts.events import (
    CommandRejected,
    Event,
    OrderClosed,
    Outcome,
    TimeKept,
    TradingModeChanged,
)
from exchange.contracts.limits import INTEGER_MAX
from exchange.contracts.plain_packing import packed
from exchange.log.event_tail import ChainError, EventTail, TailPosition, newest_event
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import EngineLimits
from matching_engine.core.shard import Shard
from matching_engine.outbox import records_of
from tests.property.replay import SEED, mischief_log

LINK_SIZE_BYTES_MAX = 400


def history(versions: dict[int, int], count: int = 600) -> list[ChainLink]:
    """What a mischievous log comes to; `versions`: from which record on which rules hold."""
    shard = Shard(Engine(limits=EngineLimits(link_size_bytes_max=LINK_SIZE_BYTES_MAX)))
    links: list[ChainLink] = []
    # The generator's own setup asks for the newest rules.
    for number, (time_ms, record) in enumerate(mischief_log(SEED, count)):
        if number in versions:
            order = encode_commands([ActivateRules(1, versions[number])])
            links += shard.apply_record(shard.read_offset, time_ms, order)
        links += shard.apply_record(shard.read_offset, time_ms, record)
    return links


def linked(*outcomes: list[Event], size_bytes_max: int = 65_536, form: int = 2) -> list[ChainLink]:
    writer = LinkWriter(form, 5, EMPTY_CHAIN_HASH, 0, size_bytes_max)
    for index, events in enumerate(outcomes):
        outcome = Outcome()
        for event in events:
            outcome.append(event)
        writer.add(index, 100 + index, 1_000, outcome)
    return writer.finish()


def said(outcomes: Iterable[CommandOutcome]) -> bytes:
    """Outcomes as bytes, to compare them: events are no values."""
    return encode_events(EventBatch(0, 0, tuple(outcomes)))


async def read_all(records: list[bytes], position: TailPosition) -> tuple[list[CommandOutcome], TailPosition]:
    log = MemoryLog(lambda: 1)
    writer = await log.writer()
    for record in records:
        await writer.append(record)
    tail = EventTail(await log.reader(0), position)
    found: list[CommandOutcome] = []
    while tail.position.next_offset < len(records):
        found += await tail.read(1)
    return found, tail.position


def start() -> TailPosition:
    return TailPosition(0, EMPTY_CHAIN_HASH, 0)


async def test_mixed_history_is_read_as_it_was_decided_however_it_is_grouped() -> None:
    print(f"SEED={SEED}")
    links = history({})
    assert {link.form for link in links} == {1, 2}
    assert sum(link.commands > 1 for link in links) > 20
    expected = outcomes_of(links)
    for size in (1, 7, len(links)):
        records = [
            record for i in range(0, len(links), size) for record in records_of(0, 1, links[i : i + size])
        ]
        outcomes, position = await read_all(records, start())
        assert said(outcomes) == said(expected)
        assert (position.seq, position.hash) == (links[-1].last_seq, links[-1].hash)


def test_format_1_is_what_its_other_writer_makes() -> None:
    links = [link for link in history({}) if link.form == 1]
    outcomes = tuple(outcomes_of(links))
    assert pack_links(3, 4, links) == encode_events(EventBatch(3, 4, outcomes))


def test_who_activates_the_format_is_answered_in_the_one_before() -> None:
    shard = Shard(Engine())
    order = encode_commands([ActivateRules(1, 3), ActivateRules(2, 3)])
    assert [link.form for link in shard.apply_record(0, 1, order)] == [1, 1]
    assert [link.form for link in shard.apply_record(1, 1, order)] == [2]


@pytest.mark.parametrize("repeated", [0, 1])
async def test_who_stopped_within_a_link_gets_the_rest_and_checks_it_whole(repeated: int) -> None:
    links = [link for link in history({}) if link.form == 2]
    link = next(link for link in links if link.commands > 3)
    whole, after = links[: links.index(link) + 1], links[links.index(link) + 1 :]
    outcomes = outcomes_of([link])
    for stopped, outcome in enumerate(outcomes[:-1], 1):
        last = outcome.events[-1]
        assert last.hash == link.previous, "within a link the hash is the one before it"
        position = TailPosition(last.seq, last.hash, 0)
        records = [pack_links(0, 1, whole[-1 - repeated :]), pack_links(0, 1, after)]
        found, end = await read_all(records, position)
        assert said(found) == said([*outcomes[stopped:], *outcomes_of(after)])
        assert (end.seq, end.hash) == (links[-1].last_seq, links[-1].hash)
        with pytest.raises(ChainError, match="does not follow"):
            await read_all(records, TailPosition(last.seq, b"x" * 16, 0))


async def test_every_altered_byte_of_a_link_is_found() -> None:
    links = linked([TimeKept(7)], [CommandRejected(1, 2, 3, "name", ""), TimeKept(8)])
    record = pack_links(0, 1, links)
    assert len(links) == 1
    body_at = record.index(links[0].body)
    for position in range(record.index(EMPTY_CHAIN_HASH), len(record)):
        damaged = bytearray(record)
        damaged[position] ^= 0x01
        with pytest.raises((ChainError, CodecError)):
            await read_all([bytes(damaged)], start())
    assert body_at > 0


async def test_links_in_wrong_order_and_a_gap_are_found() -> None:
    links = [link for link in history({}) if link.form == 2]
    first = links[0]
    position = TailPosition(first.first_seq - 1, first.previous, 0)
    with pytest.raises(ChainError, match="expected seq"):
        await read_all([pack_links(0, 1, links[1:3])], TailPosition(position.seq, position.hash, 0))
    with pytest.raises(ChainError, match="two different events"):
        await read_all([pack_links(0, 1, links[:1])], TailPosition(first.last_seq, b"x" * 16, 0))


def test_link_ends_where_it_would_grow_too_long() -> None:
    links = history({})
    of_format_2 = [link for link in links if link.form == 2]
    assert max(len(link.body) for link in of_format_2 if link.commands > 1) <= LINK_SIZE_BYTES_MAX
    assert any(len(link.body) > LINK_SIZE_BYTES_MAX for link in of_format_2), "one outcome may be longer"
    for before, link in itertools.pairwise(links):
        assert link.first_seq == before.last_seq + 1
        if link.form == 2:
            assert link.previous == before.hash


def test_links_do_not_depend_on_what_was_published_together() -> None:
    """Two engines, one restarted from nothing: the same links, whatever records they made of them."""
    one, other = history({}), history({})
    assert [(link.hash, link.body) for link in one] == [(link.hash, link.body) for link in other]


@pytest.mark.parametrize("versions", [{}, {1: 2, 60: 3}], ids=["format 2", "both formats"])
async def test_the_newest_event_is_found_without_making_all_the_others(
    versions: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start after a flood meets a thousand records of a thousand outcomes each."""
    log = MemoryLog(lambda: 1)
    writer, links = await log.writer(), history(versions)
    records = [records_of(0, 1, links[first : first + 50]) for first in range(0, len(links), 50)]
    for value in itertools.chain.from_iterable(records):
        await writer.append(value)
        assert said([last_outcome(value)]) == said(decode_events(value).outcomes[-1:])
    made, ends, decoders = 0, 0, dict(codec._EVENT_DECODERS)
    for record in log.records:
        ends += len(decode_events(record.value).outcomes[-1].events)

    def counted(cls: type[Event]) -> Any:
        def make(*fields: Any) -> Event:
            nonlocal made
            made += 1
            return cls(*fields)

        return make

    monkeypatch.setattr(codec, "_EVENT_DECODERS", {t: (counted(c), d) for t, (c, d) in decoders.items()})
    newest = await newest_event(log)
    assert (newest.seq, newest.hash) == (links[-1].last_seq, links[-1].hash)
    # The last one of each record of format 1, of the others the newest alone (test_places.py).
    assert 0 < made < ends < links[-1].last_seq / 10


@pytest.mark.parametrize("versions", [{}, {1: 2, 60: 3}], ids=["format 2", "both formats"])
def test_outcomes_of_one_kind_are_found_without_making_the_others(versions: dict[int, int]) -> None:
    links, found = history(versions), 0
    for record in records_of(0, 1, links):
        ours = outcomes_beginning_with(CommandRejected, record)
        theirs = [o for o in decode_events(record).outcomes if isinstance(o.events[0].event, CommandRejected)]
        assert [(o[:4], vars_of(o)) for o in ours] == [(o[:4], vars_of(o)) for o in theirs]
        found += len(ours)
    assert 20 < found < links[-1].last_seq / 2


def vars_of(outcome: CommandOutcome) -> list[tuple[int, bytes]]:
    """Seqs and fields; the hashes are not asked for."""
    return [(recorded.seq, packed(recorded.event)) for recorded in outcome.events]


@pytest.mark.parametrize(
    "record", [b"", b"\x95", b"\x95\x02", b"\x95\x03\x00\x01", b"\x94\x02\x00\x01\x90", b"x"]
)
def test_what_is_no_record_is_said_to_be_none(record: bytes) -> None:
    with pytest.raises(CodecError):
        read_links(record)
    with pytest.raises(CodecError):
        last_outcome(record)
    with pytest.raises(CodecError):
        outcomes_beginning_with(CommandRejected, record)


def test_a_link_without_outcomes_is_none() -> None:
    empty = ChainLink(2, 0, 0, 0, 0, 1, 1, EMPTY_CHAIN_HASH, EMPTY_CHAIN_HASH, b"\x90")
    with pytest.raises(CodecError, match="without outcomes"):
        decode_events(pack_links(0, 1, [empty]))
    with pytest.raises(CodecError):
        last_outcome(pack_links(0, 1, [empty]))


def test_largest_outcomes_are_no_larger_in_format_2() -> None:
    closing: Any = OrderClosed
    closed = closing(*[INTEGER_MAX] * 9, "\U0001f600" * limits.TEXT_LENGTH_MAX, INTEGER_MAX)
    for event, count, largest in (
        (closed, limits.OPEN_ORDERS_MAX, limits.CANCEL_OUTCOME_SIZE_BYTES_MAX),
        (TradingModeChanged(INTEGER_MAX, 4), limits.MARKETS_MAX, limits.MODES_OUTCOME_SIZE_BYTES_MAX),
    ):
        (link,) = linked([event] * count)
        assert len(pack_links(INTEGER_MAX, INTEGER_MAX, [link])) <= largest
        (read,) = read_links(pack_links(0, 1, [link])).links
        assert first_wrong_seq(read, EMPTY_CHAIN_HASH) == 0
