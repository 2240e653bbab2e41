"""A placement that was asked for, from parameters to whole numbers (binance-spot-api 2.2 and 2.4).

What can be refused by looking at the request and the market's fixed rules is refused here, in the
order in which the engine would; the engine decides the rest and has the last word.
"""

from typing import Final, NamedTuple

from exchange.contracts import codes
from exchange.contracts.commands import Command, PlaceOrder
from exchange.contracts.errors import (
    ApiError,
    bad_combination,
    filter_failure,
    invalid_data,
    not_required,
)
from exchange.contracts.order_commands import OrderLeg, PlaceOrderWithTerms
from exchange.http.query_parameters import Parameters, optional, required
from services.order.requests.changed_filters import check_changed_filters
from services.order.requests.parameters import (
    amount,
    client_order_id,
    lots_of,
    market,
    new_client_order_id,
    price_ticks_of,
)
from services.order.requests.terms import (
    PLAIN,
    TERM_NAMES,
    TRIGGERED,
    WITH_TIME_IN_FORCE,
    WITHOUT_PRICE,
    Terms,
    check_term_filters,
    parse_peg,
    parse_terms,
)
from services.order.shapes.placed import ACK, FULL, RESULT
from services.order.view.model import AccountView, Market

__all__ = [
    "FORMS",
    "PLACEMENT_PARAMETERS",
    "Placement",
    "parse_placement",
]

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

_SIDES: Final = {name: code for code, name in codes.SIDE_NAMES.items()}
_TYPES: Final = {name: code for code, name in (codes.ORDER_TYPE_NAMES | codes.TRIGGERED_TYPE_NAMES).items()}
_TIMES_IN_FORCE: Final = {name: code for code, name in codes.TIME_IN_FORCE_NAMES.items()}
_STP_MODES: Final = {name: code for code, name in (codes.STP_NAMES | codes.STP_DECREMENTING_NAMES).items()}
FORMS: Final = (ACK, RESULT, FULL)
_FULL_BY_DEFAULT: Final = frozenset([codes.LIMIT, codes.MARKET])


