"""What is fuzzed: functions of bytes that raise when a promise is broken, and a few inputs to begin with.

Decoding is total (design decision 12): each target lets the documented errors pass and nothing else.
"""

import contextlib
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from exchange.adapters.files import log_format
from exchange.adapters.files.log import FileLog
from exchange.adapters.files.objects import FolderStore
from exchange.contracts.codec import (
    CodecError,
    decode_commands,
    decode_events,
    encode_commands,
    encode_events,
    outcomes_of,
)
from exchange.contracts.commands import ActivateRules, Command, CreditDeposit, Malformed
from exchange.contracts.errors import ApiError
from exchange.contracts.events import CommandRejected
from exchange.contracts.tables import COMMANDS
from exchange.contracts.unpacking import read_commands
from exchange.http import query_parameters as shared
from exchange.log.records import records_between
from exchange.money import NumberError, format_fixed, parse_fixed
from exchange.ports.world import LogError, LogRecord
from exchange.process.tracing import TRACED_COMMANDS_MAX, parse_traceparent, traced_commands, traces_header
from matching_engine.core.engine import Engine
from matching_engine.core.invariants import check_invariants
from matching_engine.core.rules_version import UnknownRulesError
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows, to_rows
from matching_engine.genesis import genesis_commands
from matching_engine.snapshots import Snapshots
from services.market_data.rest import parameters as query
from services.market_data.streams import control
from services.market_data.streams import names as stream_names
from services.order.doors import ws_requests
from services.order.doors.authentication import signed_payload
from services.order.doors.rest import parse_parameters
from services.order.requests import parameters
from services.order.requests.order_list import (
    parse_legacy_oco,
    parse_oco,
    parse_opo,
    parse_opoco,
    parse_oto,
    parse_otoco,
)
from services.order.requests.placement import parse_placement
from services.order.view.model import AccountView
from services.user.doors.problems import ProblemError
from services.user.doors.request_guard import check_json
from tests.fuzz.chosen import START_MS, USERS, ChosenByBytes

__all__ = ["TARGETS", "Target"]

_INTEGER_NAMES: Final = ("orderId", "limit", "timestamp", "recvWindow", "startTime")


@dataclass(frozen=True)
class Target:
    """A function to fuzz. `is_text`: its inputs are mostly text."""

    run: Callable[[bytes], None]
    is_text: bool = False


# -- the log -------------------------------------------------------------------------------------


def commands(data: bytes) -> None:
    """A record of commands: never an exception, never empty; what is accepted is encoded as it was.

    The quick way (exchange/contracts/unpacking.py) takes nothing that the codec does not, and takes it alike.
    """
    decoded = decode_commands(data)
    assert decoded
    quick = read_commands(data)
    if quick is not None:
        assert encode_commands(quick) == encode_commands(decoded)
    whole = [command for command in decoded if not isinstance(command, Malformed)]
    if whole:
        encoded = encode_commands(whole)
        assert encode_commands(decode_commands(encoded)) == encoded


def events(data: bytes) -> None:
    """A record of events: CodecError, or what is encoded as it was."""
    try:
        batch = decode_events(data)
    except CodecError:
        return
    if all(outcome.events for outcome in batch.outcomes):
        encoded = encode_events(batch)
        assert encode_events(decode_events(encoded)) == encoded


def _new_shard() -> Shard:
    shard = Shard(Engine())
    shard.apply_record(0, START_MS, encode_commands(genesis_commands()))
    credits: list[Command] = [
        CreditDeposit(1, user_id, asset_id, 10**15, user_id * 10 + asset_id)
        for user_id in USERS
        for asset_id in (1, 2, 3)
    ]
    shard.apply_record(1, START_MS, encode_commands(credits))
    return shard


_BEGINNING: Final = msgspec.msgpack.encode(to_rows(_new_shard()))


