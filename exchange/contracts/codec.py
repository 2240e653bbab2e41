"""The one codec: commands and events to bytes and back.

A command record is `[format, [[tag, field, …], …]]`: everything one sender had to say in one tick.
An event record of format 1 is `[1, shard, epoch, [outcome, …]]` with `outcome = [command_offset,
command_index, command_id, time_ms, first_seq, [[hash, tag, [field, …]], …]]`: one outcome for each
command, with at least one event. One of format 2 (ADR 0026) is `[2, shard, epoch, previous_hash,
[[hash, body], …]]` with `body`, as bytes, `[outcome, …]`, whose events have no hash of their own: `[tag,
[field, …]]`. All of it is MessagePack arrays. exchange/contracts/chain.py packs what the engine writes.

Decoding commands is total (design decision 12): bytes that are no command become `Malformed`.
Decoding events is strict: the engine alone writes them, so a bad one raises `CodecError`.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from exchange.contracts.chain import HASH_SIZE_BYTES, ChainLink
from exchange.contracts.commands import Command, Malformed
from exchange.contracts.events import Event
from exchange.contracts.fields import fields_decoder, fields_of_leg
from exchange.contracts.limits import (
    COMMANDS_PER_RECORD_MAX,
    INTEGER_MAX,
    TEXT_LENGTH_MAX,
)
from exchange.contracts.tables import COMMANDS, EVENTS

__all__ = [
    "EMPTY_CHAIN_HASH",
    "CodecError",
    "CommandOutcome",
    "EventBatch",
    "EventRecord",
    "ReadLink",
    "RecordedEvent",
    "chain_hash",
    "decode_commands",
    "decode_events",
    "encode_commands",
    "encode_events",
    "field_names",
    "first_wrong_seq",
    "last_outcome",
    "link_hash",
    "linked_rows",
    "outcome_in",
    "outcomes_beginning_with",
    "outcomes_of",
    "read_links",
]

FORMAT: Final = 1
EVENT_FORMATS: Final = (1, 2)
# What msgspec raises on bytes that it cannot read; RecursionError on arrays nested too deep.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
EMPTY_CHAIN_HASH: Final = bytes(HASH_SIZE_BYTES)


class CodecError(ValueError):
    """Bytes on the event log are not what the engine writes: stop, do not guess."""


# Tag -> the rules version that brings this kind of command, of the others 1. Under older rules the engine
# refuses such a command as code that does not know its tag does (core/administration.py).
FIRST_RULES_VERSION: Final[dict[int, int]] = {21: 2, 22: 4, 23: 4, 24: 4, 25: 4, 50: 5} | dict.fromkeys(
    range(40, 45), 5
)
UNKNOWN_TAG: Final = "unknown command tag"


class RecordedEvent(NamedTuple):
    """An event with its place in the shard's chain.

    `hash`: the chain's as far as `seq`. Within a link of format 2 it is the hash before the link, and from
    its last event on the link's own: whoever stops within a link checks it whole when it goes on.
    """

    seq: int
    hash: bytes
    event: Event


class CommandOutcome(NamedTuple):
    """Everything one command caused. `command_offset`, `command_index`: its place on the command log."""

    command_offset: int
    command_index: int
    command_id: int
    time_ms: int
    events: tuple[RecordedEvent, ...]


class EventBatch(NamedTuple):
    """One record of the event log."""

    shard: int
    epoch: int
    outcomes: tuple[CommandOutcome, ...]


class ReadLink(NamedTuple):
    """What one hash covers, as read. `previous`, `body`: of format 2; format 1 has them in its events."""

    form: int
    previous: bytes
    hash: bytes
    body: bytes
    outcomes: tuple[CommandOutcome, ...]

    @property
    def first_seq(self) -> int:
        """Of its first event."""
        return self.outcomes[0].events[0].seq

    @property
    def last_seq(self) -> int:
        """Of its last event."""
        return self.outcomes[-1].events[-1].seq


class EventRecord(NamedTuple):
    """One record of the event log, by what its hashes cover."""

    shard: int
    epoch: int
    links: tuple[ReadLink, ...]


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Reads a message's fields as a tuple; of one field `attrgetter` would give the bare value."""
    if len(names) == 1:
        name = names[0]
        return lambda message: (getattr(message, name),)
    return attrgetter(*names)


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=fields_of_leg)
_TAG_OF: Final = {cls: tag for table in (COMMANDS, EVENTS) for tag, (cls, _) in table.items()}
_FIELDS_OF: Final = {cls: _getter(names) for table in (COMMANDS, EVENTS) for cls, names in table.values()}
_COMMAND_DECODERS: Final = {tag: (cls, fields_decoder(names)) for tag, (cls, names) in COMMANDS.items()}
_EVENT_DECODERS: Final = {tag: (cls, fields_decoder(names)) for tag, (cls, names) in EVENTS.items()}
_command_record_decoder: Final = msgspec.msgpack.Decoder(
    tuple[int, Annotated[list[msgspec.Raw], msgspec.Meta(max_length=COMMANDS_PER_RECORD_MAX)]]
)
_command_entry_decoder: Final = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
_command_id_decoder: Final = msgspec.msgpack.Decoder(list[Any])
_HashedRow = tuple[int, int, int, int, int, list[tuple[bytes, int, msgspec.Raw]]]
_hashed_row_decoder: Final = msgspec.msgpack.Decoder(_HashedRow)
_event_record_decoder: Final = msgspec.msgpack.Decoder(tuple[int, int, int, list[_HashedRow]])
_linked_record_decoder: Final = msgspec.msgpack.Decoder(
    tuple[int, int, int, bytes, list[tuple[bytes, bytes]]]
)
_Row = tuple[int, int, int, int, int, list[tuple[int, msgspec.Raw]]]
_body_decoder: Final = msgspec.msgpack.Decoder(list[_Row])
_row_decoder: Final = msgspec.msgpack.Decoder(_Row)


