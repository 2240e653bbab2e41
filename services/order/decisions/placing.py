"""Placing an order, from the call to the answer (binance-spot-api 2.4)."""

from typing import Final

from exchange.contracts.events import OrderAccepted
from exchange.contracts.order_events import OrderWithTermsAccepted
from exchange.contracts.rejections import order_rejection
from exchange.http.query_parameters import boolean
from exchange.http.request_limits import RequestLimits
from exchange.process.crash_points import crash_point
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink, NotSentError
from services.order.requests.placement import Placement, parse_placement
from services.order.shapes.fees import discount, rate_text
from services.order.shapes.placed import Answer, placed_order

__all__ = ["Placing"]

# Made once: a union of types is made anew each time that it is asked for.
_ACCEPTED: Final = (OrderAccepted, OrderWithTermsAccepted)


class Placing:
    """The handlers that place, or would."""

    def __init__(self, engine: EngineLink, limits: RequestLimits) -> None:
        self._engine = engine
        self._limits = limits

    async def place(self, call: Call) -> object:
        """POST /order."""
        placement = parse_placement(call.parameters, self._engine.view)
        places = self._limits.reserve_orders(call.caller.user_id, 1)
        try:
            return await self.submit(call, placement)
        except NotSentError:
            places.give_back()
            raise

    async def submit(self, call: Call, placement: "Placement", *, urgent: bool = False) -> dict[str, object]:
        """Let the engine decide about a placement that was checked and admitted, and answer."""
        engine, caller = self._engine, call.caller
        valid_until_ms = engine.on_its_clock(caller.valid_until_ms)
        command = placement.command(engine.new_command_id(), caller.user_id, valid_until_ms)
        outcome = await engine.submit(command, order_rejection, urgent=urgent, trace=call.trace)
        crash_point("order.before-answer")
        accepted = outcome.events[0].event
        if not isinstance(accepted, _ACCEPTED):
            raise order_rejection(0)
        return placed_order(
            placement.market, outcome, accepted, engine.view, Answer(placement.form, call.unit)
        )

    async def test(self, call: Call) -> object:
        """POST /order/test: every check that needs no engine; no effect."""
        wants_rates = boolean(call.parameters, "computeCommissionRates")
        placement = parse_placement(call.parameters, self._engine.view)
        if not wants_rates:
            return {}
        view, user_id = self._engine.view, call.caller.user_id
        rates = view.fees.rates(user_id, placement.market.rules)
        zero = {"maker": rate_text(0), "taker": rate_text(0)}
        return {
            "standardCommissionForOrder": {
                "maker": rate_text(rates.maker_ppm),
                "taker": rate_text(rates.taker_ppm),
            },
            "specialCommissionForOrder": zero,
            "taxCommissionForOrder": zero,
            "discount": discount(view, user_id, placement.market),
        }
