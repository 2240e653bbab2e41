"""What every request must pass before FastAPI sees it: size, time, and strict JSON.

Neither uvicorn nor FastAPI bounds the size or the arrival time of a body, and Python's JSON reader
takes NaN, repeated names and lone surrogates, which no two readers understand alike.
"""

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.user.doors.problems import ProblemError, problem_response

__all__ = ["RequestGuard", "check_json"]

_DEPTH_MAX: Final = 8
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_CLOSE: Final = {"Connection": "close"}


class RequestGuard:
    """ASGI middleware: takes the whole body in, checks it, and hands it on as one message."""

    def __init__(self, app: ASGIApp, *, body_size_bytes_max: int, receive_deadline_ms: int) -> None:
        self._app = app
        self._body_size_bytes_max = body_size_bytes_max
        self._receive_deadline_s = receive_deadline_ms / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_uncached(message: Message) -> None:
            # Answers carry tokens, keys and balances.
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
            await send(message)

        if scope["method"] not in _METHODS_WITH_BODY:
            await self._app(scope, receive, send_uncached)
            return
        try:
            body = await self._checked_body(scope, receive)
        except ProblemError as error:
            await problem_response(error)(scope, receive, send_uncached)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send_uncached)

    async def _checked_body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The body; None when the client has gone. Raises ProblemError."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        self._refuse_announced_size(headers)
        try:
            async with asyncio.timeout(self._receive_deadline_s):
                body = await self._whole_body(receive)
        except TimeoutError:
            raise ProblemError("receive-timeout", "Send the body without delay.", headers=_CLOSE) from None
        if body:
            media_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
            if media_type != b"application/json":
                raise ProblemError("not-json", "Set Content-Type: application/json.")
            check_json(body)
        return body

    def _refuse_announced_size(self, headers: Mapping[bytes, bytes]) -> None:
        announced = headers.get(b"content-length", b"0")
        # More than 15 digits are no length either; the server has refused what is no number.
        if len(announced) > 15 or (announced.isdigit() and int(announced) > self._body_size_bytes_max):
            self._refuse_size()

    def _refuse_size(self) -> NoReturn:
        detail = f"At most {self._body_size_bytes_max} bytes are taken."
        raise ProblemError("body-too-large", detail, headers=_CLOSE)

    async def _whole_body(self, receive: Receive) -> bytes | None:
        parts: list[bytes] = []
        size_bytes = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            size_bytes += len(part)
            if size_bytes > self._body_size_bytes_max:
                self._refuse_size()
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay


def check_json(body: bytes) -> None:
    """Raise ProblemError unless `body` is JSON that every reader understands alike.

    UTF-8 without NUL, finite numbers, no name twice in one object, at most 8 levels deep.
    """
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique_names,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise ProblemError("malformed-json", "The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ProblemError("malformed-json", f"{error.msg} at character {error.pos}.") from None
    except (ValueError, RecursionError) as error:
        detail = "Nested too deeply." if isinstance(error, RecursionError) else str(error)
        raise ProblemError("malformed-json", detail[:200]) from None
    _check_value(value, _DEPTH_MAX)


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A name stands twice in one object.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("A number is out of range.")
    return number


def _check_value(value: object, levels_left: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if levels_left == 0:
            raise ProblemError("malformed-json", "Nested too deeply.")
        if isinstance(value, dict):
            for name in value:
                _check_text(name)
            value = list(value.values())
        for item in value:
            _check_value(item, levels_left - 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ProblemError("malformed-json", "Text must not hold the character NUL.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ProblemError("malformed-json", "Text holds half of a surrogate pair.")
