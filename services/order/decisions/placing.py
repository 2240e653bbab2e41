"""Placing an order, from the call to the answer (binance-spot-api 2.2 and 2.4).

What can be refused by looking at the request and the market's fixed rules is refused here, in the
order in which the engine would; the engine decides the rest and has the last word.
"""

from dataclasses import dataclass
from typing import Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import PlaceOrder
from exchange.contracts.errors import (
    ApiError,
    bad_combination,
    filter_failure,
    invalid_data,
    not_required,
    order_rejection,
)
from exchange.contracts.events import OrderAccepted, OrderClosed, TradeExecuted
from exchange.http.query_parameters import Parameters, boolean, integer, optional, required
from exchange.http.request_limits import RequestLimits
from exchange.process.crash_points import crash_point
from services.order.decisions.call import Call
from services.order.decisions.engine_link import EngineLink, NotSentError
from services.order.decisions.fees import commission, no_discount, rate_text
from services.order.decisions.parameters import amount, client_order_id, market, new_client_order_id
from services.order.view.model import AccountView, Market

__all__ = ["PLACEMENT_PARAMETERS", "Placement", "Placing", "parse_placement"]

PLACEMENT_PARAMETERS: Final = frozenset(
    [
        "symbol",
        "side",
        "type",
        "timeInForce",
        "quantity",
        "quoteOrderQty",
        "price",
        "newClientOrderId",
        "strategyId",
        "strategyType",
        "stopPrice",
        "trailingDelta",
        "icebergQty",
        "newOrderRespType",
        "selfTradePreventionMode",
        "pegPriceType",
        "pegOffsetValue",
        "pegOffsetType",
    ]
)
# The default when selfTradePreventionMode is not sent; exchangeInfo must say the same.
STP_DEFAULT: Final = codes.STP_EXPIRE_MAKER
STRATEGY_TYPE_MIN: Final = 1_000_000

_SIDES: Final = {name: code for code, name in codes.SIDE_NAMES.items()}
_TYPES: Final = {name: code for code, name in codes.ORDER_TYPE_NAMES.items()}
_TIMES_IN_FORCE: Final = {name: code for code, name in codes.TIME_IN_FORCE_NAMES.items()}
_STP_MODES: Final = {name: code for code, name in codes.STP_NAMES.items()}
# How much an answer tells.
ACK: Final = "ACK"
RESULT: Final = "RESULT"
FULL: Final = "FULL"
_FORMS: Final = (ACK, RESULT, FULL)
# Types that Binance has and this exchange does not (yet): its own texts for such symbols.
_ABSENT_TYPES: Final = {
    "STOP_LOSS": "Stop loss orders are not supported for this symbol.",
    "STOP_LOSS_LIMIT": "Stop loss limit orders are not supported for this symbol.",
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}
_NEW_ORDER_REJECTED: Final = -2010
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
        command = placement.command(engine.new_command_id(), caller.user_id, caller.valid_until_ms)
        outcome = await engine.submit(command, order_rejection, urgent=urgent, trace=call.trace)
        crash_point("order.before-answer")
        accepted = outcome.events[0].event
        if not isinstance(accepted, OrderAccepted):
            raise order_rejection(0)
        return _answer(placement, outcome, accepted, call.unit)

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


@dataclass(frozen=True, slots=True)
class Placement:
    """A placement that passed every check that needs no engine. `form`: ACK, RESULT or FULL."""

    market: Market
    client_order_id: str
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    quantity_lots: int
    quote_quantity_atoms: int
    stp_mode: int
    form: str
    strategy_id: int | None
    strategy_type: int | None

    def command(self, command_id: int, user_id: int, valid_until_ms: int) -> PlaceOrder:
        """The command that asks the engine for it."""
        return PlaceOrder(
            command_id,
            user_id,
            self.market.rules.market_id,
            self.client_order_id,
            self.side,
            self.order_type,
            self.time_in_force,
            self.price_ticks,
            self.quantity_lots,
            self.quote_quantity_atoms,
            self.stp_mode,
            valid_until_ms,
        )


def parse_placement(parameters: Parameters, view: AccountView) -> Placement:
    """Check a placement. Raises ApiError."""
    found = market(parameters, view)
    side = _SIDES.get(required(parameters, "side"))
    if side is None:
        raise ApiError(-1117, "Invalid side.")
    order_type = _order_type(required(parameters, "type"))
    time_in_force = _time_in_force(parameters, order_type)
    price_ticks, quantity_lots, quote_quantity_atoms = _quantities(parameters, found, order_type)
    _refuse_absent_features(parameters)
    strategy_id, strategy_type = integer(parameters, "strategyId"), integer(parameters, "strategyType")
    if strategy_type is not None and strategy_type < STRATEGY_TYPE_MIN:
        raise ApiError(-1134, "strategyType was less than 1000000.")
    stp_name = optional(parameters, "selfTradePreventionMode")
    stp_mode = STP_DEFAULT if stp_name is None else _STP_MODES.get(stp_name)
    if stp_mode is None:
        raise invalid_data("selfTradePreventionMode")
    form = optional(parameters, "newOrderRespType")
    if form is None:
        form = ACK if order_type == codes.LIMIT_MAKER else FULL
    elif form not in _FORMS:
        raise invalid_data("newOrderRespType")
    name = client_order_id(parameters, "newClientOrderId") or new_client_order_id()
    placement = Placement(
        found,
        name,
        side,
        order_type,
        time_in_force,
        price_ticks,
        quantity_lots,
        quote_quantity_atoms,
        stp_mode,
        form,
        strategy_id,
        strategy_type,
    )
    _check_filters(placement)
    return placement


