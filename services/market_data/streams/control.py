"""Control messages on a stream connection: SUBSCRIBE and its like (binance-spot-api, section 4).

Error texts as in Binance's web-socket-streams page; the order service has nothing to do with these.
"""

from typing import Final, NamedTuple

import orjson

from services.market_data.streams.names import NAME_LENGTH_MAX

__all__ = ["ControlError", "Request", "parse_request", "result_message"]

_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_ID_TEXT_LENGTH_MAX: Final = 36
_ID_MIN: Final = -(2**63)
_ID_MAX: Final = 2**63 - 1
_PROPERTY: Final = "combined"
RequestId = int | str | None


class ControlError(Exception):
    """A message that cannot be obeyed. `message` is the answer.

    The page about streams has code and text at the top, the server that clients were written for has them
    under `error`, where they look for it: it is in both places.
    """

    def __init__(self, code: int, text: str, request_id: RequestId = None, *, with_id: bool = False) -> None:
        super().__init__(text)
        refusal: dict[str, object] = {"code": code, "msg": text}
        answer: dict[str, object] = {"error": refusal, **refusal}
        if with_id:
            answer["id"] = request_id
        self.message = orjson.dumps(answer)


class Request(NamedTuple):
    """A control message. `names`: streams; `combined`: the new value for SET_PROPERTY."""

    method: str
    request_id: RequestId
    names: tuple[str, ...] = ()
    combined: bool = False


def result_message(request_id: RequestId, result: object) -> bytes:
    """The answer to a request that was obeyed."""
    return orjson.dumps({"result": result, "id": request_id})


def parse_request(text: str) -> Request:
    """Read a message. Raises ControlError."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ControlError(
            3, f"Invalid JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from error
    if not isinstance(message, dict):
        raise ControlError(2, "Invalid request: expected an object")
    request_id = message.get("id")
    if not _is_request_id(request_id):
        raise ControlError(2, "Invalid request: request ID must be an integer, a string or null")
    if "method" not in message:
        raise ControlError(2, "Invalid request: missing field `method`", request_id, with_id=True)
    method = message["method"]
    if method not in _METHODS:
        expected = ", ".join(f"`{name}`" for name in _METHODS)
        shown = str(method)[:40]
        raise ControlError(
            2,
            f"Invalid request: unknown variant `{shown}`, expected one of {expected}",
            request_id,
            with_id=True,
        )
    params = message.get("params")
    if params is None:
        params = []
    if not isinstance(params, list):
        raise ControlError(2, "Invalid request: params must be an array", request_id, with_id=True)
    if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
        return Request(method, request_id, _names(params, request_id))
    if method == "LIST_SUBSCRIPTIONS":
        return Request(method, request_id)
    return Request(method, request_id, (), _property(method, params, request_id))


def _is_request_id(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return _ID_MIN <= value <= _ID_MAX
    return isinstance(value, str) and len(value) <= _ID_TEXT_LENGTH_MAX


def _names(params: list[object], request_id: RequestId) -> tuple[str, ...]:
    names = tuple(name for name in params if isinstance(name, str) and 0 < len(name) <= NAME_LENGTH_MAX)
    if not params or len(names) != len(params):
        raise ControlError(
            2,
            f"Invalid request: params must be stream names of at most {NAME_LENGTH_MAX} characters",
            request_id,
            with_id=True,
        )
    return names


def _property(method: str, params: list[object], request_id: RequestId) -> bool:
    expected = 2 if method == "SET_PROPERTY" else 1
    if len(params) > expected:
        raise ControlError(2, "Invalid request: too many parameters", request_id, with_id=True)
    if not params or not isinstance(params[0], str):
        raise ControlError(2, "Invalid request: property name must be a string", request_id, with_id=True)
    if params[0] != _PROPERTY:
        raise ControlError(0, "Unknown property", request_id, with_id=True)
    if method == "GET_PROPERTY":
        return False
    if len(params) < expected or not isinstance(params[1], bool):
        raise ControlError(1, "Invalid value type: expected Boolean", request_id, with_id=True)
    return params[1]
