"""Bad days of WebSockets: of the messages of streams, and of the requests of the WebSocket API."""

import asyncio
import json
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exchange.contracts.errors import ApiError
from exchange.wall_clock import clock_ms
from local.bad_days.answers import CHANGES, api_error
from local.bad_days.clock import SKEW_MS
from local.bad_days.plan import ORDER_KINDS, REQUEST_KINDS, STREAM_KINDS, BadDay, Plan
from services.order.doors.ws_requests import error_reply

__all__ = ["Socket"]

_WS_API: Final = "/ws-api/"
_ABNORMAL: Final = 1011
_KEYS_MAX: Final = 64
_LOST_MAX: Final = 64


class Socket:
    """One connection. `owners`: listen key -> API key, as the REST door has handed them out."""

    def __init__(self, app: ASGIApp, plan: Plan, owners: dict[str, str], scope: Scope) -> None:
        self._app = app
        self._plan = plan
        self._owners = owners
        self._scope = scope
        self._is_api = scope["path"].startswith(_WS_API)
        self._keys: set[str] = set()
        # Requests whose answers shall get lost -> what is said instead, nothing for silence.
        self._lost: dict[str, ApiError | None] = {}
        self._is_cut = False

    async def serve(self, receive: Receive, send: Send) -> None:
        """Serve until either side ends it."""
        self._receive, self._send = receive, send
        self._learn_owner(self._scope["path"])
        self._learn_owner(self._scope.get("query_string", b"").decode("latin-1"))
        await self._app(self._scope, self._next, self._told)

    def _learn_owner(self, text: str) -> None:
        for listen_key, api_key in self._owners.items():
            if listen_key in text and len(self._keys) < _KEYS_MAX:
                self._keys.add(api_key)

    # -- from the client ------------------------------------------------------------------------

    async def _next(self) -> Message:
        while True:
            message = await self._receive()
            text = message.get("text")
            if message["type"] != "websocket.receive" or text is None:
                return message
            if not self._is_api:
                self._learn_owner(text)
                return message
            if await self._may_pass(text):
                return message

    async def _may_pass(self, text: str) -> bool:
        try:
            request = json.loads(text)
            method, parameters = str(request.get("method", "")), request.get("params") or {}
            key = parameters.get("apiKey")
        except (ValueError, AttributeError):
            return True
        if isinstance(key, str) and len(self._keys) < _KEYS_MAX:
            self._keys.add(key)
        keys = frozenset(self._keys)
        SKEW_MS.set(self._plan.skew_ms(keys))
        kinds = REQUEST_KINDS | ORDER_KINDS if method.startswith(CHANGES) else REQUEST_KINDS
        day = self._plan.take(kinds, keys, self._scope["path"])
        if day is None:
            return True
        return await self._befall(day, request.get("id"))

    async def _befall(self, day: BadDay, request_id: object) -> bool:
        """Whether the request still goes to the service."""
        error = None if day.kind in ("slow", "hang-up") else api_error(day, clock_ms())
        if day.kind == "slow":
            await asyncio.sleep(day.ms / 1_000)
            return True
        if day.kind in ("hang-up", "unknown-done"):
            if len(self._lost) < _LOST_MAX:
                self._lost[json.dumps(request_id)] = error
            return True
        assert error is not None, "a refusal"
        await self._answer(request_id, error)
        return False

    async def _answer(self, request_id: object, error: ApiError) -> None:
        name = request_id if isinstance(request_id, int | str) else None
        await self._send({"type": "websocket.send", "text": error_reply(name, error, None).decode()})

    # -- to the client --------------------------------------------------------------------------

    async def _told(self, message: Message) -> None:
        if message["type"] != "websocket.send" or not (self._lost or self._plan.holds(STREAM_KINDS)):
            if not self._is_cut:
                await self._send(message)
            return
        if self._is_cut:
            raise OSError("a bad day has cut this connection")
        payload = _parsed(message)
        request = json.dumps(payload.get("id")) if "id" in payload else None
        if request in self._lost:
            error = self._lost.pop(request)
            if error is None:
                await self._cut()
            else:
                await self._answer(payload["id"], error)
            return
        if request is not None:
            await self._send(message)
            return
        await self._stream(message, payload)

    async def _stream(self, message: Message, payload: dict[str, Any]) -> None:
        event = payload.get("data") or payload.get("event") or payload
        kinds = {"stream-drop", "stream-duplicate", "stream-disconnect"}
        if isinstance(event, dict) and event.get("e") == "depthUpdate":
            kinds.add("depth-gap")
        if isinstance(event, dict) and (event.get("e"), event.get("x")) == ("executionReport", "TRADE"):
            kinds.add("disconnect-on-fill")
        day = self._plan.take(frozenset(kinds), frozenset(self._keys), self._scope["path"])
        if day is None:
            await self._send(message)
        elif day.kind == "stream-duplicate":
            await self._send(message)
            await self._send(message)
        elif day.kind in ("stream-disconnect", "disconnect-on-fill"):
            await self._cut()

    async def _cut(self) -> None:
        self._is_cut = True
        await self._send({"type": "websocket.close", "code": _ABNORMAL, "reason": ""})
        raise OSError("a bad day has cut this connection")


def _parsed(message: Message) -> dict[str, Any]:
    try:
        found = json.loads(message.get("text") or message.get("bytes") or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