def field_names(message: type[Command] | type[Event]) -> tuple[str, ...]:
    """The constructor's parameters of a message, in order; the same in both builds of the engine."""
    return next(names for table in (COMMANDS, EVENTS) for cls, names in table.values() if cls is message)


def first_rules_version(command: Command) -> int:
    """The rules version that brings this kind of command; of `Malformed`, its tag's."""
    if isinstance(command, Malformed):
        return FIRST_RULES_VERSION.get(command.tag, 1)
    return FIRST_RULES_VERSION.get(_TAG_OF.get(type(command), 0), 1)


def encode_commands(commands: Sequence[Command]) -> bytes:
    """Pack the commands of one tick into one record."""
    return _encoder.encode((FORMAT, [(_TAG_OF[type(c)], _FIELDS_OF[type(c)](c)) for c in commands]))


def decode_commands(record: bytes) -> list[Command]:
    """Unpack a record; what is no command comes back as `Malformed`. Never raises, never empty."""
    try:
        form, entries = _command_record_decoder.decode(record)
    except _UNREADABLE as error:
        return [Malformed(0, str(error)[:TEXT_LENGTH_MAX], 0)]
    if form != FORMAT or not entries:
        return [Malformed(0, f"record of format {form} with {len(entries)} commands"[:TEXT_LENGTH_MAX], 0)]
    return [_decode_command(entry) for entry in entries]


def _decode_command(entry: msgspec.Raw) -> Command:
    fields: msgspec.Raw | None = None
    tag = 0
    try:
        tag, fields = _command_entry_decoder.decode(entry)
        cls, decoder = _COMMAND_DECODERS[tag]
        command: Command = cls(*decoder.decode(fields))
        return command
    except KeyError:
        return Malformed(_salvaged_command_id(fields), UNKNOWN_TAG, 0)
    except _UNREADABLE as error:
        return Malformed(_salvaged_command_id(fields), str(error)[:TEXT_LENGTH_MAX], tag)


