"""What Binance has and this exchange does not: lists that are empty, and the documented refusals.

A request must still name a market that there is, and what it may not leave out: a client's own mistake is
told before what we lack. Texts: binance-spot-api 3.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from exchange.contracts.errors import (
    ApiError,
    bad_combination,
    not_supported,
)
from exchange.http.query_parameters import Parameters, integer, time_ms
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink
from services.order.requests.parameters import limit, market

__all__ = ["Absent", "check_time_range"]

RANGE_MAX_MS: Final = 86_400_000
_ALLOCATION_COMBINATIONS: Final = frozenset(
    frozenset(names.split())
    for names in (
        "",
        "startTime",
        "endTime",
        "startTime endTime",
        "fromAllocationId",
        "orderId",
        "orderId fromAllocationId",
    )
)
Handler = Callable[[Call], Awaitable[object]]


def check_time_range(parameters: Parameters) -> tuple[int | None, int | None]:
    """startTime and endTime in milliseconds. Raises -1127, -1128."""
    start_ms, end_ms = (time_ms(parameters, name) for name in ("startTime", "endTime"))
    if start_ms is not None and end_ms is not None:
        if start_ms > end_ms:
            raise bad_combination()
        if end_ms - start_ms > RANGE_MAX_MS:
            raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    return start_ms, end_ms


class Absent:
    """The handlers of what is not there."""

    def __init__(self, engine: EngineLink) -> None:
        self._engine = engine

    # -- lists that are empty -----------------------------------------------------------------

    async def allocations(self, call: Call) -> object:
        """GET /myAllocations: orders are routed nowhere, so nothing was allocated."""
        parameters = call.parameters
        market(parameters, self._engine.view)
        chosen = {"orderId", "startTime", "endTime", "fromAllocationId"} & parameters.keys()
        if chosen not in _ALLOCATION_COMBINATIONS:
            raise bad_combination()
        for name in ("orderId", "fromAllocationId"):
            integer(parameters, name)
        check_time_range(parameters)
        limit(parameters)
        return []

    # -- refusals -----------------------------------------------------------------------------

    async def smart_routing(self, call: Call) -> object:
        """POST /sor/order, /sor/order/test: exchangeInfo lists no `sors`."""
        market(call.parameters, self._engine.view)
        raise not_supported()
