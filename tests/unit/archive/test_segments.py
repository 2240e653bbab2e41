"""Promises of exchange/log/segments.py: what was packed comes back, or an error does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.log.segments import ArchiveError, Segment, first_offset_of, pack, segment_name, unpack
from exchange.ports.world import LogRecord


@given(
    st.integers(0, 2**62),
    st.lists(st.tuples(st.integers(0, 2**62), st.binary(max_size=300)), min_size=1, max_size=20),
)
def test_records_come_back_as_they_went(first: int, contents: list[tuple[int, bytes]]) -> None:
    records = [LogRecord(first + place, *content) for place, content in enumerate(contents)]
    body = pack(Segment("events", records))
    assert unpack(body, "events", first) == Segment("events", records)
    assert pack(Segment("events", records)) == body


def segment() -> Segment:
    return Segment("commands", [LogRecord(7, 1, b"a" * 50), LogRecord(8, 1, b"b" * 50)])


def test_any_changed_or_missing_byte_is_noticed() -> None:
    body = pack(segment())
    for place in range(len(body)):
        with pytest.raises(ArchiveError):
            unpack(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :], "commands", 7)
        with pytest.raises(ArchiveError):
            unpack(body[:place], "commands", 7)


@pytest.mark.parametrize(("log", "first"), [("events", 7), ("commands", 8), ("commands", 6)])
def test_segment_under_a_wrong_key_is_noticed(log: str, first: int) -> None:
    with pytest.raises(ArchiveError, match="other records"):
        unpack(pack(segment()), log, first)


@pytest.mark.parametrize("offsets", [(7, 9), (7, 7), (8, 7)])
def test_segment_with_a_gap_inside_is_noticed(offsets: tuple[int, int]) -> None:
    records = [LogRecord(offset, 1, b"") for offset in offsets]
    with pytest.raises(ArchiveError, match="other records"):
        unpack(pack(Segment("commands", records)), "commands", offsets[0])


def test_keys_sort_as_their_offsets_do() -> None:
    offsets = [0, 9, 10, 99, 10**15, 2**62]
    names = [segment_name(offset) for offset in offsets]
    assert sorted(names) == names
    assert [first_offset_of(f"archive/0/events/{name}") for name in names] == offsets
    with pytest.raises(ArchiveError):
        first_offset_of("archive/0/events/7.seg")