def _salvaged_command_id(fields: msgspec.Raw | None) -> int:
    """The sender's id, if it can be read, so that it need not wait for its deadline."""
    if fields is None:
        return 0
    try:
        values = _command_id_decoder.decode(fields)
    except _UNREADABLE:
        return 0
    first = values[0] if values else 0
    return first if type(first) is int and 0 <= first <= INTEGER_MAX else 0


def chain_hash(
    previous: bytes,
    seq: int,
    command_offset: int,
    command_index: int,
    command_id: int,
    time_ms: int,
    event: Event,
) -> bytes:
    """The running hash after `event`. `epoch` stays outside, so that two leaders' events are equal."""
    kind = type(event)
    payload = _encoder.encode(
        (seq, command_offset, command_index, command_id, time_ms, _TAG_OF[kind], _FIELDS_OF[kind](event))
    )
    return blake2b(previous + payload, digest_size=HASH_SIZE_BYTES).digest()


def encode_events(batch: EventBatch) -> bytes:
    """Pack a batch of outcomes into one record."""
    outcomes = [
        (
            o.command_offset,
            o.command_index,
            o.command_id,
            o.time_ms,
            o.events[0].seq,
            [(r.hash, _TAG_OF[type(r.event)], _FIELDS_OF[type(r.event)](r.event)) for r in o.events],
        )
        for o in batch.outcomes
    ]
    return _encoder.encode((FORMAT, batch.shard, batch.epoch, outcomes))


def decode_events(record: bytes) -> EventBatch:
    """Unpack a record of the event log. Raises CodecError."""
    shard, epoch, links = read_links(record)
    return EventBatch(shard, epoch, tuple(outcome for link in links for outcome in link.outcomes))


def last_outcome(record: bytes) -> CommandOutcome:
    """The last outcome of a record of the event log, without making the events before it. Raises CodecError.

    A start looks so for the newest event: a record may hold thousands of outcomes.
    """
    try:
        if _known_form_of(record) == 1:
            rows = _event_record_decoder.decode(record)[3]
            return _hashed_outcome(rows[-1])
        _, _, _, previous, links = _linked_record_decoder.decode(record)
        digest, body = links[-1]
        before = links[-2][0] if len(links) > 1 else previous
        return _outcome(_body_decoder.decode(body)[-1], before, digest)
    except (*_UNREADABLE, LookupError) as error:
        raise CodecError(f"event record cannot be read: {error}") from error


def outcomes_beginning_with(kind: type[Event], record: bytes) -> list[CommandOutcome]:
    """The outcomes of a record whose first event is of that kind; no other event is made. Raises CodecError.

    Their events carry no hash in format 2.
    """
    wanted = _TAG_OF[kind]
    try:
        if _known_form_of(record) == 1:
            hashed = _event_record_decoder.decode(record)[3]
            return [_hashed_outcome(row) for row in hashed if row[5] and row[5][0][1] == wanted]
        rows = (
            row for _, body in _linked_record_decoder.decode(record)[4] for row in _body_decoder.decode(body)
        )
        return [_outcome(row, b"", b"") for row in rows if row[5] and row[5][0][0] == wanted]
    except (*_UNREADABLE, LookupError) as error:
        raise CodecError(f"event record cannot be read: {error}") from error


def read_links(record: bytes) -> EventRecord:
    """Unpack a record of the event log, of either format. Raises CodecError."""
    try:
        return _hashed_outcomes(record) if _known_form_of(record) == 1 else _hashed_links(record)
    except (*_UNREADABLE, KeyError) as error:
        raise CodecError(f"event record cannot be read: {error}") from error


def linked_rows(record: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]] | None:
    """The hash before a record, and (hash, body) of each link; None: of format 1. Raises CodecError."""
    if _known_form_of(record) == 1:
        return None
    try:
        return _linked_record_decoder.decode(record)[3:]
    except _UNREADABLE as error:
        raise CodecError(f"event record cannot be read: {error}") from error


def outcome_in(row: bytes) -> CommandOutcome:
    """One outcome of a link's body, its events without a hash. Raises CodecError."""
    try:
        return _outcome(_row_decoder.decode(row), b"", b"")
    except (*_UNREADABLE, KeyError) as error:
        raise CodecError(f"event record cannot be read: {error}") from error


