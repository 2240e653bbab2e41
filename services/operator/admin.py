"""Orders over HTTP: POST /v1/admin/orders, for administrators alone (docs/operator.md).

The same orders as at the door of a data folder (door.py), less those that need more than a token: who
administrates, which rules hold, and what the engine skips. Who orders is the token's owner, never what the
body says. Stands before the user service, to which the gateway sends all of /v1.
"""

import logging
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from exchange.http.bodies import JSON_HEADER, BodyRefusedError, send_whole, whole_body
from exchange.process.components import Resources
from exchange.process.connections import CONNECTION_ERRORS, acquire
from services.operator import administrators
from services.operator.administrators import ADMIN, Administrator
from services.operator.asking import ORDER_SIZE_BYTES_MAX
from services.operator.desk import LOOKS, OperatorDesk
from services.operator.orders import (
    ActivateTheRules,
    AddAdministrator,
    Answer,
    ListAdministrators,
    OrderError,
    RevokeAdministrator,
    Signed,
    SkipOne,
    decode_request,
    encode,
)

__all__ = ["AdminApi"]

logger = logging.getLogger(__name__)
PATH: Final = "/v1/admin/"
ORDERS_PATH: Final = "/v1/admin/orders"
_IN_WORK_MAX: Final = 4
# A token that leaks must not make another, nor bring an engine to a halt for good.
_NOT_OVER_HTTP: Final = (
    AddAdministrator, ListAdministrators, RevokeAdministrator, ActivateTheRules, SkipOne,
)  # fmt: skip


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class AdminApi:
    """ASGI wrapper: what is below /v1/admin is answered here, all else by `app`."""

    def __init__(self, app: ASGIApp, resources: Resources) -> None:
        self._app = app
        self._resources = resources
        self._desk = OperatorDesk(resources)
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, receive)
            status = 200 if answer.is_done else 409
        except (_Refused, BodyRefusedError) as error:
            status, answer = error.status, Answer(False, [str(error)])
        except OrderError as error:
            status, answer = 400, Answer(False, [str(error)])
        challenge = ((b"www-authenticate", b"Bearer"),) if status == 401 else ()
        headers = (JSON_HEADER, (b"cache-control", b"no-store"), *challenge)
        await send_whole(send, status, encode(answer), headers)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if self._in_work >= _IN_WORK_MAX:
            raise _Refused(503, "too many orders are being carried out")
        self._in_work += 1
        try:
            # Before the body is read: nobody else sends us a megabyte.
            who = await self._administrator(scope)
            if scope["path"] != ORDERS_PATH or scope["method"] != "POST":
                raise _Refused(404, f"POST {ORDERS_PATH}")
            request = decode_request(await whole_body(receive, ORDER_SIZE_BYTES_MAX))
            is_look = isinstance(request.order, LOOKS)
            if isinstance(request.order, _NOT_OVER_HTTP) or not (is_look or who.role == ADMIN):
                logger.warning("%s (%s) may not order %s", who.name, who.role, type(request.order).__name__)
                raise _Refused(403, f"{who.role} {who.name} may not order this")
            return await self._desk.carry_out(
                Signed(request.order, f"{who.name} (/v1/admin)", request.reason)
            )
        finally:
            self._in_work -= 1

    async def _administrator(self, scope: Scope) -> Administrator:
        token = ""
        for name, value in scope["headers"]:
            if name == b"authorization" and value.lower().startswith(b"bearer "):
                token = value[7:].decode("latin-1").strip()
        deadline_ms = self._resources.settings.database_deadline_ms
        try:
            async with acquire(self._resources.database, deadline_ms) as connection:
                found = await administrators.find(connection, token)
        except CONNECTION_ERRORS:
            raise _Refused(503, "who may order is not known: the database is away") from None
        if found is None:
            raise _Refused(401, "no administrator has this token")
        return found