def poison(data: bytes) -> None:
    """Any bytes on the command log: each command has its outcome, a malformed one is refused."""
    shard = from_rows(msgspec.msgpack.decode(_BEGINNING), Engine())
    decoded = decode_commands(data)
    try:
        outcomes = outcomes_of(shard.apply_record(2, START_MS + 1, data))
    except UnknownRulesError:
        # By design the engine stops there (design decision 6): the only command that may do so.
        assert any(isinstance(command, ActivateRules) for command in decoded)
        return
    assert len(outcomes) == len(decoded)
    for command, outcome in zip(decoded, outcomes, strict=True):
        assert outcome.command_id == command.command_id
        assert outcome.events
        if isinstance(command, Malformed):
            assert [type(recorded.event) for recorded in outcome.events] == [CommandRejected]
    check_invariants(shard.engine)
    _survives_snapshot(shard)


def trading(data: bytes) -> None:
    """Well-formed commands made of the bytes, with values that no service would send."""
    chance = ChosenByBytes(data)
    made: list[Command] = []
    while not chance.is_empty and len(made) < 64:
        tags = sorted(COMMANDS)
        cls, names = COMMANDS[tags[chance.number(len(tags))]]
        made.append(cls(*(chance.field(name) for name in names)))
    if made:
        poison(encode_commands(made))


def _survives_snapshot(shard: Shard) -> None:
    rows = msgspec.msgpack.encode(to_rows(shard))
    assert msgspec.msgpack.encode(to_rows(from_rows(msgspec.msgpack.decode(rows), Engine()))) == rows


# -- files ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fuzz-files-") as name:
        yield Path(name)


def snapshot(data: bytes) -> None:
    """A snapshot's file with any content: it is torn, and the one before is taken."""
    import asyncio

    with _folder() as folder:
        (folder / "snapshot-00000000000000000002-00000000000000000099").write_bytes(data)
        loaded = asyncio.run(Snapshots(FolderStore(folder)).load_newest(Engine()))
        assert loaded is None


_LOG_SALT: Final = 7
_LOG_RECORDS: Final = [LogRecord(offset, START_MS, bytes([offset]) * offset) for offset in range(5)]


def _old_frame(record: LogRecord) -> bytes:
    stamped = record.timestamp_ms.to_bytes(8, "little") + record.value
    return struct.pack("<II", len(record.value), zlib.crc32(stamped)) + stamped


# Two batches, and what an older version would have written.
_LOG_FILES: Final = {
    f"{0:020d}.log": log_format.file_header(_LOG_SALT, 0)
    + log_format.batch(_LOG_SALT, 0, _LOG_RECORDS[:2])
    + log_format.batch(_LOG_SALT, 2, _LOG_RECORDS[2:]),
    f"{0:020d}.log1": b"".join(map(_old_frame, _LOG_RECORDS)),
}


def log_file(data: bytes) -> None:
    """An embedded log with any bytes behind it: what was there is there, or all is refused and left alone."""
    import asyncio

    for name, whole in _LOG_FILES.items():
        with _folder() as folder:
            (folder / name).write_bytes(whole + data)
            try:
                found = asyncio.run(_log_records(folder))
            except LogError:
                assert (folder / name).read_bytes() == whole + data
                continue
            assert found[: len(_LOG_RECORDS)] == _LOG_RECORDS


async def _log_records(folder: Path) -> list[LogRecord]:
    log = await FileLog.open(folder, 5_000)
    try:
        end = await log.end_offset()
        return [record async for record in records_between(log, 0, end)]
    finally:
        await log.close()


# -- requests ------------------------------------------------------------------------------------


def money(data: bytes) -> None:
    """An amount as text: a NumberError, or a number that is written and read the same."""
    decimals, text = (data[0] % 19 if data else 0), data[1:].decode("utf-8", "surrogateescape")
    try:
        value = parse_fixed(text, decimals)
    except NumberError:
        return
    assert 0 <= value < 2**63
    canonical = format_fixed(value, decimals)
    assert parse_fixed(canonical, decimals) == value
    assert format_fixed(parse_fixed(canonical, decimals), decimals) == canonical


def _new_view() -> AccountView:
    view = AccountView()
    links = Shard(Engine()).apply_record(0, START_MS, encode_commands(genesis_commands()))
    for outcome in outcomes_of(links):
        view.apply(outcome)
    return view


