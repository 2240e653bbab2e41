"""A placement that was asked for, from parameters to whole numbers (binance-spot-api 2.2 and 2.4).

What can be refused by looking at the request and the market's fixed rules is refused here, in the
order in which the engine would; the engine decides the rest and has the last word.
"""

from dataclasses import dataclass
from typing import Final

from exchange.contracts import codes
from exchange.contracts.commands import PlaceOrder
from exchange.contracts.errors import (
    ApiError,
    bad_combination,
    filter_failure,
    invalid_data,
    not_required,
)
from exchange.http.query_parameters import Parameters, integer, optional, required
from services.order.requests.parameters import amount, client_order_id, market, new_client_order_id
from services.order.view.model import AccountView, Market

__all__ = ["ACK", "FULL", "PLACEMENT_PARAMETERS", "Placement", "parse_placement"]

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
# Modes that Binance has and no market here allows.
_ABSENT_STP_MODES: Final = frozenset({"DECREMENT", "TRANSFER"})
_PEG_PRICE_TYPES: Final = frozenset({"PRIMARY_PEG", "MARKET_PEG"})
_PEG_OFFSET_TYPES: Final = frozenset({"PRICE_LEVEL"})
# Types that Binance has and this exchange does not (yet): its own texts for such symbols.
_ABSENT_TYPES: Final = {
    "STOP_LOSS": "Stop loss orders are not supported for this symbol.",
    "STOP_LOSS_LIMIT": "Stop loss limit orders are not supported for this symbol.",
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}
_NEW_ORDER_REJECTED: Final = -2010


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
    _refuse_pegs(parameters)
    time_in_force = _time_in_force(parameters, order_type)
    price_ticks, quantity_lots, quote_quantity_atoms = _quantities(parameters, found, order_type)
    _refuse_absent_features(parameters)
    strategy_id, strategy_type = integer(parameters, "strategyId"), integer(parameters, "strategyType")
    if strategy_type is not None and strategy_type < STRATEGY_TYPE_MIN:
        raise ApiError(-1134, "strategyType was less than 1000000.")
    stp_mode = _stp_mode(parameters)
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


def _stp_mode(parameters: Parameters) -> int:
    """Raises -1013 for a documented mode that no market allows, -1130 for any other text."""
    name = optional(parameters, "selfTradePreventionMode")
    if name is None:
        return STP_DEFAULT
    mode = _STP_MODES.get(name)
    if mode is not None:
        return mode
    if name in _ABSENT_STP_MODES:
        raise ApiError(-1013, "This symbol does not allow the specified self-trade prevention mode.")
    raise invalid_data("selfTradePreventionMode")


def _refuse_pegs(parameters: Parameters) -> None:
    """Before the price is asked for, which a pegged order need not have."""
    price_type = optional(parameters, "pegPriceType")
    offset_type = optional(parameters, "pegOffsetType")
    if price_type is not None and price_type not in _PEG_PRICE_TYPES:
        raise ApiError(-1210, "Invalid pegPriceType.")
    if offset_type is not None and offset_type not in _PEG_OFFSET_TYPES:
        raise ApiError(-1211, "Invalid pegOffsetType.")
    if price_type is not None or offset_type is not None or "pegOffsetValue" in parameters:
        raise ApiError(_NEW_ORDER_REJECTED, "Pegged orders are not supported for this symbol.")


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
    if atoms == 0:
        raise ApiError(-1013, "Invalid price.")
    if not atoms or atoms % found.rules.tick_atoms:
        raise filter_failure("PRICE_FILTER")
    return atoms // found.rules.tick_atoms


def _quantity_lots(parameters: Parameters, found: Market) -> int:
    atoms = amount(parameters, "quantity", found.base.decimals)
    if atoms == 0:
        raise ApiError(-1013, "Invalid quantity.")
    if not atoms or atoms % found.rules.lot_atoms:
        raise filter_failure("LOT_SIZE")
    return atoms // found.rules.lot_atoms


def _refuse_absent_features(parameters: Parameters) -> None:
    """Parameters that Binance knows and that would change the order's meaning if they were ignored."""
    if optional(parameters, "icebergQty") is not None:
        raise ApiError(_NEW_ORDER_REJECTED, "Iceberg orders are not supported for this symbol.")
    if optional(parameters, "trailingDelta") is not None:
        raise ApiError(_NEW_ORDER_REJECTED, "Trailing stop orders are not supported for this symbol.")
    if "stopPrice" in parameters:
        raise not_required("stopPrice")


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
