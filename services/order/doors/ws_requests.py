"""Requests and replies of the WebSocket API as bytes (binance-spot-api 5 and rule 0.7)."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec
import orjson

from exchange.contracts.errors import ApiError, LimitError

__all__ = [
    "Request",
    "decode_request",
    "error_reply",
    "own_names",
    "raw_reply",
    "readable_id",
    "refuse_all",
    "reply",
    "sign_payload",
    "texts",
]

DEPTH_MAX: Final = 8
_ENVELOPE_NAMES: Final = frozenset({"apiKey", "returnRateLimits"})

Id = (
    Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[str, msgspec.Meta(max_length=36)]
    | None
)


class Request(msgspec.Struct):
    """One request. Parameters stay raw, so that no number ever becomes a float."""

    method: Annotated[str, msgspec.Meta(max_length=64)]
    id: Id = None
    params: Annotated[dict[str, msgspec.Raw], msgspec.Meta(max_length=64)] | None = None


class _Envelope(msgspec.Struct):
    """What a reply needs of a request that is none."""

    id: Id = None


_decoder: Final = msgspec.json.Decoder(Request)
_envelope_decoder: Final = msgspec.json.Decoder(_Envelope)
_text_decoder: Final = msgspec.json.Decoder(str)


def decode_request(text: str) -> Request:
    """Read a request. Raises ApiError -1135."""
    try:
        request = _decoder.decode(text.encode())
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ApiError(-1135, "Invalid JSON Request") from None
    request.method = request.method.removeprefix("v3/")
    return request


def readable_id(text: str) -> int | str | None:
    """The id of what is no request, so that its sender need not wait for an answer; None without one."""
    try:
        return _envelope_decoder.decode(text.encode()).id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def texts(raw: Mapping[str, msgspec.Raw] | None) -> dict[str, str]:
    """Parameters as the texts that were signed: numbers as written, booleans as true and false, lists as
    compact JSON; null counts as not sent. Raises ApiError -1100, -1135."""
    parameters: dict[str, str] = {}
    for name, value in (raw or {}).items():
        token = bytes(value).strip()
        first = token[:1]
        if first == b'"':
            text = _text_decoder.decode(token)
        elif first in (b"[", b"{"):
            text = _compact(token)
        elif token == b"null":
            continue
        else:
            text = token.decode("ascii")
        if "\0" in text or "\0" in name:
            raise ApiError(-1100, "Illegal characters found in a parameter.")
        parameters[name] = text
    return parameters


def _compact(token: bytes) -> str:
    """A list or an object without spaces. Raises ApiError -1135 when it is nested too deeply."""
    try:
        value = orjson.loads(token)
    except orjson.JSONDecodeError:
        raise ApiError(-1135, "Invalid JSON Request") from None
    level: list[object] = [value]
    for _ in range(DEPTH_MAX):
        level = [inner for outer in level for inner in _members(outer)]
        if not level:
            return orjson.dumps(value).decode()
    raise ApiError(-1135, "Invalid JSON Request")


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def sign_payload(parameters: Mapping[str, str]) -> bytes:
    """What a request signs: all parameters but the signature, sorted by name (rule 0.7)."""
    return "&".join(f"{k}={parameters[k]}" for k in sorted(parameters) if k != "signature").encode()


def reply(request_id: int | str | None, result: object, limits: list[dict[str, object]] | None) -> bytes:
    """A success."""
    body: dict[str, object] = {"id": request_id, "status": 200, "result": result}
    if limits is not None:
        body["rateLimits"] = limits
    return orjson.dumps(body)


def error_reply(
    request_id: int | str | None, error: ApiError, limits: list[dict[str, object]] | None
) -> bytes:
    """A failure."""
    payload = error.payload()
    if isinstance(error, LimitError) and error.data is None:
        payload["data"] = {"serverTime": error.now_ms, "retryAfter": error.retry_at_ms}
    body: dict[str, object] = {"id": request_id, "status": error.status, "error": payload}
    if limits is not None:
        body["rateLimits"] = limits
    return orjson.dumps(body)


def raw_reply(
    request_id: int | str | None, status: int, payload: bytes, limits: list[dict[str, object]] | None
) -> bytes:
    """An answer of another service, embedded as it came."""
    key = b"result" if status == 200 else b"error"
    tail = b"" if limits is None else b',"rateLimits":' + orjson.dumps(limits)
    return b'{"id":%b,"status":%d,"%b":%b%b}' % (orjson.dumps(request_id), status, key, payload, tail)


def refuse_all(parameters: Mapping[str, str]) -> None:
    """Raise -1101 for parameters of a method that has none, as their paths of REST do."""
    sent = len(own_names(parameters))
    if sent:
        raise ApiError(-1101, f"Too many parameters; expected '0' and received '{sent}'.")


def own_names(parameters: Mapping[str, str]) -> dict[str, str]:
    """Without the names that belong to the envelope."""
    return {name: text for name, text in parameters.items() if name not in _ENVELOPE_NAMES}
