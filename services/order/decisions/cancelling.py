"""Cancelling orders, one or all of a market (binance-spot-api 2.5)."""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.commands import CancelAllOrders, CancelOrder
from exchange.contracts.errors import ApiError, cancel_rejection, outcome_unknown
from exchange.contracts.events import OrderClosed
from exchange.http.query_parameters import Parameters, optional
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink
from services.order.requests.parameters import (
    client_order_id,
    market,
    named_order,
    new_client_order_id,
)
from services.order.view.model import Market, OrderRecord

__all__ = ["Cancelling"]

_RESTRICTIONS: Final = {name: code for code, name in codes.CANCEL_RESTRICTION_NAMES.items()}


class Cancelling:
    """The handlers that cancel. Cancels are urgent: they take risk away."""

    def __init__(self, engine: EngineLink) -> None:
        self._engine = engine

    async def cancel(self, call: Call) -> object:
        """DELETE /order."""
        parameters = call.parameters
        found = market(parameters, self._engine.view)
        order_id, name = named_order(parameters, "orderId", "origClientOrderId")
        cancel_name = client_order_id(parameters, "newClientOrderId")
        return await self.submit(call, found, order_id, name, cancel_name)

    async def submit(
        self, call: Call, found: Market, order_id: int | None, name: str | None, cancel_name: str | None
    ) -> dict[str, object]:
        """Let the engine cancel the order that is named by its id, by its client's name or by both."""
        restriction = _restriction(call.parameters)
        if order_id == 0:
            raise cancel_rejection(codes.REJECT_UNKNOWN_ORDER)  # to the engine, 0 is "not named by its id"
        command = CancelOrder(
            self._engine.new_command_id(),
            call.caller.user_id,
            found.rules.market_id,
            order_id or 0,
            name or "",
            cancel_name or new_client_order_id(),
            restriction,
            self._engine.on_its_clock(call.caller.valid_until_ms),
        )
        outcome = await self._engine.submit(command, cancel_rejection, urgent=True, trace=call.trace)
        return self._answer(call, found, outcome.events[0].event, outcome.time_ms)

    async def cancel_all(self, call: Call) -> object:
        """DELETE /openOrders."""
        found = market(call.parameters, self._engine.view)
        command = CancelAllOrders(
            self._engine.new_command_id(),
            call.caller.user_id,
            found.rules.market_id,
            new_client_order_id(),
            self._engine.on_its_clock(call.caller.valid_until_ms),
        )
        outcome = await self._engine.submit(command, cancel_rejection, urgent=True, trace=call.trace)
        return [
            self._answer(call, found, recorded.event, outcome.time_ms)
            for recorded in outcome.events
            if isinstance(recorded.event, OrderClosed)
        ]

    def _answer(self, call: Call, found: Market, event: object, time_ms: int) -> dict[str, object]:
        """The outcome went to the view before it came here, so the order is among the recently closed."""
        if not isinstance(event, OrderClosed):
            raise cancel_rejection(0)
        order = self._engine.view.order(event.order_id)
        if order is None:
            raise outcome_unknown()
        return _canceled_order(found, order, event.cancel_client_order_id, time_ms, call.unit)


def _restriction(parameters: Parameters) -> int:
    text = optional(parameters, "cancelRestrictions")
    if text is None:
        return codes.CANCEL_ANY
    restriction = _RESTRICTIONS.get(text)
    if restriction is None:
        raise ApiError(-1145, "Invalid cancelRestrictions")
    return restriction


def _canceled_order(
    found: Market, order: OrderRecord, cancel_client_order_id: str, time_ms: int, unit: int
) -> dict[str, object]:
    """`clientOrderId` is the cancellation's own name."""
    return {
        "symbol": found.rules.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": cancel_client_order_id,
        "transactTime": time_ms * unit,
        "price": found.price_text(order.price_ticks),
        "origQty": found.quantity_text(order.quantity_lots),
        "executedQty": found.quantity_text(order.executed_lots),
        "origQuoteOrderQty": found.quote.text(order.quote_quantity_atoms),
        "cummulativeQuoteQty": found.quote.text(order.executed_quote_atoms),
        "status": codes.ORDER_STATUS_NAMES[codes.CANCELED],
        "timeInForce": codes.TIME_IN_FORCE_NAMES[order.time_in_force],
        "type": codes.ORDER_TYPE_NAMES[order.order_type],
        "side": codes.SIDE_NAMES[order.side],
        "selfTradePreventionMode": codes.STP_NAMES[order.stp_mode],
    }
