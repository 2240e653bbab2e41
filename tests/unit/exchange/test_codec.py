"""Promises of exchange/contracts/codec.py."""

import ast
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.contracts import (
    codec,
    commands,
    events,
    fee_commands,
    fee_events,
    filter_commands,
    filter_events,
    order_commands,
    order_events,
)
from exchange.contracts.codec import (
    EMPTY_CHAIN_HASH,
    CodecError,
    CommandOutcome,
    EventBatch,
    RecordedEvent,
    chain_hash,
    decode_commands,
    decode_events,
    encode_commands,
    encode_events,
)
from exchange.contracts.commands import CancelAllOrders, Command, Malformed, SettleWithdrawal
from exchange.contracts.events import Event, LeaderChanged
from exchange.contracts.limits import (
    COMMANDS_PER_RECORD_MAX,
    INTEGER_MAX,
    LEG_NAME_LENGTH_MAX,
    LEGS_MAX,
    TEXT_LENGTH_MAX,
)
from exchange.contracts.order_commands import OrderLeg
from exchange.contracts.tables import COMMANDS, EVENTS, LEG_FIELDS, LEGS_FIELD
from tests.examples import examples

CONTRACTS = Path(codec.__file__).parent
TEXT_FIELDS = {
    "code", "symbol", "client_order_id", "cancel_client_order_id", "list_client_order_id",
    "new_client_order_id", "address", "leader_id", "detail", "signature",
}  # fmt: skip


