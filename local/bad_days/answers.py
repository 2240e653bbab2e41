"""What a client is told on a bad day: the very answers of a real refusal."""

from typing import Final

from exchange.contracts.errors import ApiError, LimitError, banned, outcome_unknown, too_much_weight
from exchange.http.request_limits import WEIGHT
from local.bad_days.plan import BadDay

__all__ = ["CHANGES", "api_error", "is_change", "retry_after"]

_WAIT_MS_DEFAULT: Final = 1_000
_BAN_MS_DEFAULT: Final = 120_000
_CHANGING_METHODS: Final = frozenset({"POST", "PUT", "DELETE"})
# Of the WebSocket API: what changes an order, by the beginning of its name.
CHANGES: Final = (
    "order.place", "order.cancel", "order.amend", "openOrders.cancel", "orderList.", "sor.order.place",
)  # fmt: skip


def api_error(day: BadDay, now_ms: int) -> ApiError:
    """The refusal that this bad day means."""
    if day.kind == "too-many-requests":
        wait_ms = day.ms or _WAIT_MS_DEFAULT
        return too_much_weight(WEIGHT.most, WEIGHT.interval_text, (now_ms, now_ms + wait_ms))
    if day.kind == "banned":
        return banned((now_ms, now_ms + (day.ms or _BAN_MS_DEFAULT)))
    return outcome_unknown()


def is_change(method: str, path: str) -> bool:
    """Whether a REST request changes an order: only its outcome can be unknown."""
    return (
        method in _CHANGING_METHODS
        and path.startswith(("/api/v3/order", "/api/v3/openOrders", "/api/v3/sor/order"))
        and not path.endswith("/test")
    )


def retry_after(error: ApiError) -> list[tuple[bytes, bytes]]:
    """The header that goes with it."""
    if isinstance(error, LimitError):
        return [(b"retry-after", b"%d" % error.retry_after_s)]
    return []
