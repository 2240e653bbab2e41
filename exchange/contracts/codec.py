"""The one codec: commands and events to bytes and back.

A command record is `[format, [[tag, field, …], …]]`: everything one sender had to say in one tick.
An event record is `[format, shard, epoch, [outcome, …]]` with `outcome = [command_offset,
command_index, command_id, time_ms, first_seq, [[hash, tag, [field, …]], …]]`: one outcome for each
command, with at least one event. All of it is MessagePack arrays.

Decoding commands is total (design decision 12): bytes that are no command become `Malformed`.
Decoding events is strict: the engine alone writes them, so a bad one raises `CodecError`.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple, cast

import msgspec

from exchange.contracts.commands import (
    ActivateRules,
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    LeaderElected,
    Malformed,
    PlaceOrder,
    RegisterAsset,
    RegisterMarket,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
    SetTradingMode,
    SkipCommand,
)
from exchange.contracts.events import (
    AssetRegistered,
    CommandRejected,
    DepositCredited,
    Event,
    LeaderChanged,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    RulesActivated,
    SkipRecorded,
    TradeExecuted,
    TradingModeChanged,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.limits import COMMANDS_PER_RECORD_MAX, INTEGER_MAX, TEXT_LENGTH_MAX

__all__ = [
    "EMPTY_CHAIN_HASH",
    "CodecError",
    "CommandOutcome",
    "EventBatch",
    "RecordedEvent",
    "chain_hash",
    "decode_commands",
    "decode_events",
    "encode_commands",
    "encode_events",
    "field_names",
]

FORMAT: Final = 1
HASH_SIZE_BYTES: Final = 16
# What msgspec raises on bytes that it cannot read; RecursionError on arrays nested too deep.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
EMPTY_CHAIN_HASH: Final = bytes(HASH_SIZE_BYTES)

_TEXT_FIELDS: Final = frozenset(
    {
        "code",
        "symbol",
        "client_order_id",
        "cancel_client_order_id",
        "address",
        "leader_id",
        "detail",
        "signature",
    }
)


class CodecError(ValueError):
    """Bytes on the event log are not what the engine writes: stop, do not guess."""


def _row(cls: type[Any], names: str) -> tuple[type[Any], tuple[str, ...]]:
    return cls, tuple(names.split())


# Tag -> class and the constructor's fields in order; a test holds it equal to the classes. A tag is
# never reused, a field never moved: old logs must stay readable.
COMMANDS: Final[dict[int, tuple[type[Command], tuple[str, ...]]]] = {
    1: _row(
        RegisterAsset,
        "command_id asset_id code decimals",
    ),
    2: _row(
        RegisterMarket,
        "command_id market_id symbol base_asset_id quote_asset_id tick_atoms lot_atoms "
        "price_ticks_min price_ticks_max quantity_lots_min quantity_lots_max "
        "market_quantity_lots_max notional_atoms_min notional_atoms_max bid_multiplier_up_ppm "
        "bid_multiplier_down_ppm ask_multiplier_up_ppm ask_multiplier_down_ppm open_orders_max "
        "maker_fee_ppm taker_fee_ppm",
    ),
    3: _row(
        SetTradingMode,
        "command_id market_id mode",
    ),
    4: _row(
        PlaceOrder,
        "command_id user_id market_id client_order_id side order_type time_in_force price_ticks "
        "quantity_lots quote_quantity_atoms stp_mode valid_until_ms",
    ),
    5: _row(
        CancelOrder,
        "command_id user_id market_id order_id client_order_id cancel_client_order_id restriction "
        "valid_until_ms",
    ),
    6: _row(
        CancelAllOrders,
        "command_id user_id market_id cancel_client_order_id valid_until_ms",
    ),
    7: _row(
        CreditDeposit,
        "command_id user_id asset_id amount_atoms deposit_id",
    ),
    8: _row(
        ReserveWithdrawal,
        "command_id user_id asset_id amount_atoms withdrawal_id address",
    ),
    9: _row(
        SettleWithdrawal,
        "command_id withdrawal_id",
    ),
    10: _row(
        ReleaseWithdrawal,
        "command_id withdrawal_id",
    ),
    11: _row(
        LeaderElected,
        "command_id leader_id epoch",
    ),
    12: _row(
        ActivateRules,
        "command_id version",
    ),
    20: _row(
        SkipCommand,
        "command_id offset index signature",
    ),
}
EVENTS: Final[dict[int, tuple[type[Event], tuple[str, ...]]]] = {
    1: _row(
        CommandRejected,
        "user_id market_id reason client_order_id detail",
    ),
    2: _row(
        AssetRegistered,
        "asset_id code decimals",
    ),
    3: _row(
        MarketRegistered,
        "market_id symbol base_asset_id quote_asset_id tick_atoms lot_atoms notional_unit_atoms "
        "price_ticks_min price_ticks_max quantity_lots_min quantity_lots_max "
        "market_quantity_lots_max notional_atoms_min notional_atoms_max bid_multiplier_up_ppm "
        "bid_multiplier_down_ppm ask_multiplier_up_ppm ask_multiplier_down_ppm open_orders_max "
        "maker_fee_ppm taker_fee_ppm",
    ),
    4: _row(
        TradingModeChanged,
        "market_id mode",
    ),
    5: _row(
        OrderAccepted,
        "order_id user_id market_id client_order_id side order_type time_in_force price_ticks "
        "quantity_lots quote_quantity_atoms stp_mode held_atoms resting_lots",
    ),
    6: _row(
        TradeExecuted,
        "market_id trade_id taker_side price_ticks quantity_lots base_atoms quote_atoms "
        "buyer_order_id buyer_user_id buyer_fee_atoms buyer_released_atoms seller_order_id "
        "seller_user_id seller_fee_atoms",
    ),
    7: _row(
        OrderClosed,
        "order_id user_id market_id side price_ticks status reason released_atoms unbooked_lots "
        "cancel_client_order_id counter_order_id",
    ),
    8: _row(
        DepositCredited,
        "user_id asset_id amount_atoms deposit_id",
    ),
    9: _row(
        WithdrawalReserved,
        "user_id asset_id amount_atoms withdrawal_id address",
    ),
    10: _row(
        WithdrawalSettled,
        "user_id asset_id amount_atoms withdrawal_id",
    ),
    11: _row(
        WithdrawalReleased,
        "user_id asset_id amount_atoms withdrawal_id",
    ),
    12: _row(
        LeaderChanged,
        "leader_id epoch",
    ),
    13: _row(
        RulesActivated,
        "version",
    ),
    20: _row(
        SkipRecorded,
        "offset index",
    ),
}


# Tag -> the rules version that brings this kind of command, of the others 1. Under older rules the engine
# refuses such a command as code that does not know its tag does (core/administration.py).
FIRST_RULES_VERSION: Final[dict[int, int]] = {}
UNKNOWN_TAG: Final = "unknown command tag"


class RecordedEvent(NamedTuple):
    """An event with its place in the shard's chain."""

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


