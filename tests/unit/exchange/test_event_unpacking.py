"""What reads outcomes from a link's bytes gives what the codec gives, event by event."""

import random
from typing import Any

import pytest

from exchange.contracts.codec import CodecError, field_names, read_links
from exchange.contracts.event_unpacking import LinkReader, ReadOutcome, place_in
from exchange.contracts.events import Event
from exchange.contracts.limits import INTEGER_MAX
from exchange.contracts.tables import EVENTS, TEXT_FIELDS
from tests.event_streams import EventStream
from tests.property.replay import SEED
from tests.unit.auditor.linked import links_of, records_of

Told = tuple[int, int, int, int, list[tuple[type[Event], list[Any]]]]
TEXTS = ["", "a", "x" * 31, "x" * 32, "ü" * 127, "x" * 255, "\U0001f600" * 256]
INTEGERS = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**32, INTEGER_MAX]


def fields_of(event: Event) -> tuple[type[Event], list[Any]]:
    return type(event), [getattr(event, name) for name in field_names(type(event))]


def by_codec(record: bytes) -> list[Told]:
    return [
        (
            o.command_offset,
            o.command_index,
            o.time_ms,
            o.events[0].seq,
            [fields_of(r.event) for r in o.events],
        )
        for link in read_links(record).links
        for o in link.outcomes
    ]


def from_bytes(body: bytes) -> list[Told]:
    reader, read, found = LinkReader(body), ReadOutcome(), list[Told]()
    is_more = True
    while is_more:
        is_more = reader.read(read)
        events = [fields_of(event) for event in read.events.all()]
        found.append((read.command_offset, read.command_index, read.time_ms, read.first_seq, events))
    return found


def stream(draw: random.Random, kinds: list[type[Event]]) -> EventStream:
    """Outcomes of events with any figures, several to a record of commands."""
    made = EventStream()
    while kinds:
        events = []
        for _ in range(draw.choice((1, 1, 2, 20))):
            kind = kinds.pop() if kinds else draw.choice([cls for cls, _ in EVENTS.values()])
            names = field_names(kind)
            values = [draw.choice(TEXTS if name in TEXT_FIELDS else INTEGERS) for name in names]
            events.append(kind(*values))
        number = len(made.outcomes)
        made.append(*events, place=(number // 3, number % 3), time_ms=draw.choice(INTEGERS))
    return made


def test_every_kind_of_event_with_any_figures() -> None:
    print(f"SEED={SEED}")
    draw = random.Random(SEED)
    for _ in range(20):
        kinds = [cls for cls, _ in EVENTS.values()]
        draw.shuffle(kinds)
        for link in links_of(stream(draw, kinds).outcomes):
            told = by_codec(records_of([link])[0])
            assert from_bytes(link.body) == told
            assert place_in(link.body) == (told[0][0], link.first_seq)


@pytest.mark.parametrize("body", [b"", b"\x90", b"\xdd\0\0\0\0", b"\xdd\0\0\0\1\x96", b"\xdd\0\0\0\1\xc0"])
def test_what_is_no_link_is_refused(body: bytes) -> None:
    assert place_in(body) is None
    with pytest.raises(CodecError):
        LinkReader(body).read(ReadOutcome())