def constructors(file: str) -> dict[str, list[tuple[str, str]]]:
    """Class name -> (parameter, annotation) of its constructor, read from the source: a compiled
    class does not tell."""
    found: dict[str, list[tuple[str, str]]] = {}
    for node in ast.parse((CONTRACTS / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    arguments = [a for a in method.args.args if a.arg != "self"]
                    found[node.name] = [(a.arg, ast.unparse(a.annotation or a)) for a in arguments]
    return found


@pytest.mark.parametrize(
    ("table", "file", "not_sent"),
    [(COMMANDS, "commands.py", {"Command", "Malformed"}), (EVENTS, "events.py", {"Outcome"})],
)
def test_tables_equal_the_constructors(table: dict[int, Any], file: str, not_sent: set[str]) -> None:
    parts = (file, f"order_{file}", f"filter_{file}", f"fee_{file}")
    declared = {name: fields for part in parts for name, fields in constructors(part).items()}
    leg = declared.pop("OrderLeg", [(name, "") for name in LEG_FIELDS])
    assert [name for name, _ in leg] == list(LEG_FIELDS)
    declared = {name: fields for name, fields in declared.items() if name not in not_sent}
    assert {cls.__name__ for cls, _ in table.values()} == set(declared)
    for cls, names in table.values():
        assert list(names) == [name for name, _ in declared[cls.__name__]]
        for name, annotation in declared[cls.__name__]:
            number = {"int", "i64"}  # which of them is a matter of speed: no field passes 63 bits
            text = name in TEXT_FIELDS
            expected = {"list[OrderLeg]"} if name == LEGS_FIELD else {"str"} if text else number
            assert annotation in expected, f"{cls.__name__}.{name}"


def test_every_command_and_event_class_has_a_tag() -> None:
    for modules, base, table in (
        ((commands, order_commands, filter_commands, fee_commands), Command, COMMANDS),
        ((events, order_events, filter_events, fee_events), Event, EVENTS),
    ):
        found = [c for module in modules for c in vars(module).values()]
        classes = {c for c in found if isinstance(c, type) and issubclass(c, base)}
        assert classes - {base, Malformed} == {cls for cls, _ in table.values()}


def instances(cls: Callable[..., Any], names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    text, integer = st.text(max_size=TEXT_LENGTH_MAX), st.integers(0, INTEGER_MAX)
    short = st.text(max_size=LEG_NAME_LENGTH_MAX)
    leg = st.builds(OrderLeg, *[short if name in TEXT_FIELDS else integer for name in LEG_FIELDS])
    legs = {LEGS_FIELD: st.lists(leg, max_size=LEGS_MAX)}
    return st.builds(cls, *[legs.get(name, text if name in TEXT_FIELDS else integer) for name in names])


any_command = st.one_of([instances(cls, names) for cls, names in COMMANDS.values()])
any_event = st.one_of([instances(cls, names) for cls, names in EVENTS.values()])


def fields(message: Any, table: dict[int, Any]) -> list[Any]:
    names = next(names for cls, names in table.values() if cls is type(message))
    values = {name: getattr(message, name) for name in names}
    if LEGS_FIELD in values:
        values[LEGS_FIELD] = [[getattr(leg, name) for name in LEG_FIELDS] for leg in values[LEGS_FIELD]]
    return [type(message), *values.values()]


@examples(50, 300, st.lists(any_command, min_size=1, max_size=5))
def test_commands_come_back_as_they_went(sent: list[Command]) -> None:
    received = decode_commands(encode_commands(sent))
    assert [fields(c, COMMANDS) for c in received] == [fields(c, COMMANDS) for c in sent]


@given(st.lists(st.lists(any_event, min_size=1, max_size=4), min_size=1, max_size=4))
def test_events_come_back_as_they_went(outcomes: list[list[Event]]) -> None:
    batch = batch_of(outcomes)
    received = decode_events(encode_events(batch))
    assert (received.shard, received.epoch) == (3, 9)
    for one, other in zip(received.outcomes, batch.outcomes, strict=True):
        assert one[:4] == other[:4]
        assert [r[:2] for r in one.events] == [r[:2] for r in other.events]
        assert [fields(r.event, EVENTS) for r in one.events] == [
            fields(r.event, EVENTS) for r in other.events
        ]


def batch_of(outcomes: list[list[Event]]) -> EventBatch:
    seq, digest, made = 0, EMPTY_CHAIN_HASH, []
    for index, decided in enumerate(outcomes):
        recorded = []
        for event in decided:
            seq += 1
            digest = chain_hash(digest, seq, 7, index, 5, 1_000, event)
            recorded.append(RecordedEvent(seq, digest, event))
        made.append(CommandOutcome(7, index, 5, 1_000, tuple(recorded)))
    return EventBatch(3, 9, tuple(made))


@given(st.binary(max_size=400))
def test_any_bytes_decode_to_commands(record: bytes) -> None:
    assert decode_commands(record)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)  # fmt: skip


@examples(
    25,
    500,
    st.lists(st.one_of(anything, st.tuples(st.integers(0, 13), st.lists(anything, max_size=14))), min_size=1),
)
def test_any_structure_decodes_to_as_many_commands(entries: list[Any]) -> None:
    decoded = decode_commands(msgspec.msgpack.encode((1, entries)))
    assert len(decoded) == len(entries)


@pytest.mark.parametrize(
    "entry",
    [
        [9, [7]],  # too few fields
        [9, [7, 5, 6]],  # too many
        [9, [7, -1]],  # negative
        [9, [7, 2**63]],  # more than 63 bits
        [9, [7, 1.0]],  # no integer
        [9, [7, "1"]],
        [9, [7, True]],
        [99, [7, 1]],  # unknown tag
        [6, [7, 1, 1, "x" * (TEXT_LENGTH_MAX + 1), 0]],  # too long
    ],
)
def test_wrong_field_becomes_a_malformed_command_with_the_senders_id(entry: list[Any]) -> None:
    before, wrong, after = decode_commands(msgspec.msgpack.encode((1, [[9, [1, 1]], entry, [9, [2, 2]]])))
    assert isinstance(before, SettleWithdrawal)
    assert isinstance(wrong, Malformed)
    assert wrong.command_id == 7
    assert isinstance(after, SettleWithdrawal)


def test_text_that_is_no_utf8_is_malformed() -> None:
    record = encode_commands([CancelAllOrders(7, 1, 1, "good", 0)]).replace(b"good", b"\xff\xfe\xfd\xfc")
    (command,) = decode_commands(record)
    assert isinstance(command, Malformed)


@pytest.mark.parametrize(
    "record", [b"", b"\xc0", msgspec.msgpack.encode((1, [])), msgspec.msgpack.encode((2, [[9, [1, 1]]]))]
)
def test_record_without_commands_or_of_another_format_is_one_malformed_command(record: bytes) -> None:
    (command,) = decode_commands(record)
    assert isinstance(command, Malformed)


def test_record_of_too_many_commands_is_one_malformed_command() -> None:
    record = encode_commands([SettleWithdrawal(1, 1)] * (COMMANDS_PER_RECORD_MAX + 1))
    (command,) = decode_commands(record)
    assert isinstance(command, Malformed)


@pytest.mark.parametrize("head", [b"\x92\x01\x91", b"\x92\x01\x91\x92\x09"])
def test_deeply_nested_bytes_are_malformed(head: bytes) -> None:
    (command,) = decode_commands(head + b"\x91" * 100_000 + b"\x00")
    assert isinstance(command, Malformed)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_events_raise_codec_error(record: bytes) -> None:
    with pytest.raises(CodecError):
        decode_events(record)


def test_damaged_event_record_raises_nothing_but_codec_error() -> None:
    record = encode_events(batch_of([[LeaderChanged("a", 1)]]))
    for position in range(len(record)):
        damaged = bytearray(record)
        damaged[position] ^= 0xFF
        with contextlib.suppress(CodecError):
            decode_events(bytes(damaged))


def test_hash_covers_place_time_and_every_field_but_not_the_epoch() -> None:
    base = (EMPTY_CHAIN_HASH, 1, 2, 3, 4, 5, LeaderChanged("a", 6))
    assert chain_hash(*base) == chain_hash(*base)
    changed = [
        (b"\x01" * 16, *base[1:]),
        *[(*base[:i], base[i] + 1, *base[i + 1 :]) for i in range(1, 6)],  # type: ignore[operator]
        (*base[:6], LeaderChanged("b", 6)),
        (*base[:6], LeaderChanged("a", 7)),
    ]
    assert len({chain_hash(*parts) for parts in changed} | {chain_hash(*base)}) == len(changed) + 1  # type: ignore[arg-type]
