"""Placing and cancelling: from a call to a command, from its outcome to an answer."""

import asyncio
from collections.abc import Callable
from typing import Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import CancelAllOrders, CancelOrder, Command
from exchange.contracts.errors import (
    ApiError,
    LimitError,
    cancel_rejection,
    invalid_data,
    order_rejection,
    outcome_unknown,
    overloaded,
    unavailable,
)
from exchange.contracts.events import CommandRejected, OrderAccepted, OrderClosed
from exchange.http.query_parameters import Parameters, boolean, integer, optional, required
from exchange.http.request_limits import RequestLimits
from exchange.log.gateway import (
    GatewayOverloadedError,
    GatewayUnavailableError,
    OutcomeUnknownError,
)
from exchange.process.crash_points import crash_point
from services.order.decisions.endpoints import Call
from services.order.decisions.engine_link import EngineLink
from services.order.decisions.parameters import client_order_id, market
from services.order.decisions.placement import Placement, new_client_order_id, parse_placement
from services.order.decisions.shapes import canceled_order, placed_order, rate_text
from services.order.view.model import Market

__all__ = ["Trading"]

_RESTRICTIONS: Final = {name: code for code, name in codes.CANCEL_RESTRICTION_NAMES.items()}
STOP_ON_FAILURE: Final = "STOP_ON_FAILURE"
ALLOW_FAILURE: Final = "ALLOW_FAILURE"
EXECUTION_UNKNOWN: Final = -1007
CANCEL_ONLY: Final = "CANCEL_ONLY"
_RATE_LIMIT_MODES: Final = ("DO_NOTHING", CANCEL_ONLY)


