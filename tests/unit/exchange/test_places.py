"""Promises of exchange/log/places.py."""

import msgspec
import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.chain import pack_links
from exchange.contracts.codec import CodecError, CommandOutcome, last_outcome, read_links
from exchange.log import event_tail
from exchange.log.event_tail import newest_outcome
from exchange.log.places import last_link
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import EngineLimits
from matching_engine.core.shard import Shard
from tests.property.replay import SEED, mischief_log


def records() -> list[bytes]:
    """Of both formats, with one link and with several of one record of commands."""
    shard, packed = Shard(Engine(limits=EngineLimits(link_size_bytes_max=400))), []
    for offset, (time_ms, record) in enumerate(mischief_log(SEED, 700)):
        links = shard.apply_record(offset, time_ms, record)
        packed += [pack_links(0, 1, [link for link in links if link.form == form]) for form in (1, 2)
                   if any(link.form == form for link in links)]  # fmt: skip
    return packed


def test_it_is_the_place_of_the_last_outcome() -> None:
    print(f"SEED={SEED}")
    forms = set()
    several = False
    for record in records():
        link, last = read_links(record).links[-1], last_outcome(record)
        place = last_link(record)
        assert place == (last.command_offset, link.first_seq)
        forms.add(link.form)
        several |= len(link.outcomes) > 1
    assert 2 in forms
    assert several


def place_of(outcome: CommandOutcome | None) -> tuple[int, int, bytes]:
    assert outcome is not None
    return outcome.command_offset, outcome.events[-1].seq, outcome.events[-1].hash


async def test_the_newest_outcome_is_found_among_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    made = records()
    log = MemoryLog(lambda: 0)
    writer = await log.writer()
    for record in (*made, *made[-5:-2]):
        await writer.append(record)
    end = await log.end_offset()
    assert place_of(await newest_outcome(log, end)) == place_of(last_outcome(made[-1]))
    # All but the newest are told apart by their heads.
    decoded: list[bytes] = []

    def noted(value: bytes) -> CommandOutcome:
        decoded.append(value)
        return last_outcome(value)

    monkeypatch.setattr(event_tail, "last_outcome", noted)
    assert await newest_outcome(log, end) is not None
    assert decoded == [made[-1]]


def test_what_is_no_record_is_refused() -> None:
    for rows in ([], [[b"h", b""]], [[b"h", b"\xdd\0\0\0\0"]], [[b"h", b"\x90"]]):
        with pytest.raises(CodecError):
            last_link(msgspec.msgpack.encode([2, 0, 1, bytes(16), rows]))
    with pytest.raises(CodecError):
        last_link(b"\x93\x07")
