"""The operators' door over HTTP: /v1/admin and the page /operator/ (docs/operator.md).

The same orders as at the door of a data folder (door.py), less those that need more than a session: who
administrates, which rules hold, and what the engine skips. Token and code begin a session
(`POST /v1/admin/sessions`), and a session looks and orders (`POST /v1/admin/orders`). Who orders is the
session's owner, never what the body says. Stands before the user service, in whose process it is.

What a gateway brought is none of ours, unless the settings say so: gateways write X-Forwarded-For. So a
public edge that forwards too much opens nothing (ADR 0049).
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from exchange.http.bodies import JSON_HEADER, BodyRefusedError, send_whole, whole_body
from exchange.http.operations import Readiness
from exchange.process.components import Resources
from exchange.process.connections import CONNECTION_ERRORS, acquire
from exchange.security import audit_log
from exchange.security.audit_log import Act
from exchange.security.key_ring import KeyRing, KeyRingError
from exchange.wall_clock import clock_ms
from services.operator import administrators, second_factors
from services.operator.administrators import ADMIN, Administrator
from services.operator.asking import ORDER_SIZE_BYTES_MAX
from services.operator.desk import LOOKS, OperatorDesk
from services.operator.orders import (
    ActivateTheRules,
    AddAdministrator,
    Answer,
    ListAdministrators,
    RenewFactor,
    RevokeAdministrator,
    SessionBegun,
    Signed,
    SkipOne,
    decode_code,
    decode_request,
    encode,
)
from services.operator.page import PAGE_PATH, serve_page
from services.operator.tagged import OrderError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["NOT_OVER_HTTP", "AdminApi"]

logger = logging.getLogger(__name__)
PATH: Final = "/v1/admin/"
ORDERS_PATH: Final = "/v1/admin/orders"
SESSIONS_PATH: Final = "/v1/admin/sessions"
HEALTH_PATH: Final = "/v1/admin/health"
_IN_WORK_MAX: Final = 4
_CODE_SIZE_BYTES_MAX: Final = 1_000
# What leaks must not make another administrator, nor bring an engine to a halt for good.
NOT_OVER_HTTP: Final = (
    AddAdministrator, RenewFactor, ListAdministrators, RevokeAdministrator, ActivateTheRules, SkipOne,
)  # fmt: skip


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class AdminApi:
    """ASGI wrapper: what is below /v1/admin and /operator is answered here, all else by `app`."""

    def __init__(
        self,
        app: ASGIApp,
        resources: Resources,
        readiness: Readiness,
        clock_ms: Callable[[], int] = clock_ms,
    ) -> None:
        """`readiness`: of the whole exchange, as far as this process knows it."""
        self._app = app
        self._resources = resources
        self._readiness = readiness
        self._clock_ms = clock_ms
        self._desk = OperatorDesk(resources)
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_page = scope["type"] == "http" and f"{scope['path']}/".startswith(PAGE_PATH)
        is_ours = is_page or (scope["type"] == "http" and scope["path"].startswith(PATH))
        if not is_ours or not (self._resources.settings.admin_by_gateway or _is_direct(scope)):
            await self._app(scope, receive, send)
            return
        if is_page:
            await serve_page(scope, send)
            return
        answer: Answer | SessionBegun
        try:
            answer = await self._answer(scope, receive)
            status = 200 if isinstance(answer, SessionBegun) or answer.is_done else 409
        except (_Refused, BodyRefusedError) as error:
            status, answer = error.status, Answer(False, [str(error)])
        except OrderError as error:
            status, answer = 400, Answer(False, [str(error)])
        except CONNECTION_ERRORS:
            status, answer = 503, Answer(False, ["who may order is not known: the database is away"])
        challenge = ((b"www-authenticate", b"Bearer"),) if status == 401 else ()
        headers = (JSON_HEADER, (b"cache-control", b"no-store"), *challenge)
        await send_whole(send, status, encode(answer), headers)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | SessionBegun:
        if self._in_work >= _IN_WORK_MAX:
            raise _Refused(503, "too many orders are being carried out")
        self._in_work += 1
        try:
            asked = scope["method"], scope["path"]
            if asked == ("POST", SESSIONS_PATH):
                return await self._begin(scope, receive)
            if asked == ("DELETE", SESSIONS_PATH):
                return await self._end(scope)
            if asked == ("POST", ORDERS_PATH):
                return await self._order(scope, receive)
            await self._of_session(scope)
            if asked == ("GET", HEALTH_PATH):
                parts = self._readiness().items()
                return Answer(True, [f"{name}: {problem or 'ok'}" for name, problem in parts])
            raise _Refused(404, f"POST {SESSIONS_PATH}, then POST {ORDERS_PATH}")
        finally:
            self._in_work -= 1

    async def _begin(self, scope: Scope, receive: Receive) -> SessionBegun:
        """Token and code together."""
        now_ms, token = self._clock_ms(), _bearer(scope)
        async with self._connection() as connection:
            who = await administrators.find(connection, token)
        if who is None:
            raise _Refused(401, "no administrator has this token")
        code = decode_code(await whole_body(receive, _CODE_SIZE_BYTES_MAX))
        try:
            key_ring = KeyRing.from_resources(self._resources)
            async with self._connection() as connection:
                await second_factors.check_code(connection, key_ring, who.name, code, now_ms)
        except second_factors.CodeWrongError:
            await self._note("operator-code-refused", who, scope)
            raise _Refused(401, "the code is not one of now, or was used; wait for the next") from None
        except second_factors.TooManyTriesError:
            raise _Refused(429, f"{second_factors.TRIES_MAX} codes a minute are tried, no more") from None
        except KeyRingError as error:
            raise _Refused(503, f"the code cannot be checked: {error}") from None
        async with self._connection() as connection, connection.transaction():
            session = await second_factors.begin_session(connection, who.name, now_ms)
        await self._note("operator-session", who, scope)
        return SessionBegun(session.token, who.name, who.role, session.ends_ms)

    async def _note(self, act: str, who: Administrator, scope: Scope) -> None:
        ip = scope["client"][0] if scope.get("client") else ""
        async with self._connection() as connection, connection.transaction():
            detail = {"who": who.name, "role": who.role}
            await audit_log.append(connection, Act(act, None, ip, self._clock_ms(), detail))

    async def _end(self, scope: Scope) -> Answer:
        who = await self._of_session(scope)
        async with self._connection() as connection:
            await second_factors.end_session(connection, _bearer(scope))
        return Answer(True, [f"the session of {who.name} has ended"])

    async def _order(self, scope: Scope, receive: Receive) -> Answer:
        # Before the body is read: nobody else sends us a megabyte.
        who = await self._of_session(scope)
        request = decode_request(await whole_body(receive, ORDER_SIZE_BYTES_MAX))
        is_look = isinstance(request.order, LOOKS)
        if isinstance(request.order, NOT_OVER_HTTP) or not (is_look or who.role == ADMIN):
            logger.warning("%s (%s) may not order %s", who.name, who.role, type(request.order).__name__)
            raise _Refused(403, f"{who.role} {who.name} may not order this")
        return await self._desk.carry_out(Signed(request.order, f"{who.name} (/v1/admin)", request.reason))

    async def _of_session(self, scope: Scope) -> Administrator:
        async with self._connection() as connection:
            found = await second_factors.session_of(connection, _bearer(scope), self._clock_ms())
        if found is None:
            raise _Refused(401, f"no session lives that has this token: POST {SESSIONS_PATH} begins one")
        return found

    @asynccontextmanager
    async def _connection(self) -> "AsyncIterator[PoolConnectionProxy[Any]]":
        deadline_ms = self._resources.settings.database_deadline_ms
        async with acquire(self._resources.database, deadline_ms) as connection:
            yield connection


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization" and value.lower().startswith(b"bearer "):
            return str(value[7:].decode("latin-1").strip())
    return ""


def _is_direct(scope: Scope) -> bool:
    """Whether no gateway has brought it: `kubectl port-forward`, or somebody on the same machine."""
    return all(name not in (b"x-forwarded-for", b"forwarded") for name, _ in scope["headers"])