def _field_type(name: str) -> Any:
    if name in _TEXT_FIELDS:
        return Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)]
    return Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]


def _decoder(names: Sequence[str]) -> msgspec.msgpack.Decoder[Any]:
    # Built at run time: typing has no spelling for "a tuple of these types in this order".
    fields = cast(Any, tuple).__class_getitem__(tuple(_field_type(name) for name in names))
    return msgspec.msgpack.Decoder(fields)


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Reads a message's fields as a tuple; of one field `attrgetter` would give the bare value."""
    if len(names) == 1:
        name = names[0]
        return lambda message: (getattr(message, name),)
    return attrgetter(*names)


_encoder: Final = msgspec.msgpack.Encoder()
_TAG_OF: Final = {cls: tag for table in (COMMANDS, EVENTS) for tag, (cls, _) in table.items()}
_FIELDS_OF: Final = {cls: _getter(names) for table in (COMMANDS, EVENTS) for cls, names in table.values()}
_COMMAND_DECODERS: Final = {tag: (cls, _decoder(names)) for tag, (cls, names) in COMMANDS.items()}
_EVENT_DECODERS: Final = {tag: (cls, _decoder(names)) for tag, (cls, names) in EVENTS.items()}
_CommandEntry = tuple[int, msgspec.Raw]
_command_record_decoder: Final = msgspec.msgpack.Decoder(
    tuple[int, Annotated[list[msgspec.Raw], msgspec.Meta(max_length=COMMANDS_PER_RECORD_MAX)]]
)
_command_entry_decoder: Final = msgspec.msgpack.Decoder(_CommandEntry)
_command_id_decoder: Final = msgspec.msgpack.Decoder(list[Any])
_event_record_decoder: Final = msgspec.msgpack.Decoder(
    tuple[int, int, int, list[tuple[int, int, int, int, int, list[tuple[bytes, int, msgspec.Raw]]]]]
)


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
    try:
        form, shard, epoch, rows = _event_record_decoder.decode(record)
        if form != FORMAT:
            raise CodecError(f"event record of unknown format {form}")
        outcomes = []
        for offset, index, command_id, time_ms, first_seq, entries in rows:
            recorded = []
            for position, (digest, tag, fields) in enumerate(entries):
                cls, decoder = _EVENT_DECODERS[tag]
                recorded.append(RecordedEvent(first_seq + position, digest, cls(*decoder.decode(fields))))
            outcomes.append(CommandOutcome(offset, index, command_id, time_ms, tuple(recorded)))
        return EventBatch(shard, epoch, tuple(outcomes))
    except (*_UNREADABLE, KeyError) as error:
        raise CodecError(f"event record cannot be read: {error}") from error
