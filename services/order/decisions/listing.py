"""Placing order lists, and the questions about them (binance-spot-api 2.6)."""

from collections.abc import Callable
from typing import Final

from exchange.contracts.errors import ApiError, bad_combination, unavailable
from exchange.contracts.order_events import OrderListPlaced, OrderWithTermsAccepted
from exchange.contracts.rejections import order_rejection
from exchange.http.query_parameters import Parameters, integer
from exchange.http.request_limits import RequestLimits
from services.order.decisions.absent import check_time_range
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink, NotSentError
from services.order.requests.order_list import (
    ListPlacement,
    parse_legacy_oco,
    parse_oco,
    parse_opo,
    parse_opoco,
    parse_oto,
    parse_otoco,
)
from services.order.requests.parameters import limit, named_list
from services.order.shapes.order_lists import order_list
from services.order.shapes.placed import Answer, placed_order
from services.order.view.history import History, ListPage
from services.order.view.model import AccountView
from services.order.view.records import OrderListRecord

__all__ = ["Listing"]

_COMBINATIONS: Final = frozenset(
    frozenset(names.split()) for names in ("", "fromId", "startTime", "endTime", "startTime endTime")
)


class Listing:
    """The handlers of order lists."""

    def __init__(self, engine: EngineLink, history: History, limits: RequestLimits) -> None:
        self._engine = engine
        self._history = history
        self._limits = limits

    # -- placing ------------------------------------------------------------------------------

    async def place_oco(self, call: Call) -> object:
        """POST /orderList/oco."""
        return await self._place(call, parse_oco)

    async def place_legacy_oco(self, call: Call) -> object:
        """POST /order/oco."""
        return await self._place(call, parse_legacy_oco)

    async def place_oto(self, call: Call) -> object:
        """POST /orderList/oto."""
        return await self._place(call, parse_oto)

    async def place_otoco(self, call: Call) -> object:
        """POST /orderList/otoco."""
        return await self._place(call, parse_otoco)

    async def place_opo(self, call: Call) -> object:
        """POST /orderList/opo."""
        return await self._place(call, parse_opo)

    async def place_opoco(self, call: Call) -> object:
        """POST /orderList/opoco."""
        return await self._place(call, parse_opoco)

    async def _place(self, call: Call, parse: Callable[[Parameters, AccountView], ListPlacement]) -> object:
        engine, caller = self._engine, call.caller
        placement = parse(call.parameters, engine.view)
        places = self._limits.reserve_orders(caller.user_id, len(placement.orders))
        command = placement.command(
            engine.new_command_id(), caller.user_id, engine.on_its_clock(caller.valid_until_ms)
        )
        try:
            outcome = await engine.submit(command, order_rejection, urgent=False, trace=call.trace)
        except NotSentError:
            places.give_back()
            raise
        placed = outcome.events[0].event
        if not isinstance(placed, OrderListPlaced):
            raise order_rejection(0)
        accepted = [
            event
            for event in (recorded.event for recorded in outcome.events)
            if isinstance(event, OrderWithTermsAccepted) and event.order_list_id == placed.order_list_id
        ]
        # As it was accepted: what has followed in the same outcome is asked for by a query.
        one = OrderListRecord(
            placed.order_list_id,
            placed.user_id,
            placed.market_id,
            placed.list_client_order_id,
            placed.contingency,
            outcome.time_ms,
            0,
            {event.order_id: event.client_order_id for event in accepted},
        )
        answer = Answer(placement.form, call.unit)
        return order_list(placement.market, one, call.unit) | {
            "orderReports": [
                placed_order(placement.market, outcome, event, engine.view, answer) for event in accepted
            ]
        }

    # -- questions ----------------------------------------------------------------------------

    async def order_list(self, call: Call) -> object:
        """GET /orderList."""
        order_list_id, name = named_list(call.parameters, "origClientOrderId")
        one = self._find(call.caller.user_id, order_list_id, name)
        # A name may be given again when its list is done: the newest of that name may be still to come.
        if one is None or (order_list_id is None and one.done_ms):
            one = await self._find_for_certain(call, order_list_id, name)
        if one is None or (name is not None and one.list_client_order_id != name):
            raise ApiError(-2013, "Order list does not exist.")
        return self._shape(call, one)

    def _find(self, user_id: int, order_list_id: int | None, name: str | None) -> OrderListRecord | None:
        lists = self._engine.view.lists
        if order_list_id is None:
            assert name is not None, "one of the two was sent"
            return lists.by_name(user_id, name)
        one = lists.get(order_list_id)
        return one if one is not None and one.user_id == user_id else None

    async def _find_for_certain(
        self, call: Call, order_list_id: int | None, name: str | None
    ) -> OrderListRecord | None:
        """The list wherever it is. Raises -1001 when that cannot be told now."""
        await self._complete(call)
        user_id = call.caller.user_id
        one = self._find(user_id, order_list_id, name)
        return one if one is not None else await self._history.order_list(user_id, order_list_id, name)

    async def open_order_lists(self, call: Call) -> object:
        """GET /openOrderList. What the list lacks is denied."""
        if not await self._engine.can_deny():
            raise unavailable()
        return [self._shape(call, one) for one in self._engine.view.lists.open_of(call.caller.user_id)]

    async def all_order_lists(self, call: Call) -> object:
        """GET /allOrderList."""
        parameters = call.parameters
        if {"fromId", "startTime", "endTime"} & parameters.keys() not in _COMBINATIONS:
            raise bad_combination()
        first_id = integer(parameters, "fromId")
        start_ms, end_ms = check_time_range(parameters)
        page = ListPage(call.caller.user_id, first_id, start_ms, end_ms, limit(parameters))
        await self._complete(call)
        return [self._shape(call, one) for one in await self._history.order_lists(page)]

    def _shape(self, call: Call, one: OrderListRecord) -> dict[str, object]:
        return order_list(self._engine.view.markets[one.market_id], one, call.unit)

    async def _complete(self, call: Call) -> None:
        """Let view and ledger reach all that was sent before, or raise -1001."""
        seq = self._engine.view.last_seq_of.get(call.caller.user_id, 0)
        if not (await self._engine.can_deny() and await self._history.wait_for(seq)):
            raise unavailable()