class Trading:
    """The handlers that change something."""

    def __init__(self, engine: EngineLink, limits: RequestLimits) -> None:
        self._engine = engine
        self._limits = limits

    async def place(self, call: Call) -> object:
        """POST /order."""
        placement = parse_placement(call.parameters, self._engine.view)
        self._limits.admit_orders(call.caller.user_id, 1)
        return await self._place(call, placement)

    async def test(self, call: Call) -> object:
        """POST /order/test: every check that needs no engine; no effect."""
        wants_rates = boolean(call.parameters, "computeCommissionRates")
        placement = parse_placement(call.parameters, self._engine.view)
        if not wants_rates:
            return {}
        rules = placement.market.rules
        rates = {"maker": rate_text(rules.maker_fee_ppm), "taker": rate_text(rules.taker_fee_ppm)}
        zero = {"maker": rate_text(0), "taker": rate_text(0)}
        return {
            "standardCommissionForOrder": rates,
            "specialCommissionForOrder": zero,
            "taxCommissionForOrder": zero,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": "",
                "discount": rate_text(0),
            },
        }

    async def cancel(self, call: Call) -> object:
        """DELETE /order."""
        parameters = call.parameters
        found = market(parameters, self._engine.view)
        assert found is not None, "the symbol is mandatory"
        order_id = integer(parameters, "orderId")
        name = client_order_id(parameters, "origClientOrderId")
        if order_id is None and name is None:
            raise ApiError(
                -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
            )
        cancel_name = client_order_id(parameters, "newClientOrderId")
        return await self._cancel(call, found, order_id, name, cancel_name)

    async def cancel_all(self, call: Call) -> object:
        """DELETE /openOrders."""
        found = market(call.parameters, self._engine.view)
        assert found is not None, "the symbol is mandatory"
        caller = call.caller
        outcome = await self._submit(
            lambda command_id: CancelAllOrders(
                command_id,
                caller.user_id,
                found.rules.market_id,
                new_client_order_id(),
                caller.valid_until_ms,
            ),
            cancel_rejection,
            call,
            urgent=True,
        )
        return [
            self._canceled(call, found, recorded.event, outcome.time_ms)
            for recorded in outcome.events
            if isinstance(recorded.event, OrderClosed)
        ]

    async def cancel_replace(self, call: Call) -> object:
        """POST /order/cancelReplace: cancel, then place; the table of outcomes is section 2.5."""
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
        order_id = integer(parameters, "cancelOrderId")
        name = client_order_id(parameters, "cancelOrigClientOrderId")
        if order_id is None and name is None:
            raise ApiError(
                -1102,
                "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!",
            )
        cancel_name = client_order_id(parameters, "cancelNewClientOrderId")
        # The new order is checked before either step, and admitted before the old one is given up.
        placement = parse_placement(parameters, self._engine.view)
        refusal = self._order_refusal(call)
        if refusal is not None and rate_limit_mode != CANCEL_ONLY:
            raise refusal
        self._admit()
        cancel_result, cancel_response = "SUCCESS", None
        try:
            cancel_response = await self._cancel(call, placement.market, order_id, name, cancel_name)
        except ApiError as error:
            if error.code != -2011:
                raise
            cancel_result, cancel_response = "FAILURE", error.payload()
        new_result, new_response = "NOT_ATTEMPTED", None
        if cancel_result == "SUCCESS" or mode == ALLOW_FAILURE:
            try:
                if refusal is not None:
                    raise refusal
                new_response = await self._place(call, placement, urgent=True)
                new_result = "SUCCESS"
            except ApiError as error:
                if error.code == EXECUTION_UNKNOWN:
                    raise
                new_result, new_response = "FAILURE", error.payload()
        data: dict[str, object] = {
            "cancelResult": cancel_result,
            "newOrderResult": new_result,
            "cancelResponse": cancel_response,
            "newOrderResponse": new_response,
        }
        if cancel_result == "SUCCESS" and new_result == "SUCCESS":
            return data
        is_partial = "SUCCESS" in (cancel_result, new_result)
        code = -2021 if is_partial else -2022
        text = f"Order cancel-replace {'partially ' if is_partial else ''}failed."
        if refusal is not None:
            raise LimitError(code, text, refusal.status, (refusal.now_ms, refusal.retry_at_ms), data)
        raise ApiError(code, text, 409 if is_partial else 400, data)

    def _order_refusal(self, call: Call) -> LimitError | None:
        try:
            self._limits.admit_orders(call.caller.user_id, 1)
        except LimitError as refusal:
            return refusal
        return None

    async def _place(self, call: Call, placement: Placement, *, urgent: bool = False) -> dict[str, object]:
        caller = call.caller
        outcome = await self._submit(
            lambda command_id: placement.command(command_id, caller.user_id, caller.valid_until_ms),
            order_rejection,
            call,
            urgent=urgent,
        )
        crash_point("order.before-answer")
        accepted = outcome.events[0].event
        if not isinstance(accepted, OrderAccepted):
            raise order_rejection(0)
        shape = placed_order(placement.market, outcome, accepted, placement.form, call.unit)
        if placement.strategy_id is not None:
            shape["strategyId"] = placement.strategy_id
        if placement.strategy_type is not None:
            shape["strategyType"] = placement.strategy_type
        return shape

    async def _cancel(
        self, call: Call, found: Market, order_id: int | None, name: str | None, cancel_name: str | None
    ) -> dict[str, object]:
        restriction = _restriction(call.parameters)
        caller = call.caller
        outcome = await self._submit(
            lambda command_id: CancelOrder(
                command_id,
                caller.user_id,
                found.rules.market_id,
                order_id or 0,
                name or "",
                cancel_name or new_client_order_id(),
                restriction,
                caller.valid_until_ms,
            ),
            cancel_rejection,
            call,
            urgent=True,
            is_impossible=order_id == 0,
        )
        return self._canceled(call, found, outcome.events[0].event, outcome.time_ms)

    def _canceled(self, call: Call, found: Market, event: object, time_ms: int) -> dict[str, object]:
        """The outcome went to the view before it came here, so the order is among the recently closed."""
        if not isinstance(event, OrderClosed):
            raise cancel_rejection(0)
        order = self._engine.view.order(event.order_id)
        if order is None:
            raise outcome_unknown()
        return canceled_order(found, order, event.cancel_client_order_id, time_ms, call.unit)

    def _admit(self) -> None:
        """Refuse a new order that would wait too long. Raises ApiError -1008."""
        try:
            self._engine.gateway.admit()
        except GatewayOverloadedError:
            raise overloaded() from None

    async def _submit(
        self,
        make_command: Callable[[int], Command],
        rejection: Callable[[int], ApiError],
        call: Call,
        *,
        urgent: bool,
        is_impossible: bool = False,
    ) -> CommandOutcome:
        """Send a command and return its outcome; what the engine refuses becomes an ApiError."""
        if is_impossible:
            raise rejection(codes.REJECT_UNKNOWN_ORDER)
        gateway = self._engine.gateway
        try:
            command = make_command(gateway.new_command_id())
            outcome = await gateway.submit(command, urgent=urgent, trace=call.trace)
        except GatewayOverloadedError:
            raise overloaded() from None
        except GatewayUnavailableError:
            raise unavailable() from None
        except OutcomeUnknownError:
            raise outcome_unknown() from None
        first = outcome.events[0].event
        if isinstance(first, CommandRejected):
            raise rejection(first.reason)
        return outcome


def _restriction(parameters: Parameters) -> int:
    text = optional(parameters, "cancelRestrictions")
    if text is None:
        return codes.CANCEL_ANY
    restriction = _RESTRICTIONS.get(text)
    if restriction is None:
        raise ApiError(-1145, "Invalid cancelRestrictions")
    return restriction
