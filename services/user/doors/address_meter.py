"""Request weight of /v1 by address: the same count, and the same bans, as of the trading API."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from exchange.contracts.errors import LimitError
from exchange.http.request_limits import RequestLimits
from services.user.doors.problems import ProblemError, problem_response

__all__ = ["WEIGHT_OF_REQUEST", "AddressMeter"]

_PREFIX: Final = "/v1/"
# Each looks up a session and reads or writes rows: 1,200 a minute of one address.
WEIGHT_OF_REQUEST: Final = 5
_BANNED: Final = 418


class AddressMeter:
    """ASGI middleware: counts every request of a client before it is served, and refuses who has too many."""

    def __init__(self, app: ASGIApp, *, limits: RequestLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_PREFIX):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        address = client[0] if client else ""
        try:
            self._limits.admit(address)
        except LimitError as error:
            self._limits.add_weight(address, 1)
            kind = "banned" if error.status == _BANNED else "too-many-requests"
            problem = ProblemError(
                kind,
                f"Come back in {error.retry_after_s} s.",
                headers={"Retry-After": str(error.retry_after_s)},
            )
            await problem_response(problem)(scope, receive, send)
            return
        self._limits.add_weight(address, WEIGHT_OF_REQUEST)
        await self._app(scope, receive, send)
