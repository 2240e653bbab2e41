"""What can be asked for, apart from how it is reached: an endpoint, and what its callers must prove."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from exchange.contracts.errors import unread_parameters
from exchange.http.query_parameters import Parameters
from exchange.http.weights import Weight
from services.order.decisions.call import Call

__all__ = ["READ", "SIGNED_PARAMETERS", "TRADE", "Endpoint", "Security"]

# Names that every signed call may carry beside its own.
SIGNED_PARAMETERS: Final = frozenset({"timestamp", "recvWindow", "signature"})
# Permissions of a key.
READ: Final = "READ"
TRADE: Final = "TRADE"


class Security(Enum):
    """What a call must prove (binance-spot-api section 1)."""

    NONE = "nothing"
    USER_STREAM = "a key"
    USER_DATA = "a signature of a key that may read"
    TRADE = "a signature of a key that may trade"

    @property
    def is_signed(self) -> bool:
        """Whether a signature is asked for."""
        return self in (Security.USER_DATA, Security.TRADE)

    @property
    def permission(self) -> str:
        """The permission that the key needs."""
        return TRADE if self is Security.TRADE else READ


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A thing that can be asked for. `handler` returns what is encoded as JSON, or raises ApiError.

    `parameters`: the names it reads, None when any may come. `places_orders`: answers show the account's
    order count.
    """

    name: str
    security: Security
    parameters: frozenset[str] | None
    weight: Weight
    handler: Callable[[Call], Awaitable[object]]
    places_orders: bool = False

    def check_names(self, parameters: Parameters) -> None:
        """Raise -1104 when names came that the endpoint does not read."""
        known = self.parameters
        if known is not None and not parameters.keys() <= known:
            raise unread_parameters(len(parameters.keys() & known), len(parameters))
