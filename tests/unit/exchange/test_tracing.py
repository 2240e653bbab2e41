"""What travels of a trace: bounded, apart by command, and harmless whatever it holds."""

import random

import msgspec
import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.log.segments import Segment, pack
from exchange.ports.world import LabelledRecord, LogRecord
from exchange.process.tracing import (
    TRACED_COMMANDS_MAX,
    TraceContext,
    parse_traceparent,
    traced_commands,
    traces_header,
)

TRACE, SPAN = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7
TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SEED = 7


def test_a_header_gives_back_each_commands_own_context() -> None:
    contexts = {1: TraceContext(TRACE, SPAN), 2**63 - 1: TraceContext(2**128 - 1, 2**64 - 1)}
    assert traced_commands(traces_header(contexts)) == contexts
    ((name, value),) = traces_header({1: TraceContext(TRACE, SPAN)})
    assert (name, value) == ("exchange-trace", b"1:" + TRACEPARENT)


def test_no_sampled_command_no_header() -> None:
    assert traces_header({}) == ()
    assert traced_commands(()) == {}


def test_a_header_is_bounded_and_the_first_commands_keep_their_place() -> None:
    contexts = {2**62 + number: TraceContext(TRACE, number + 1) for number in range(10 * TRACED_COMMANDS_MAX)}
    headers = traces_header(contexts)
    assert len(headers[0][1]) < 10_000
    assert traced_commands(headers) == dict(list(contexts.items())[:TRACED_COMMANDS_MAX])


@pytest.mark.parametrize(
    "value",
    [
        b"", b",", b":", b"1", b"1:", b"\xff\xfe", b"0:" + TRACEPARENT, b"-1:" + TRACEPARENT,
        b"1_0:" + TRACEPARENT, "\u0661:".encode() + TRACEPARENT, b"9" * 30 + b":" + TRACEPARENT,
        b"1:" + TRACEPARENT.upper(), b"1:" + TRACEPARENT[:-2] + b"00", b"1:" + TRACEPARENT + b" ",
        b"1:" + TRACEPARENT + b"\n", b"1:00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"2:" + TRACEPARENT + b"," * 100_000, b"," .join([b"1:" + TRACEPARENT] * 10_000),
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_is_too_big_is_not_there(value: bytes) -> None:
    assert traced_commands((("exchange-trace", value),)) == {}


def test_a_bad_entry_spoils_only_itself_and_other_headers_nothing() -> None:
    value = b"nonsense,5:" + TRACEPARENT + b",6:00-xyz"
    headers = (("traceparent", b"\x00"), ("exchange-trace", value), ("exchange-trace", b"7:" + TRACEPARENT))
    assert traced_commands(headers) == {5: TraceContext(TRACE, SPAN)}


def test_random_bytes_never_raise() -> None:
    print("seed", SEED)
    chance = random.Random(SEED)
    good = traces_header({number: TraceContext(TRACE, number) for number in range(1, 20)})[0][1]
    for _ in range(2_000):
        value = bytearray(good)
        for _ in range(chance.randint(1, 40)):
            value[chance.randrange(len(value))] = chance.randrange(256)
        found = traced_commands((("exchange-trace", bytes(value)),))
        assert all(0 < number < 10**19 and context.is_sampled for number, context in found.items())


@pytest.mark.parametrize(
    ("text", "is_sampled"),
    [
        (TRACEPARENT, True),
        (TRACEPARENT[:-2] + b"00", False),
        (TRACEPARENT[:-2] + b"03", True),
        (b"cc" + TRACEPARENT[2:] + b"-what-comes-later", True),
    ],
)
def test_a_traceparent_of_this_and_of_later_versions_is_read(text: bytes, is_sampled: bool) -> None:
    assert parse_traceparent(text) == TraceContext(TRACE, SPAN, is_sampled)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"ff" + TRACEPARENT[2:], TRACEPARENT + b"-more", TRACEPARENT[:36] + b"0" * 16 + b"-01",
        b"cc" + TRACEPARENT[2:] + b"-" + b"x" * 300, TRACEPARENT[:-1], b" " + TRACEPARENT,
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_none(text: bytes) -> None:
    assert parse_traceparent(text) is None


async def test_headers_are_no_part_of_a_record() -> None:
    headers = traces_header({1: TraceContext(TRACE, SPAN)})
    plain, labelled = LogRecord(3, 5, b"x"), LabelledRecord.of(3, 5, b"x", headers)
    assert labelled == plain
    assert (labelled.headers, plain.headers) == (headers, ())
    assert msgspec.msgpack.encode([labelled]) == msgspec.msgpack.encode([plain])
    assert tuple(labelled) == (3, 5, b"x")
    assert pack(Segment("events", [labelled])) == pack(Segment("events", [plain])), "as the archive keeps it"
    log = MemoryLog(lambda: 5)
    await (await log.writer()).append(b"x", headers)
    (record,) = await (await log.reader(0)).read(1_000)
    assert record.headers == headers