_VIEW: Final = _new_view()
_LISTS: Final = (parse_oco, parse_legacy_oco, parse_oto, parse_otoco, parse_opo, parse_opoco)


def order_parameters(data: bytes) -> None:
    """Query and body (parted by a line break) of a request for an order."""
    line, _, body = data.partition(b"\n")
    signed_payload(line, body)
    with contextlib.suppress(ApiError):
        found = parse_parameters(line, body)
        readings: list[Callable[[], object]] = [
            *(partial(shared.integer, found, name) for name in _INTEGER_NAMES),
            partial(parameters.amount, found, "price", 8),
            partial(shared.boolean, found, "computeCommissionRates"),
            partial(parameters.limit, found),
            partial(parameters.client_order_id, found, "newClientOrderId"),
            lambda: parse_placement(found, _VIEW).command(1, 1001, START_MS),
            *(partial(_listed, parse, found) for parse in _LISTS),
        ]
        for read in readings:
            with contextlib.suppress(ApiError):
                _all_integers_fit(read())


def _listed(parse: Callable[..., Any], found: dict[str, str]) -> object:
    return parse(found, _VIEW).command(1, 1001, START_MS)


def _all_integers_fit(value: Any) -> None:
    """What goes to the engine must come out of the codec as it went in."""
    if isinstance(value, Command):
        assert not isinstance(decode_commands(encode_commands([value]))[0], Malformed)


def websocket_request(data: bytes) -> None:
    """A message on the WebSocket API: ApiError, or texts that can be signed and an id that can be sent."""
    try:
        request = ws_requests.decode_request(data.decode("utf-8", "replace"))
        found = ws_requests.texts(request.params)
    except ApiError:
        return
    ws_requests.sign_payload(found)
    orjson.loads(ws_requests.reply(request.id, found, None))
    with contextlib.suppress(ApiError):
        parse_placement(found, _VIEW)


def stream_control(data: bytes) -> None:
    """A message on a stream socket, and the names of streams."""
    text = data.decode("utf-8", "replace")
    stream_names.parse_stream_name(text[: stream_names.NAME_LENGTH_MAX])
    try:
        request = control.parse_request(text)
    except control.ControlError as error:
        orjson.loads(error.message)
        return
    orjson.loads(control.result_message(request.request_id, list(request.names)))
    for name in request.names:
        stream_names.parse_stream_name(name)


def market_query(data: bytes) -> None:
    """The query of a public request."""
    try:
        found = query.parse_query(data, None)
    except ApiError:
        return
    for read in (
        lambda: shared.time_ms(found, "startTime"),
        lambda: query.limit(found, 500, 1_000),
        lambda: shared.boolean(found, "omit"),
        lambda: query.interval(found),
        lambda: query.zone_offset_ms(found),
        lambda: query.text_list(found, "symbols", ""),
        lambda: query.status_filter(found),
    ):
        with contextlib.suppress(ApiError):
            read()


def user_body(data: bytes) -> None:
    """A body of the user service: a ProblemError, or JSON that every reader understands alike."""
    try:
        check_json(data)
    except ProblemError:
        return
    msgspec.json.decode(data)


def trace_header(data: bytes) -> None:
    """What is read of a header would be written so that it is read again."""
    found = traced_commands((("exchange-trace", data),))
    assert len(found) <= TRACED_COMMANDS_MAX
    assert traced_commands(traces_header(found)) == found
    parse_traceparent(data)


TARGETS: Final[dict[str, Target]] = {
    "commands": Target(commands),
    "events": Target(events),
    "poison": Target(poison),
    "trading": Target(trading),
    "snapshot": Target(snapshot),
    "log_file": Target(log_file),
    "money": Target(money, is_text=True),
    "order_parameters": Target(order_parameters, is_text=True),
    "websocket_request": Target(websocket_request, is_text=True),
    "stream_control": Target(stream_control, is_text=True),
    "market_query": Target(market_query, is_text=True),
    "trace_header": Target(trace_header, is_text=True),
    "user_body": Target(user_body, is_text=True),
}
