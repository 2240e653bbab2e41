"""Bad days of HTTP requests: before they reach a service, or instead of its answer."""

import asyncio
import json
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exchange.contracts.errors import ApiError
from exchange.http.bodies import JSON_HEADER, send_whole
from exchange.wall_clock import clock_ms
from local.bad_days.answers import api_error, is_change, retry_after
from local.bad_days.clock import SKEW_MS
from local.bad_days.plan import ORDER_KINDS, REQUEST_KINDS, BadDay, Plan

__all__ = ["answer_json", "api_keys_of", "serve_request"]

_TIME_PATH: Final = "/api/v3/time"
_MS_PER_S: Final = 1_000


async def serve_request(app: ASGIApp, plan: Plan, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one request of the API as the plan says; what it does not name is served as ever."""
    path, keys = scope["path"], api_keys_of(scope)
    SKEW_MS.set(plan.skew_ms(keys))
    if path == _TIME_PATH and SKEW_MS.get():
        await _served_with_time(app, scope, receive, send)
        return
    kinds = REQUEST_KINDS | ORDER_KINDS if is_change(scope["method"], path) else REQUEST_KINDS
    day = plan.take(kinds, keys, path)
    if day is None:
        await app(scope, receive, send)
    elif day.kind == "slow":
        await asyncio.sleep(day.ms / _MS_PER_S)
        await app(scope, receive, send)
    elif day.kind in ("hang-up", "unknown-done"):
        await app(scope, receive, _to_nobody)
        if day.kind == "hang-up":
            _hang_up(send)
        else:
            await _refuse(day, send)
    else:
        await _refuse(day, send)


def api_keys_of(scope: Scope) -> frozenset[str]:
    """The API key that the request's header names."""
    for name, value in scope["headers"]:
        if name == b"x-mbx-apikey":
            return frozenset({value.decode("latin-1")})
    return frozenset()


async def answer_json(
    send: Send, status: int, body: object, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Answer with JSON."""
    await send_whole(send, status, json.dumps(body).encode(), (JSON_HEADER, *(headers or ())))


async def _refuse(day: BadDay, send: Send) -> None:
    error: ApiError = api_error(day, clock_ms())
    await answer_json(send, error.status, error.payload(), retry_after(error))


async def _to_nobody(_: Message) -> None:
    """An answer that gets lost."""


def _hang_up(send: Send) -> None:
    """Cut the connection without a word, as a proxy that dies does."""
    transport = _transport_behind(send)
    if transport is None:
        raise ConnectionResetError("a bad day hangs up, and this server has no transport to cut")
    transport.abort()


def _transport_behind(send: Any) -> Any:
    """The transport of uvicorn's request; wrappers of `send` (exchange.http.answers) hold it in a cell."""
    for _ in range(8):
        owner = getattr(send, "__self__", None)
        if owner is not None:
            return getattr(owner, "transport", None)
        cells = [cell.cell_contents for cell in getattr(send, "__closure__", None) or ()]
        inner = [cell for cell in cells if callable(cell)]
        if not inner:
            return None
        send = inner[0]
    return None


async def _served_with_time(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """The server's time, off by the skew that the signed requests are judged by."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    body = b"".join(message.get("body", b"") for message in messages)
    answer: dict[str, Any] = json.loads(body)
    if isinstance(answer.get("serverTime"), int):
        unit = 1_000 if answer["serverTime"] > 10**14 else 1
        answer["serverTime"] += SKEW_MS.get() * unit
    await answer_json(send, int(messages[0]["status"]), answer)