class Placement(NamedTuple):
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
    terms: Terms

    def command(self, command_id: int, user_id: int, valid_until_ms: int) -> Command:
        """The command that asks the engine for it."""
        plain = (
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
        terms = self.terms
        if terms is PLAIN:
            return PlaceOrder(*plain)
        return PlaceOrderWithTerms(
            *plain,
            terms.stop_price_ticks,
            terms.trailing_bips,
            terms.iceberg_lots,
            terms.strategy_id,
            terms.strategy_type,
            terms.peg_price_type,
            terms.peg_offset_levels,
        )

    def leg(self) -> OrderLeg:
        """The same as one order of a list."""
        terms = self.terms
        return OrderLeg(
            self.client_order_id,
            self.side,
            self.order_type,
            self.time_in_force,
            self.price_ticks,
            self.quantity_lots,
            terms.stop_price_ticks,
            terms.trailing_bips,
            terms.iceberg_lots,
            terms.strategy_id,
            terms.strategy_type,
            terms.peg_price_type,
            terms.peg_offset_levels,
        )


def parse_placement(
    parameters: Parameters, view: AccountView, *, leaves_quantity_open: bool = False
) -> Placement:
    """Check a placement. Raises ApiError.

    `leaves_quantity_open`: another order buys what it sells (ADR 0046), so its quantity is 0.
    """
    found = market(parameters, view)
    side = _SIDES.get(required(parameters, "side"))
    if side is None:
        raise ApiError(-1117, "Invalid side.")
    order_type = _TYPES.get(required(parameters, "type"))
    if order_type is None:
        raise ApiError(-1116, "Invalid orderType.")
    has_terms = not TERM_NAMES.isdisjoint(parameters)
    peg, levels = parse_peg(parameters, order_type) if has_terms else (codes.PEG_NONE, 0)
    time_in_force = _time_in_force(parameters, order_type)
    price_ticks, lots, quote_quantity_atoms = _quantities(
        parameters, found, order_type, bool(peg), leaves_quantity_open
    )
    terms = PLAIN
    if has_terms or order_type in TRIGGERED:
        terms = parse_terms(parameters, found, order_type, time_in_force, lots, peg, levels)
    stp_mode = _stp_mode(parameters)
    form = optional(parameters, "newOrderRespType")
    if form is None:
        form = FULL if order_type in _FULL_BY_DEFAULT else ACK
    elif form not in FORMS:
        raise invalid_data("newOrderRespType")
    name = client_order_id(parameters, "newClientOrderId") or new_client_order_id()
    placement = Placement(
        found,
        name,
        side,
        order_type,
        time_in_force,
        price_ticks,
        lots,
        quote_quantity_atoms,
        stp_mode,
        form,
        terms,
    )
    _check_filters(placement)
    if terms is not PLAIN:
        check_term_filters(terms, lots, found)
    if found.changed:
        check_changed_filters(found, side, order_type, price_ticks, lots, quote_quantity_atoms, terms)
    return placement


def _time_in_force(parameters: Parameters, order_type: int) -> int:
    """Orders with a price must say it, but for LIMIT_MAKER; the others must not, and count as GTC."""
    if order_type not in WITH_TIME_IN_FORCE:
        if "timeInForce" in parameters:
            raise not_required("timeInForce")
        return codes.GTC
    time_in_force = _TIMES_IN_FORCE.get(required(parameters, "timeInForce"))
    if time_in_force is None:
        raise ApiError(-1115, "Invalid timeInForce.")
    return time_in_force


def _stp_mode(parameters: Parameters) -> int:
    name = optional(parameters, "selfTradePreventionMode")
    if name is None:
        return STP_DEFAULT
    mode = _STP_MODES.get(name)
    if mode is None:
        raise invalid_data("selfTradePreventionMode")
    return mode


def _quantities(
    parameters: Parameters, found: Market, order_type: int, is_pegged: bool, leaves_open: bool
) -> tuple[int, int, int]:
    """Price in ticks, quantity in lots, quote quantity in atoms; 0 for what the type does not have."""
    if order_type not in WITHOUT_PRICE:
        if not leaves_open:
            required(parameters, "quantity")
        if not is_pegged:
            required(parameters, "price")
        if "quoteOrderQty" in parameters:
            raise not_required("quoteOrderQty")
        price_ticks = 0 if is_pegged else price_ticks_of(parameters, found, "price")
        return price_ticks, 0 if leaves_open else lots_of(parameters, found, "quantity"), 0
    if "price" in parameters:
        raise not_required("price")
    if leaves_open:
        return 0, 0, 0
    if order_type != codes.MARKET:
        required(parameters, "quantity")
        if "quoteOrderQty" in parameters:
            raise not_required("quoteOrderQty")
        return 0, lots_of(parameters, found, "quantity"), 0
    has_quantity, has_quote = bool(parameters.get("quantity")), bool(parameters.get("quoteOrderQty"))
    if has_quantity and has_quote:
        raise bad_combination()
    if has_quantity:
        return 0, lots_of(parameters, found, "quantity"), 0
    if not has_quote:
        raise ApiError(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
    quote_atoms = amount(parameters, "quoteOrderQty", found.quote.decimals)
    if not quote_atoms:
        raise filter_failure("NOTIONAL")
    return 0, 0, quote_atoms


def _check_filters(placement: Placement) -> None:
    """The filters that need neither the book nor the accounts."""
    rules = placement.market.rules
    price = placement.price_ticks
    if not placement.quantity_lots and not placement.quote_quantity_atoms:
        # Its quantity is still to be bought: the engine looks at it then.
        if price and not rules.price_ticks_min <= price <= rules.price_ticks_max:
            raise filter_failure("PRICE_FILTER")
        return
    lots, notional = placement.quantity_lots, placement.quote_quantity_atoms
    if placement.order_type in WITHOUT_PRICE:
        if notional:
            low, high = placement.market.market_notional_range()
            if not low <= notional <= high:
                raise filter_failure("NOTIONAL")
            return
        if not rules.quantity_lots_min <= lots <= rules.quantity_lots_max:
            raise filter_failure("LOT_SIZE")
        if lots > rules.market_quantity_lots_max and placement.order_type == codes.MARKET:
            raise filter_failure("MARKET_LOT_SIZE")
        return
    if placement.terms.peg_price_type:
        # Its price is the book's, which the engine knows.
        if not rules.quantity_lots_min <= lots <= rules.quantity_lots_max:
            raise filter_failure("LOT_SIZE")
        return
    if not rules.price_ticks_min <= placement.price_ticks <= rules.price_ticks_max:
        raise filter_failure("PRICE_FILTER")
    if not rules.quantity_lots_min <= lots <= rules.quantity_lots_max:
        raise filter_failure("LOT_SIZE")
    notional = placement.price_ticks * lots * rules.notional_unit_atoms
    if not rules.notional_atoms_min <= notional <= rules.notional_atoms_max:
        raise filter_failure("NOTIONAL")