def _order_type(name: str) -> int:
    order_type = _TYPES.get(name)
    if order_type is not None:
        return order_type
    if name in _ABSENT_TYPES:
        raise ApiError(_NEW_ORDER_REJECTED, _ABSENT_TYPES[name])
    raise ApiError(-1116, "Invalid orderType.")


def _time_in_force(parameters: Parameters, order_type: int) -> int:
    """LIMIT must say it, the others must not; they count as GTC."""
    if order_type != codes.LIMIT:
        if "timeInForce" in parameters:
            raise not_required("timeInForce")
        return codes.GTC
    time_in_force = _TIMES_IN_FORCE.get(required(parameters, "timeInForce"))
    if time_in_force is None:
        raise ApiError(-1115, "Invalid timeInForce.")
    return time_in_force


def _quantities(parameters: Parameters, found: Market, order_type: int) -> tuple[int, int, int]:
    """Price in ticks, quantity in lots, quote quantity in atoms; 0 for what the type does not have."""
    if order_type != codes.MARKET:
        required(parameters, "quantity")
        required(parameters, "price")
        if "quoteOrderQty" in parameters:
            raise not_required("quoteOrderQty")
        return _price_ticks(parameters, found), _quantity_lots(parameters, found), 0
    if "price" in parameters:
        raise not_required("price")
    has_quantity, has_quote = bool(parameters.get("quantity")), bool(parameters.get("quoteOrderQty"))
    if has_quantity and has_quote:
        raise bad_combination()
    if has_quantity:
        return 0, _quantity_lots(parameters, found), 0
    if not has_quote:
        raise ApiError(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
    quote_atoms = amount(parameters, "quoteOrderQty", found.quote.decimals)
    if not quote_atoms:
        raise filter_failure("NOTIONAL")
    return 0, 0, quote_atoms


def _price_ticks(parameters: Parameters, found: Market) -> int:
    atoms = amount(parameters, "price", found.quote.decimals)
    if not atoms or atoms % found.rules.tick_atoms:
        raise filter_failure("PRICE_FILTER")
    return atoms // found.rules.tick_atoms


def _quantity_lots(parameters: Parameters, found: Market) -> int:
    atoms = amount(parameters, "quantity", found.base.decimals)
    if not atoms or atoms % found.rules.lot_atoms:
        raise filter_failure("LOT_SIZE")
    return atoms // found.rules.lot_atoms


def _refuse_absent_features(parameters: Parameters) -> None:
    """Parameters that Binance knows and that would change the order's meaning if they were ignored."""
    if optional(parameters, "icebergQty") is not None:
        raise ApiError(_NEW_ORDER_REJECTED, "Iceberg orders are not supported for this symbol.")
    if optional(parameters, "trailingDelta") is not None:
        raise ApiError(_NEW_ORDER_REJECTED, "Trailing stop orders are not supported for this symbol.")
    for name in ("stopPrice", "pegPriceType", "pegOffsetValue", "pegOffsetType"):
        if name in parameters:
            raise not_required(name)


def _check_filters(placement: Placement) -> None:
    """The filters that need neither the book nor the accounts."""
    rules = placement.market.rules
    lots, notional = placement.quantity_lots, placement.quote_quantity_atoms
    if placement.order_type == codes.MARKET:
        if notional:
            if not rules.notional_atoms_min <= notional <= rules.notional_atoms_max:
                raise filter_failure("NOTIONAL")
            return
        if not rules.quantity_lots_min <= lots <= rules.quantity_lots_max:
            raise filter_failure("LOT_SIZE")
        if lots > rules.market_quantity_lots_max:
            raise filter_failure("MARKET_LOT_SIZE")
        return
    if not rules.price_ticks_min <= placement.price_ticks <= rules.price_ticks_max:
        raise filter_failure("PRICE_FILTER")
    if not rules.quantity_lots_min <= lots <= rules.quantity_lots_max:
        raise filter_failure("LOT_SIZE")
    notional = placement.price_ticks * lots * rules.notional_unit_atoms
    if not rules.notional_atoms_min <= notional <= rules.notional_atoms_max:
        raise filter_failure("NOTIONAL")


def _answer(
    placement: Placement, outcome: CommandOutcome, accepted: OrderAccepted, unit: int
) -> dict[str, object]:
    """What the sender is told. All of it follows from the outcome itself, so nothing newer gets in."""
    shape: dict[str, object] = {
        "symbol": placement.market.rules.symbol,
        "orderId": accepted.order_id,
        "orderListId": -1,
        "clientOrderId": accepted.client_order_id,
        "transactTime": outcome.time_ms * unit,
    }
    if placement.form != ACK:
        _add_result(shape, placement, outcome, accepted)
    if placement.strategy_id is not None:
        shape["strategyId"] = placement.strategy_id
    if placement.strategy_type is not None:
        shape["strategyType"] = placement.strategy_type
    return shape


def _add_result(
    shape: dict[str, object], placement: Placement, outcome: CommandOutcome, accepted: OrderAccepted
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
    if status in _EXPIRED:
        shape["expiryReason"] = codes.CLOSE_REASON_NAMES[close_reason]


def _fill(found: Market, trade: TradeExecuted, side: int) -> dict[str, object]:
    fee, fee_asset = commission(found, side, trade.buyer_fee_atoms, trade.seller_fee_atoms)
    return {
        "price": found.price_text(trade.price_ticks),
        "qty": found.quantity_text(trade.quantity_lots),
        "commission": fee,
        "commissionAsset": fee_asset,
        "tradeId": trade.trade_id,
    }
