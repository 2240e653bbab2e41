"""Placing an order, from the call to the answer (binance-spot-api 2.4)."""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.errors import order_rejection
from exchange.contracts.events import OrderAccepted, OrderClosed, TradeExecuted
from exchange.http.query_parameters import boolean
from exchange.http.request_limits import RequestLimits
from exchange.process.crash_points import crash_point
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink, NotSentError
from services.order.requests.placement import ACK, FULL, Placement, parse_placement
from services.order.shapes.fees import commission, no_discount, rate_text
from services.order.shapes.prevention import (
    NO_TRADE_GROUP,
    PreventedMatch,
    prevented_matches_of_taker,
    prevented_quantities,
)
from services.order.view.model import AccountView, Market

__all__ = ["Placing"]

_EXPIRED: Final = (codes.EXPIRED, codes.EXPIRED_IN_MATCH)


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
        if not isinstance(accepted, OrderAccepted):
            raise order_rejection(0)
        return _answer(placement, outcome, accepted, engine.view, call.unit)

    async def test(self, call: Call) -> object:
        """POST /order/test: every check that needs no engine; no effect."""
        wants_rates = boolean(call.parameters, "computeCommissionRates")
        placement = parse_placement(call.parameters, self._engine.view)
        if not wants_rates:
            return {}
        rules = placement.market.rules
        zero = {"maker": rate_text(0), "taker": rate_text(0)}
        return {
            "standardCommissionForOrder": {
                "maker": rate_text(rules.maker_fee_ppm),
                "taker": rate_text(rules.taker_fee_ppm),
            },
            "specialCommissionForOrder": zero,
            "taxCommissionForOrder": zero,
            "discount": no_discount(),
        }


def _answer(
    placement: Placement, outcome: CommandOutcome, accepted: OrderAccepted, view: AccountView, unit: int
) -> dict[str, object]:
    """What the sender is told. All of it follows from the outcome itself, so nothing newer gets in.

    But for the price of an order of his own that has ended this one: it does not change.
    """
    shape: dict[str, object] = {
        "symbol": placement.market.rules.symbol,
        "orderId": accepted.order_id,
        "orderListId": -1,
        "clientOrderId": accepted.client_order_id,
        "transactTime": outcome.time_ms * unit,
    }
    if placement.form != ACK:
        _add_result(shape, placement, outcome, accepted, view)
    if placement.strategy_id is not None:
        shape["strategyId"] = placement.strategy_id
    if placement.strategy_type is not None:
        shape["strategyType"] = placement.strategy_type
    return shape


def _add_result(
    shape: dict[str, object],
    placement: Placement,
    outcome: CommandOutcome,
    accepted: OrderAccepted,
    view: AccountView,
) -> None:
    """What has become of the order within its own outcome."""
    found = placement.market
    executed_lots = executed_quote_atoms = close_reason = 0
    status = codes.NEW
    trades: list[TradeExecuted] = []
    order_id = accepted.order_id
    for recorded in outcome.events:
        event = recorded.event
        if isinstance(event, TradeExecuted):
            executed_lots += event.quantity_lots
            executed_quote_atoms += event.quote_atoms
            trades.append(event)
        elif isinstance(event, OrderClosed) and event.order_id == order_id:
            status, close_reason = event.status, event.reason
    if status == codes.NEW and executed_lots:
        is_filled = executed_lots == accepted.quantity_lots
        status = codes.FILLED if is_filled else codes.PARTIALLY_FILLED
    shape["price"] = found.price_text(accepted.price_ticks)
    shape["origQty"] = found.quantity_text(accepted.quantity_lots)
    shape["executedQty"] = found.quantity_text(executed_lots)
    shape["origQuoteOrderQty"] = found.quote.text(accepted.quote_quantity_atoms)
    shape["cummulativeQuoteQty"] = found.quote.text(executed_quote_atoms)
    shape["status"] = codes.ORDER_STATUS_NAMES[status]
    shape["timeInForce"] = codes.TIME_IN_FORCE_NAMES[accepted.time_in_force]
    shape["type"] = codes.ORDER_TYPE_NAMES[accepted.order_type]
    shape["side"] = codes.SIDE_NAMES[accepted.side]
    shape["workingTime"] = shape["transactTime"]
    if placement.form == FULL:
        shape["fills"] = [_fill(found, trade, accepted.side) for trade in trades]
    shape["selfTradePreventionMode"] = codes.STP_NAMES[accepted.stp_mode]
    if accepted.stp_mode != codes.STP_NONE:
        _add_prevented(shape, found, prevented_matches_of_taker(view, outcome, accepted, executed_lots))
    if status in _EXPIRED:
        shape["expiryReason"] = codes.CLOSE_REASON_NAMES[close_reason]


def _add_prevented(shape: dict[str, object], found: Market, matches: list[PreventedMatch]) -> None:
    """The order's self-trades that were prevented, if there were any."""
    if not matches:
        return
    shape["preventedMatches"] = [
        {
            "preventedMatchId": match.match_id,
            "makerOrderId": match.maker_order_id,
            "price": found.price_text(match.price_ticks),
            **prevented_quantities(found, match),
        }
        for match in matches
    ]
    if matches[-1].taker_lots:
        shape["preventedMatchId"] = matches[-1].match_id
        shape["preventedQuantity"] = found.quantity_text(matches[-1].taker_lots)
        shape["tradeGroupId"] = NO_TRADE_GROUP


def _fill(found: Market, trade: TradeExecuted, side: int) -> dict[str, object]:
    fee, fee_asset = commission(found, side, trade.buyer_fee_atoms, trade.seller_fee_atoms)
    return {
        "price": found.price_text(trade.price_ticks),
        "qty": found.quantity_text(trade.quantity_lots),
        "commission": fee,
        "commissionAsset": fee_asset,
        "tradeId": trade.trade_id,
    }
