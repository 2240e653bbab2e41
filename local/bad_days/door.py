"""The exchange behind its bad days, and the address at which they are ordered.

Whoever reaches the port may order them, so nothing but a local mode that was asked to (BAD_DAYS=1) ever
builds this: no service, image or gateway imports it or knows the path (tests/unit/test_bad_days.py).
"""

import json
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exchange.http.bodies import BodyRefusedError, whole_body
from local.bad_days.plan import BadDay, Plan, PlanError
from local.bad_days.requests import answer_json, api_keys_of, serve_request
from local.bad_days.sockets import Socket

__all__ = ["PATH", "BadDays"]

PATH: Final = "/local/bad-days"
EXPIRED_PATH: Final = f"{PATH}/expired-listen-keys"
_BODY_SIZE_BYTES_MAX: Final = 4_096
_OWNERS_MAX: Final = 10_000
_API: Final = ("/api/v3/", "/sapi/")
_decoder: Final = msgspec.json.Decoder(BadDay)


class BadDays:
    """ASGI wrapper. `expire`: makes listen keys die now, and tells their listeners."""

    def __init__(self, app: ASGIApp, plan: Plan, expire: Callable[[list[str]], Awaitable[None]]) -> None:
        self._app = app
        self.plan = plan
        self._expire = expire
        self._owners: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        path = scope.get("path", "")
        if scope["type"] == "websocket":
            await Socket(self._app, self.plan, self._owners, scope).serve(receive, send)
        elif path in (PATH, EXPIRED_PATH):
            await self._ordered(scope, receive, send)
        elif path == "/api/v3/userDataStream" and scope["method"] == "POST":
            await self._new_listen_key(scope, receive, send)
        elif path.startswith(_API):
            await serve_request(self._app, self.plan, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _new_listen_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Remember whose key it is: sockets name the listen key alone."""

        async def look(message: Message) -> None:
            for api_key in api_keys_of(scope):
                if b"listenKey" in message.get("body", b"") and len(self._owners) < _OWNERS_MAX:
                    self._owners[json.loads(message["body"])["listenKey"]] = api_key
            await send(message)

        await serve_request(self._app, self.plan, scope, receive, look)

    async def _ordered(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, body = await self._carry_out(scope, receive)
        except BodyRefusedError as error:
            status, body = error.status, {"error": str(error)}
        except (PlanError, msgspec.MsgspecError, UnicodeError) as error:
            status, body = 400, {"error": str(error)}
        await answer_json(send, status, body)

    async def _carry_out(self, scope: Scope, receive: Receive) -> tuple[int, object]:
        method = scope["method"]
        text = await whole_body(receive, _BODY_SIZE_BYTES_MAX) if method == "POST" else b""
        if scope["path"] == EXPIRED_PATH and method == "POST":
            wanted = msgspec.json.decode(text or b"{}", type=dict[str, str]).get("apiKey", "")
            keys = [key for key, owner in self._owners.items() if wanted in ("", owner)]
            await self._expire(keys)
            for key in keys:
                del self._owners[key]
            return 200, {"expired": len(keys)}
        if method == "POST":
            return 200, {"number": self.plan.order(_decoder.decode(text))}
        if method == "DELETE":
            self.plan.call_off()
        elif method != "GET":
            return 405, {"error": "GET, POST or DELETE"}
        return 200, self.plan.shapes()
