"""The order service's clock as a bot on a bad day sees it: ahead or behind, for the request at hand."""

from contextvars import ContextVar
from typing import Final

from exchange.http.query_parameters import Parameters
from exchange.security.credentials import Credentials
from exchange.wall_clock import clock_us
from services.order.doors.authentication import Authenticator

__all__ = ["SKEW_MS", "SkewedAuthenticator"]

# Set for the task in which a request is served.
SKEW_MS: Final[ContextVar[int]] = ContextVar("skew_ms", default=0)


class SkewedAuthenticator(Authenticator):
    """Judges timestamps by a clock that is off by SKEW_MS; the engine is told of the true time."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(credentials, lambda: clock_us() + SKEW_MS.get() * 1_000)

    def check_time(self, parameters: Parameters) -> int:
        """As Authenticator: a client that has followed our clock must not be stale to the engine."""
        return super().check_time(parameters) - SKEW_MS.get()
