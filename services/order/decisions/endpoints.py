"""What an endpoint is, the same for REST and for the WebSocket API, and the call that it gets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from exchange.http.query_parameters import Parameters
from exchange.process.tracing import Span

__all__ = ["READ", "TRADE", "Call", "Caller", "Endpoint", "Security", "endpoint"]

# Names that every signed call may carry beside its own.
SIGNED_PARAMETERS: Final = frozenset({"timestamp", "recvWindow", "signature"})
# Permissions of a key.
READ: Final = "READ"
TRADE: Final = "TRADE"


class Security(Enum):
    """What a call must prove (binance-spot-api section 1)."""

    USER_STREAM = "a key"
    USER_DATA = "a signature of a key that may read"
    TRADE = "a signature of a key that may trade"

    @property
    def is_signed(self) -> bool:
        """Whether a signature is asked for."""
        return self is not Security.USER_STREAM

    @property
    def permission(self) -> str:
        """The permission that the key needs."""
        return TRADE if self is Security.TRADE else READ


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's sender. `valid_until_ms`: when the request becomes stale; 0 for unsigned ones."""

    user_id: int
    api_key: str
    kind: str
    valid_until_ms: int


@dataclass(frozen=True, slots=True)
class Call:
    """One checked call. `unit`: 1 when times are wanted in milliseconds, 1000 for microseconds.

    `trace`: the request's span when it is sampled.
    """

    parameters: Parameters
    caller: Caller
    unit: int
    trace: Span | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A thing that can be asked for. `handler` returns what is encoded as JSON, or raises ApiError.

    `parameters`: the names it reads, None when any may come. `placed_orders`: how many orders a success
    adds to the account's order count.
    """

    name: str
    security: Security
    parameters: frozenset[str] | None
    weight: int
    handler: Callable[[Call], Awaitable[object]]
    placed_orders: int = 0


def endpoint(
    name: str,
    security: Security,
    parameters: str | frozenset[str],
    weight: int,
    handler: Callable[[Call], Awaitable[object]],
    placed_orders: int = 0,
) -> Endpoint:
    """Make an endpoint; `parameters` are its own names, separated by spaces."""
    own = frozenset(parameters.split()) if isinstance(parameters, str) else parameters
    return Endpoint(name, security, own | SIGNED_PARAMETERS, weight, handler, placed_orders)