def outcomes_of(links: Sequence[ChainLink]) -> list[CommandOutcome]:
    """What the engine has decided, as whoever reads the event log gets it."""
    outcomes: list[CommandOutcome] = []
    for link in links:
        if link.form == 1:
            outcomes.append(_hashed_outcome(_hashed_row_decoder.decode(link.body)))
        else:
            outcomes += _outcomes(link.previous, link.hash, link.body)
    return outcomes


def first_wrong_seq(link: ReadLink, digest: bytes) -> int:
    """The first seq whose hash does not follow from `digest`, the chain's before the link; 0 when all do.

    In format 2 that is the link's last: no other has one.
    """
    if link.form == 1:
        (outcome,) = link.outcomes
        place = outcome.command_offset, outcome.command_index, outcome.command_id, outcome.time_ms
        for recorded in outcome.events:
            digest = chain_hash(digest, recorded.seq, *place, recorded.event)
            if digest != recorded.hash:
                return recorded.seq
        return 0
    follows = digest == link.previous and link_hash(digest, link.body) == link.hash
    return 0 if follows else link.last_seq


def link_hash(previous: bytes, body: bytes) -> bytes:
    """The chain's hash after a link of format 2."""
    return blake2b(previous + body, digest_size=HASH_SIZE_BYTES).digest()


def _known_form_of(record: bytes) -> int:
    """The format of an event record: its first entry. Raises CodecError on one that nobody reads."""
    # Both are arrays of less than sixteen entries.
    form = record[1] if len(record) > 1 and record[0] & 0xF0 == 0x90 else 0
    if form not in EVENT_FORMATS:
        raise CodecError(f"event record of unknown format {form}")
    return form


def _hashed_outcomes(record: bytes) -> EventRecord:
    _, shard, epoch, rows = _event_record_decoder.decode(record)
    links = []
    for row in rows:
        outcome = _hashed_outcome(row)
        links.append(ReadLink(1, b"", outcome.events[-1].hash if outcome.events else b"", b"", (outcome,)))
    return EventRecord(shard, epoch, tuple(links))


def _hashed_outcome(row: _HashedRow) -> CommandOutcome:
    offset, index, command_id, time_ms, first_seq, entries = row
    recorded = []
    for position, (digest, tag, fields) in enumerate(entries):
        cls, decoder = _EVENT_DECODERS[tag]
        recorded.append(RecordedEvent(first_seq + position, digest, cls(*decoder.decode(fields))))
    return CommandOutcome(offset, index, command_id, time_ms, tuple(recorded))


def _hashed_links(record: bytes) -> EventRecord:
    _, shard, epoch, previous, rows = _linked_record_decoder.decode(record)
    links = []
    for digest, body in rows:
        links.append(ReadLink(2, previous, digest, body, tuple(_outcomes(previous, digest, body))))
        previous = digest
    return EventRecord(shard, epoch, tuple(links))


def _outcomes(previous: bytes, digest: bytes, body: bytes) -> list[CommandOutcome]:
    rows = _body_decoder.decode(body)
    if not rows:
        raise CodecError("a link of the chain without outcomes")
    return [*(_outcome(row, previous, previous) for row in rows[:-1]), _outcome(rows[-1], previous, digest)]


def _outcome(row: _Row, previous: bytes, digest: bytes) -> CommandOutcome:
    """`previous`: the hash before the link. `digest`: of the outcome's last event."""
    offset, index, command_id, time_ms, first_seq, entries = row
    recorded, last_seq = [], first_seq + len(entries) - 1
    for seq, (tag, fields) in enumerate(entries, first_seq):
        cls, decoder = _EVENT_DECODERS[tag]
        known = digest if seq == last_seq else previous
        recorded.append(RecordedEvent(seq, known, cls(*decoder.decode(fields))))
    return CommandOutcome(offset, index, command_id, time_ms, tuple(recorded))
