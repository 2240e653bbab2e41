"""Cancelling orders: one, those of a list, or all of a market (binance-spot-api 2.5 and 2.6)."""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import CancelAllOrders, CancelOrder
from exchange.contracts.errors import ApiError, outcome_unknown, unknown_list
from exchange.contracts.events import OrderClosed
from exchange.contracts.order_commands import CancelOrderList
from exchange.contracts.order_events import OrderListDone
from exchange.contracts.rejections import cancel_rejection, list_rejection
from exchange.http.query_parameters import Parameters, optional
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink
from services.order.requests.parameters import (
    client_order_id,
    market,
    named_list,
    named_order,
    new_client_order_id,
)
from services.order.shapes.order_lists import order_list
from services.order.shapes.orders import canceled_order
from services.order.view.model import Market

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
        """Let the engine cancel the order that is named by its id, by its client's name or by both.

        The answer tells of the order, or of its whole list, which ends with it.
        """
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
        return self._answers(call, found, outcome)[0]

    async def cancel_list(self, call: Call) -> object:
        """DELETE /orderList."""
        parameters = call.parameters
        found = market(parameters, self._engine.view)
        order_list_id, name = named_list(parameters, "listClientOrderId")
        cancel_name = client_order_id(parameters, "newClientOrderId")
        if order_list_id == 0:
            raise unknown_list()
        command = CancelOrderList(
            self._engine.new_command_id(),
            call.caller.user_id,
            found.rules.market_id,
            order_list_id or 0,
            name or "",
            cancel_name or new_client_order_id(),
            self._engine.on_its_clock(call.caller.valid_until_ms),
        )
        outcome = await self._engine.submit(command, list_rejection, urgent=True, trace=call.trace)
        return self._answers(call, found, outcome)[0]

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
        return self._answers(call, found, outcome)

    def _answers(self, call: Call, found: Market, outcome: CommandOutcome) -> list[dict[str, object]]:
        """Each order that was cancelled, those of a list together where the first of them stands.

        The outcome went to the view before it came here, so the orders are among the recently closed.
        """
        view, unit, user_id = self._engine.view, call.unit, call.caller.user_id
        answers: list[dict[str, object]] = []
        reports_of: dict[int, list[object]] = {}
        # An order that outlives its list is told of by itself.
        ended = {
            recorded.event.order_list_id
            for recorded in outcome.events
            if isinstance(recorded.event, OrderListDone)
        }
        for recorded in outcome.events:
            event = recorded.event
            # What a cancellation sets off tells of others, too.
            if not isinstance(event, OrderClosed) or event.user_id != user_id:
                continue
            order = view.order(event.order_id)
            if order is None:
                raise outcome_unknown()
            name = event.cancel_client_order_id
            shape = canceled_order(found, order, name, outcome.time_ms, unit)
            one = view.lists.get(order.order_list_id) if order.order_list_id in ended else None
            if one is None:
                answers.append(shape)
            elif one.order_list_id in reports_of:
                reports_of[one.order_list_id].append(shape)
            else:
                reports = reports_of[one.order_list_id] = [shape]
                answers.append(order_list(found, one, unit, outcome.time_ms) | {"orderReports": reports})
        if not answers:
            raise cancel_rejection(0)
        return answers


def _restriction(parameters: Parameters) -> int:
    text = optional(parameters, "cancelRestrictions")
    if text is None:
        return codes.CANCEL_ANY
    restriction = _RESTRICTIONS.get(text)
    if restriction is None:
        raise ApiError(-1145, "Invalid cancelRestrictions")
    return restriction
