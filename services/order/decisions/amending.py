"""Making an open order smaller so that it keeps its place (binance-spot-api 2.5)."""

from exchange.contracts import codes
from exchange.contracts.errors import mandatory_parameter, outcome_unknown, unavailable
from exchange.contracts.order_commands import AmendOrder
from exchange.contracts.order_events import OrderAmended
from exchange.contracts.rejections import amend_rejection
from exchange.http.query_parameters import integer, required
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink
from services.order.requests.parameters import (
    client_order_id,
    limit,
    lots_of,
    market,
    named_order,
    new_client_order_id,
)
from services.order.shapes.order_lists import order_list
from services.order.shapes.orders import amended_order
from services.order.view.history import History

__all__ = ["Amending"]


class Amending:
    """The handlers of amendments."""

    def __init__(self, engine: EngineLink, history: History) -> None:
        self._engine = engine
        self._history = history

    async def keep_priority(self, call: Call) -> object:
        """PUT /order/amend/keepPriority."""
        engine, parameters = self._engine, call.parameters
        found = market(parameters, engine.view)
        order_id, name = named_order(parameters, "orderId", "origClientOrderId")
        required(parameters, "newQty")
        lots = lots_of(parameters, found, "newQty")
        new_name = client_order_id(parameters, "newClientOrderId") or new_client_order_id()
        if order_id == 0:
            raise amend_rejection(codes.REJECT_UNKNOWN_ORDER)  # to the engine, 0 is "not named by its id"
        command = AmendOrder(
            engine.new_command_id(),
            call.caller.user_id,
            found.rules.market_id,
            order_id or 0,
            name or "",
            new_name,
            lots,
            engine.on_its_clock(call.caller.valid_until_ms),
        )
        outcome = await engine.submit(command, amend_rejection, urgent=True, trace=call.trace)
        # Of an OCO both orders are amended, the one that was named first.
        first = outcome.events[0]
        if not isinstance(first.event, OrderAmended):
            raise amend_rejection(0)
        order = engine.view.order(first.event.order_id)
        if order is None:
            raise outcome_unknown()
        answer: dict[str, object] = {
            "transactTime": outcome.time_ms * call.unit,
            "executionId": first.seq,
            "amendedOrder": amended_order(found, order, engine.view.name_before(first.seq), call.unit),
        }
        one = engine.view.lists.get(order.order_list_id)
        if one is not None:
            shape = order_list(found, one, call.unit)
            del shape["listStatusType"], shape["transactionTime"]
            answer["listStatus"] = shape
        return answer

    async def amendments(self, call: Call) -> object:
        """GET /order/amendments."""
        parameters = call.parameters
        found = market(parameters, self._engine.view)
        order_id = integer(parameters, "orderId")
        if order_id is None:
            raise mandatory_parameter("orderId")
        first_id = integer(parameters, "fromExecutionId") or 0
        count = limit(parameters)
        user_id = call.caller.user_id
        seq = self._engine.view.last_seq_of.get(user_id, 0)
        if not (await self._engine.can_deny() and await self._history.wait_for(seq)):
            raise unavailable()
        rows = await self._history.amendments(user_id, found.rules.market_id, order_id, first_id, count)
        return [
            {
                "symbol": found.rules.symbol,
                "orderId": order_id,
                "executionId": row.execution_id,
                "origClientOrderId": row.old_client_order_id,
                "newClientOrderId": row.new_client_order_id,
                "origQty": found.quantity_text(row.old_quantity_lots),
                "newQty": found.quantity_text(row.new_quantity_lots),
                "time": row.time_ms * call.unit,
            }
            for row in rows
        ]
