"""What packs events and reads commands without a library gives what msgspec gives, byte for byte."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from librt.strings import BytesWriter

from exchange.contracts.codec import decode_commands, encode_commands, field_names
from exchange.contracts.commands import CancelOrder, Command, CreditDeposit, KeepTime, PlaceOrder
from exchange.contracts.events import Event, OrderAccepted
from exchange.contracts.limits import COMMANDS_PER_RECORD_MAX, INTEGER_MAX
from exchange.contracts.message_pack import put_array, put_bytes, put_integer, put_text
from exchange.contracts.packing import put_fields
from exchange.contracts.plain_packing import packed as packed_by_library
from exchange.contracts.tables import COMMANDS, EVENTS, TEXT_FIELDS
from exchange.contracts.unpacking import read_commands
from loadtest.bench.workload import Mischief, Traffic
from tests.property.replay import SEED, mischief_log

# Where the length of a number changes on the log, and one to either side.
BORDERS = [
    edge + off for edge in (0, 2**7, 2**8, 2**15, 2**16, 2**31, 2**32, INTEGER_MAX) for off in (-1, 0, 1)
]
INTEGERS = [value for value in BORDERS if 0 <= value <= INTEGER_MAX]
TEXTS = ["", "a", "x" * 31, "x" * 32, "ü" * 127, "x" * 255, "\U0001f600" * 256]


def packed(put: Callable[[BytesWriter], None]) -> bytes:
    out = BytesWriter()
    put(out)
    return out.getvalue()


@pytest.mark.parametrize("value", INTEGERS)
def test_integers(value: int) -> None:
    assert packed(lambda out: put_integer(out, value)) == msgspec.msgpack.encode(value)


def test_what_no_log_carries_is_no_integer() -> None:
    with pytest.raises(AssertionError):
        put_integer(BytesWriter(), -1)
    # The compiled one takes no such number at all.
    with pytest.raises((OverflowError, ValueError, TypeError)):
        put_integer(BytesWriter(), 2**63)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_and_bytes(text: str) -> None:
    assert packed(lambda out: put_text(out, text)) == msgspec.msgpack.encode(text)
    data = text.encode() * 70
    assert packed(lambda out: put_bytes(out, data)) == msgspec.msgpack.encode(data)


@pytest.mark.parametrize("count", [0, 15, 16, 2_000, 40_000, 70_000])
def test_arrays(count: int) -> None:
    def put(out: BytesWriter) -> None:
        put_array(out, count)
        for _ in range(count):
            out.append(7)

    assert packed(put) == msgspec.msgpack.encode([7] * count)


@pytest.mark.parametrize(("tag", "kind"), [(tag, cls) for tag, (cls, _) in EVENTS.items()], ids=str)
def test_every_event(tag: int, kind: type[Event]) -> None:
    print(f"SEED={SEED}")
    draw = random.Random(SEED)
    names = field_names(kind)
    for _ in range(50):
        values = [draw.choice(TEXTS) if name in TEXT_FIELDS else draw.choice(INTEGERS) for name in names]
        out, event = BytesWriter(), kind(*values)
        put_fields(out, event)
        assert (
            out.getvalue()
            == msgspec.msgpack.encode(tag) + msgspec.msgpack.encode(values)
            == packed_by_library(event)
        )


def test_no_event_is_packed_that_has_no_tag() -> None:
    with pytest.raises(AssertionError, match="no event"):
        put_fields(BytesWriter(), Event())


def fields(commands: list[Command]) -> list[tuple[type[Command], list[object]]]:
    return [(type(c), [getattr(c, name) for name in field_names(type(c))]) for c in commands]


def read_alike(record: bytes) -> bool:
    """Whether the quick way took the record; if so, it made of it what the codec makes."""
    commands = read_commands(record)
    if commands is None:
        return False
    decoded = decode_commands(record)
    assert [type(c) for c in decoded] == [type(c) for c in commands]
    assert fields(decoded) == fields(commands)
    return True


def test_frequent_commands_are_read_as_the_codec_reads_them() -> None:
    print(f"SEED={SEED}")
    assert read_alike(encode_commands(Traffic(SEED).take(2_000)))
    taken = sum(read_alike(record) for _, record in mischief_log(SEED, 5_000))
    assert 300 < taken < 710, "most records are ordinary; those with wrong bytes and rare kinds are not"


def test_an_order_is_accepted_in_the_bytes_in_which_it_was_sent() -> None:
    print(f"SEED={SEED}")
    records = [record for _, record in mischief_log(SEED, 2_000)]
    read = [command for record in records for command in read_commands(record) or []]
    orders = [command for command in read if isinstance(command, PlaceOrder)]
    assert len(orders) > 500
    accepted: Any = OrderAccepted
    for order in orders:
        # `command_id` and `valid_until_ms` are not the event's.
        values = [getattr(order, name) for name in field_names(PlaceOrder)[1:-1]]
        event = accepted(7, *values, 70_000, 5)
        assert order.as_sent == b"".join(map(msgspec.msgpack.encode, values))
        event.as_sent = order.as_sent
        assert packed(partial(_put, event)) == packed_by_library(event)


def _put(event: OrderAccepted, out: BytesWriter) -> None:
    put_fields(out, event)


LONGER = [b"\xcc\x07", b"\xcd\x00\xff", b"\xce\x00\x00\xff\xff", b"\xcf" + b"\x00" * 4 + b"\xff" * 4]


@pytest.mark.parametrize("longer", [*LONGER, b"\xd9\x01a"], ids=bytes.hex)
def test_a_value_in_more_bytes_than_it_needs_is_left_to_the_codec(longer: bytes) -> None:
    """The event would have it in its shortest form, and so would not be the bytes that were sent."""
    values = [b"\x01"] * len(field_names(PlaceOrder))
    values[3] = b"\xa1a"
    place = 3 if longer[0] == 0xD9 else 7
    for value, is_read in ((values[place], True), (longer, False)):
        values[place] = value
        record = b"\x92\x01\x91\x92\x04" + bytes([0x90 + len(values)]) + b"".join(values)
        assert (read_commands(record) is not None) == is_read
        assert isinstance(decode_commands(record)[0], PlaceOrder)


@pytest.mark.parametrize("text", TEXTS)
def test_names_of_any_length(text: str) -> None:
    order = PlaceOrder(INTEGER_MAX, 1, 1, text, 1, 1, 1, 2**32, 2**16, 0, 1, 2**8)
    record = encode_commands([order, CancelOrder(1, 1, 1, 1, text, text, 0, 0), KeepTime(1, 2, 3)])
    assert read_alike(record) == (len(text.encode()) <= 255)


def test_a_record_of_more_commands_than_one_may_have_is_left_to_the_codec() -> None:
    record = encode_commands([KeepTime(1, 1, 1)] * COMMANDS_PER_RECORD_MAX)
    assert read_alike(record)
    assert read_commands(encode_commands([KeepTime(1, 1, 1)] * (COMMANDS_PER_RECORD_MAX + 1))) is None


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_damaged_records_are_read_as_the_codec_reads_them_or_not_at_all(data: st.DataObject) -> None:
    source = Mischief(data.draw(st.integers(0, 100)))
    commands = [c for c in source.take(3) if type(c) in (PlaceOrder, CancelOrder, CreditDeposit)]
    record = bytearray(encode_commands([*commands, KeepTime(1, 2, 3)]))
    for _ in range(data.draw(st.integers(0, 3))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(record)))
    for damaged in (bytes(record), bytes(record[:cut]), bytes(record) + b"\x00"):
        read_alike(damaged)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_the_codec_reads_them_or_not_at_all(record: bytes) -> None:
    read_alike(record)


def test_table_of_frequent_commands_is_that_of_the_codec() -> None:
    """A field more in one of them must not be read by the old number of fields."""
    known = {4: 12, 5: 8, 6: 5, 7: 5, 21: 3}
    assert known == {tag: len(names) for tag, (_, names) in COMMANDS.items() if tag in known}
