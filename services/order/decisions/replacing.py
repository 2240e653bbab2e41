"""Cancelling an order and placing another in its stead; the table of outcomes is binance-spot-api 2.5."""

import asyncio
from typing import Final

from exchange.contracts.errors import ApiError, LimitError, invalid_data
from exchange.http.query_parameters import optional, required
from exchange.http.request_limits import OrderPlaces, RequestLimits
from services.order.decisions.call import Call
from services.order.decisions.cancelling import Cancelling
from services.order.decisions.engine_link import EngineLink, NotSentError
from services.order.decisions.placing import Placing
from services.order.requests.parameters import client_order_id, named_order
from services.order.requests.placement import parse_placement

__all__ = ["Replacing"]

STOP_ON_FAILURE: Final = "STOP_ON_FAILURE"
ALLOW_FAILURE: Final = "ALLOW_FAILURE"
CANCEL_ONLY: Final = "CANCEL_ONLY"
_RATE_LIMIT_MODES: Final = ("DO_NOTHING", CANCEL_ONLY)
EXECUTION_UNKNOWN: Final = -1007
CANCEL_REJECTED: Final = -2011


class Replacing:
    """The handler that does both, each as if it were asked for alone."""

    def __init__(
        self, engine: EngineLink, limits: RequestLimits, cancelling: Cancelling, placing: Placing
    ) -> None:
        self._engine = engine
        self._limits = limits
        self._cancelling = cancelling
        self._placing = placing

    async def cancel_replace(self, call: Call) -> object:
        """POST /order/cancelReplace."""
        # A socket that closes ends its requests: between the two steps, that would leave neither order.
        return await asyncio.shield(self._cancel_then_place(call))

    async def _cancel_then_place(self, call: Call) -> object:
        parameters = call.parameters
        mode = required(parameters, "cancelReplaceMode")
        if mode not in (STOP_ON_FAILURE, ALLOW_FAILURE):
            raise invalid_data("cancelReplaceMode")
        rate_limit_mode = optional(parameters, "orderRateLimitExceededMode")
        if rate_limit_mode is not None and rate_limit_mode not in _RATE_LIMIT_MODES:
            raise invalid_data("orderRateLimitExceededMode")
        order_id, name = named_order(parameters, "cancelOrderId", "cancelOrigClientOrderId")
        cancel_name = client_order_id(parameters, "cancelNewClientOrderId")
        # The new order is checked before either step, and admitted before the old one is given up.
        placement = parse_placement(parameters, self._engine.view)
        places, refusal = self._reserve(call)
        if refusal is not None and rate_limit_mode != CANCEL_ONLY:
            raise refusal
        cancel_result, new_result, new_response = "SUCCESS", "NOT_ATTEMPTED", None
        try:
            self._engine.admit()
            cancel_response = await self._cancelling.submit(
                call, placement.market, order_id, name, cancel_name
            )
        except NotSentError:
            if places is not None:
                places.give_back()
            raise
        except ApiError as error:
            if error.code != CANCEL_REJECTED:
                raise
            cancel_result, cancel_response = "FAILURE", error.payload()
        # From here on the place stays taken: an order that is not attempted counts, too.
        if cancel_result == "SUCCESS" or mode == ALLOW_FAILURE:
            try:
                if refusal is not None:
                    raise refusal
                new_response = await self._placing.submit(call, placement, urgent=True)
                new_result = "SUCCESS"
            except ApiError as error:
                if error.code == EXECUTION_UNKNOWN:
                    raise
                new_result, new_response = "FAILURE", error.payload()
        return _answer(
            {
                "cancelResult": cancel_result,
                "newOrderResult": new_result,
                "cancelResponse": cancel_response,
                "newOrderResponse": new_response,
            },
            refusal,
        )

    def _reserve(self, call: Call) -> tuple[OrderPlaces | None, LimitError | None]:
        """A place in the order count, or why there is none."""
        try:
            return self._limits.reserve_orders(call.caller.user_id, 1), None
        except LimitError as refusal:
            return None, refusal


def _answer(data: dict[str, object], refusal: LimitError | None) -> dict[str, object]:
    """The answer when both steps have succeeded; else it is an error that carries the same."""
    succeeded = [data["cancelResult"], data["newOrderResult"]].count("SUCCESS")
    if succeeded == 2:
        return data
    code, text = -2022, "Order cancel-replace failed."
    if succeeded:
        code, text = -2021, "Order cancel-replace partially failed."
    if refusal is not None:
        raise LimitError(code, text, refusal.status, (refusal.now_ms, refusal.retry_at_ms), data)
    raise ApiError(code, text, 409 if succeeded else 400, data)
