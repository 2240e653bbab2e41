"""An order list that was asked for, of any kind, its orders checked one by one (binance-spot-api 2.6).

Each order of a list is a placement of its own, whose parameters carry the order's place in the list before
their names (`abovePrice`, `pendingBelowStopPrice`). They are read as those of a single order, and a refusal
names them as they were sent. What needs the market's last price is the engine's to refuse.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from exchange.contracts import codes
from exchange.contracts.errors import ApiError, invalid_data
from exchange.contracts.order_commands import PlaceOrderList
from exchange.http.query_parameters import Parameters, optional, required
from services.order.requests.parameters import client_order_id, new_client_order_id
from services.order.requests.placement import FORMS, Placement, parse_placement
from services.order.shapes.placed import RESULT
from services.order.view.model import AccountView, Market

__all__ = [
    "LEGACY_OCO_PARAMETERS",
    "OCO_PARAMETERS",
    "OPOCO_PARAMETERS",
    "OPO_PARAMETERS",
    "OTOCO_PARAMETERS",
    "OTO_PARAMETERS",
    "ListPlacement",
    "parse_legacy_oco",
    "parse_oco",
    "parse_opo",
    "parse_opoco",
    "parse_oto",
    "parse_otoco",
]

# A list's parameter without the place of its order ("Price" of `abovePrice`) -> its name for a single order.
_FIELDS: Final = {
    "Type": "type",
    "Side": "side",
    "ClientOrderId": "newClientOrderId",
    "Price": "price",
    "Quantity": "quantity",
    "StopPrice": "stopPrice",
    "TrailingDelta": "trailingDelta",
    "TimeInForce": "timeInForce",
    "IcebergQty": "icebergQty",
    "StrategyId": "strategyId",
    "StrategyType": "strategyType",
    "PegPriceType": "pegPriceType",
    "PegOffsetType": "pegOffsetType",
    "PegOffsetValue": "pegOffsetValue",
}
_OF_THE_LIST: Final = ("symbol", "listClientOrderId", "newOrderRespType", "selfTradePreventionMode")
_LIMITS: Final = (codes.LIMIT_MAKER,)
_STOPS: Final = (codes.STOP_LOSS, codes.STOP_LOSS_LIMIT)
_TAKE_PROFITS: Final = (codes.TAKE_PROFIT, codes.TAKE_PROFIT_LIMIT)
_PAIRED_TYPES: Final = frozenset(["LIMIT_MAKER", *codes.TRIGGERED_TYPE_NAMES.values()])
# Kind of an order, its side, whether it is the one above -> why it must not be there.
_MISPLACED: Final = {
    (_LIMITS, codes.BUY, True): (-1165, "A limit order in a buy OCO must be below."),
    (_LIMITS, codes.SELL, False): (-1166, "A limit order in a sell OCO must be above."),
    (_STOPS, codes.BUY, False): (-1196, "A stop loss order in a buy OCO must be above."),
    (_STOPS, codes.SELL, True): (-1197, "A stop loss order in a sell OCO must be below."),
    (_TAKE_PROFITS, codes.BUY, True): (-1198, "A take profit order in a buy OCO must be below."),
    (_TAKE_PROFITS, codes.SELL, False): (-1199, "A take profit order in a sell OCO must be above."),
}


def _names(place: str, *but: str) -> dict[str, str]:
    """The parameters of the order at a place of a list, without some -> what they are in a single order."""
    return {place + field: name for field, name in _FIELDS.items() if field not in but}


_SHARED: Final = {"side": "side", "quantity": "quantity"}
_PENDING_SHARED: Final = {"pendingSide": "side", "pendingQuantity": "quantity"}
_ABOVE: Final = _SHARED | _names("above", "Side", "Quantity")
_BELOW: Final = _SHARED | _names("below", "Side", "Quantity")
_WORKING: Final = _names("working", "StopPrice", "TrailingDelta")
_PENDING: Final = _names("pending")
_PENDING_ABOVE: Final = _PENDING_SHARED | _names("pendingAbove", "Side", "Quantity")
_PENDING_BELOW: Final = _PENDING_SHARED | _names("pendingBelow", "Side", "Quantity")
# Of lists whose pending orders sell what the working one has bought (ADR 0046): nobody says how much.
_PAID: Final = _names("pending", "Quantity")
_PAID_ABOVE: Final = {"pendingSide": "side"} | _names("pendingAbove", "Side", "Quantity")
_PAID_BELOW: Final = {"pendingSide": "side"} | _names("pendingBelow", "Side", "Quantity")
_LEGACY_LIMIT: Final = {
    **_SHARED,
    "price": "price",
    "limitClientOrderId": "newClientOrderId",
    "limitIcebergQty": "icebergQty",
    "limitStrategyId": "strategyId",
    "limitStrategyType": "strategyType",
}
_LEGACY_STOP: Final = {
    **_SHARED,
    "stopPrice": "stopPrice",
    "trailingDelta": "trailingDelta",
    "stopLimitPrice": "price",
    "stopLimitTimeInForce": "timeInForce",
    "stopClientOrderId": "newClientOrderId",
    "stopIcebergQty": "icebergQty",
    "stopStrategyId": "strategyId",
    "stopStrategyType": "strategyType",
}
OCO_PARAMETERS: Final = frozenset([*_OF_THE_LIST, *_ABOVE, *_BELOW])
OTO_PARAMETERS: Final = frozenset([*_OF_THE_LIST, *_WORKING, *_PENDING])
OTOCO_PARAMETERS: Final = frozenset([*_OF_THE_LIST, *_WORKING, *_PENDING_ABOVE, *_PENDING_BELOW])
OPO_PARAMETERS: Final = frozenset([*_OF_THE_LIST, *_WORKING, *_PAID])
OPOCO_PARAMETERS: Final = frozenset([*_OF_THE_LIST, *_WORKING, *_PAID_ABOVE, *_PAID_BELOW])
LEGACY_OCO_PARAMETERS: Final = frozenset([*_OF_THE_LIST, *_LEGACY_LIMIT, *_LEGACY_STOP])


@dataclass(frozen=True, slots=True)
class ListPlacement:
    """A list that passed every check that needs no engine.

    `contingency`: codes.CONTINGENCY_*. `orders`: of an OCO the one above and the one below, of the others the
    working one before what is pending. `form`: ACK, RESULT or FULL.
    """

    market: Market
    list_client_order_id: str
    contingency: int
    orders: tuple[Placement, ...]
    form: str

    def command(self, command_id: int, user_id: int, valid_until_ms: int) -> PlaceOrderList:
        """The command that asks the engine for it."""
        return PlaceOrderList(
            command_id,
            user_id,
            self.market.rules.market_id,
            self.list_client_order_id,
            self.contingency,
            self.orders[0].stp_mode,
            valid_until_ms,
            [order.leg() for order in self.orders],
        )


def parse_oco(parameters: Parameters, view: AccountView) -> ListPlacement:
    """POST /orderList/oco. Raises ApiError."""
    return _list(parameters, codes.CONTINGENCY_OCO, _pair(parameters, view, _ABOVE, _BELOW))


def parse_legacy_oco(parameters: Parameters, view: AccountView) -> ListPlacement:
    """POST /order/oco: a limit order and a stop. Raises ApiError."""
    for name in ("symbol", "side", "quantity", "price", "stopPrice"):
        required(parameters, name)
    is_limit = "stopLimitPrice" in parameters
    stop_type = "STOP_LOSS_LIMIT" if is_limit else "STOP_LOSS"
    pair = [
        _order(parameters, view, _LEGACY_LIMIT, "LIMIT_MAKER"),
        _order(parameters, view, _LEGACY_STOP, stop_type),
    ]
    # A sale's limit is above the market, its stop below; a purchase's the other way round.
    return _list(parameters, codes.CONTINGENCY_OCO, pair if pair[0].side == codes.SELL else pair[::-1])


def parse_oto(parameters: Parameters, view: AccountView) -> ListPlacement:
    """POST /orderList/oto. Raises ApiError."""
    working = _working(parameters, view)
    required(parameters, "pendingQuantity")
    return _list(parameters, codes.CONTINGENCY_OTO, [working, _order(parameters, view, _PENDING)])


def parse_otoco(parameters: Parameters, view: AccountView) -> ListPlacement:
    """POST /orderList/otoco. Raises ApiError."""
    working = _working(parameters, view)
    pending = _pair(parameters, view, _PENDING_ABOVE, _PENDING_BELOW)
    return _list(parameters, codes.CONTINGENCY_OTOCO, [working, *pending])


def parse_opo(parameters: Parameters, view: AccountView) -> ListPlacement:
    """POST /orderList/opo: the pending order sells what the working one has bought. Raises ApiError."""
    working = _buying(parameters, view)
    return _list(parameters, codes.CONTINGENCY_OPO, [working, _order(parameters, view, _PAID)])


def parse_opoco(parameters: Parameters, view: AccountView) -> ListPlacement:
    """POST /orderList/opoco. Raises ApiError."""
    working = _buying(parameters, view)
    pending = _pair(parameters, view, _PAID_ABOVE, _PAID_BELOW)
    return _list(parameters, codes.CONTINGENCY_OPOCO, [working, *pending])


def _buying(parameters: Parameters, view: AccountView) -> Placement:
    """The working order of a list whose pending ones sell what it has bought."""
    if required(parameters, "workingSide") == codes.SIDE_NAMES[codes.SELL]:
        raise ApiError(-1222, "Working order in an OPO list must be a bid.")
    if required(parameters, "pendingSide") == codes.SIDE_NAMES[codes.BUY]:
        raise ApiError(-1223, "Pending orders in an OPO list must be asks.")
    return _working(parameters, view)


def _list(parameters: Parameters, contingency: int, orders: Iterable[Placement]) -> ListPlacement:
    found = tuple(orders)
    form = optional(parameters, "newOrderRespType") or RESULT
    if form not in FORMS:
        raise invalid_data("newOrderRespType")
    names = [order.client_order_id for order in found]
    if len(set(names)) < len(names):
        raise ApiError(-2010, "Duplicate order sent.")
    name = client_order_id(parameters, "listClientOrderId") or new_client_order_id()
    return ListPlacement(
        found[0].market, name, contingency, tuple(order._replace(form=form) for order in found), form
    )


def _working(parameters: Parameters, view: AccountView) -> Placement:
    """The order that stands on the book at once."""
    if required(parameters, "workingType") not in ("LIMIT", "LIMIT_MAKER"):
        raise invalid_data("workingType")
    return _order(parameters, view, _WORKING)


def _pair(
    parameters: Parameters, view: AccountView, above: Mapping[str, str], below: Mapping[str, str]
) -> list[Placement]:
    """The two orders of which one cancels the other: the one above, then the one below."""
    orders = []
    for names in (above, below):
        (type_name,) = (sent for sent, name in names.items() if name == "type")
        if required(parameters, type_name) not in _PAIRED_TYPES:
            raise ApiError(-1158, "Order type not supported in OCO.")
        orders.append(_order(parameters, view, names))
    if all(order.order_type == codes.LIMIT_MAKER for order in orders):
        raise ApiError(-1168, "At least one OCO order must be contingent.")
    for order, is_above in zip(orders, (True, False), strict=True):
        for (kinds, side, place), refusal in _MISPLACED.items():
            if order.order_type in kinds and (order.side, is_above) == (side, place):
                raise ApiError(*refusal)
    return orders


def _order(
    parameters: Parameters, view: AccountView, names: Mapping[str, str], order_type: str | None = None
) -> Placement:
    """One order of a list; `order_type` where its place alone says it. Errors name what was sent."""
    single = {name: parameters[sent] for sent, name in names.items() if sent in parameters}
    if "icebergQty" in single and single.get("timeInForce", "GTC") != "GTC":
        by_name = {name: sent for sent, name in names.items()}
        raise ApiError(
            -1160,
            f"Parameter '{by_name['icebergQty']}' is not supported if '{by_name['timeInForce']}' is not GTC.",
        )
    for name in ("symbol", "selfTradePreventionMode"):
        if name in parameters:
            single[name] = parameters[name]
    if order_type is not None:
        single["type"] = order_type
    try:
        return parse_placement(single, view, leaves_quantity_open="quantity" not in names.values())
    except ApiError as error:
        message = error.message
        for sent, name in names.items():
            message = message.replace(f"'{name}'", f"'{sent}'")
        raise ApiError(error.code, message, error.status) from None
