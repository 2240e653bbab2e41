"""Which path and which method of the WebSocket API leads to which handler (binance-spot-api 2 and 5)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from exchange.http.query_parameters import Parameters
from exchange.http.weights import REFUSED, Weight
from services.order.decisions.absent import Absent
from services.order.decisions.amending import Amending
from services.order.decisions.call import Call
from services.order.decisions.cancelling import Cancelling
from services.order.decisions.listing import Listing
from services.order.decisions.placing import Placing
from services.order.decisions.queries import Queries
from services.order.decisions.replacing import Replacing
from services.order.doors.endpoint import SIGNED_PARAMETERS, Endpoint, Security
from services.order.doors.wallet_routes import wallet_endpoints
from services.order.requests.order_list import (
    LEGACY_OCO_PARAMETERS,
    OCO_PARAMETERS,
    OPO_PARAMETERS,
    OPOCO_PARAMETERS,
    OTO_PARAMETERS,
    OTOCO_PARAMETERS,
)
from services.order.requests.placement import PLACEMENT_PARAMETERS
from services.order.user_data.listen_keys import ListenKeys
from services.order.wallet.wallet import Wallet

__all__ = ["Routes", "build_routes"]

# Orders are bounded by the account's order count, and cancels by its orders: what is refused weighs one.
_FREE: Final = 0
_CANCEL_REPLACE_PARAMETERS: Final = PLACEMENT_PARAMETERS | frozenset(
    [
        "cancelReplaceMode",
        "cancelOrderId",
        "cancelOrigClientOrderId",
        "cancelNewClientOrderId",
        "cancelRestrictions",
        "orderRateLimitExceededMode",
    ]
)


@dataclass(frozen=True, slots=True)
class Routes:
    """`rest`: path below /api/v3, or the whole one below /sapi, -> HTTP method -> endpoint.

    `methods`: name -> endpoint.
    """

    rest: dict[str, dict[str, Endpoint]]
    methods: dict[str, Endpoint]


def build_routes(
    placing: Placing,
    cancelling: Cancelling,
    replacing: Replacing,
    amending: Amending,
    listing: Listing,
    queries: Queries,
    absent: Absent,
    wallet: Wallet,
    listen_keys: ListenKeys,
) -> Routes:
    """Lay out everything that the order service offers."""
    rest: dict[str, dict[str, Endpoint]] = {}
    methods: dict[str, Endpoint] = {}

    def add(found: Endpoint, places: str, method_names: str = "") -> None:
        for place in places.split(", "):
            verb, path = place.split()
            rest.setdefault(path, {})[verb] = found
        for name in method_names.split():
            methods[name] = found

    _add_trading(add, placing, cancelling, replacing)
    _add_lists(add, listing, cancelling)
    _add_amendments(add, amending)
    _add_queries(add, queries)
    key_only = Security.USER_STREAM
    add(
        _endpoint("userDataStream.start", key_only, "", 2, listen_keys.create),
        "POST /userDataStream",
        "userDataStream.start",
    )
    add(
        _endpoint("userDataStream.ping", key_only, "listenKey", 2, listen_keys.renew),
        "PUT /userDataStream",
        "userDataStream.ping",
    )
    add(
        _endpoint("userDataStream.stop", key_only, "listenKey", 2, listen_keys.close),
        "DELETE /userDataStream",
        "userDataStream.stop",
    )
    _add_absent(add, absent)
    for place, endpoint in wallet_endpoints(wallet):
        add(endpoint, place)
    return Routes(rest, methods)


_Add = Callable[..., None]


def _endpoint(
    name: str,
    security: Security,
    parameters: str | frozenset[str],
    weight: Weight,
    handler: Callable[[Call], Awaitable[object]],
    places_orders: bool = False,
) -> Endpoint:
    """Make an endpoint; `parameters` are its own names, separated by spaces."""
    own = frozenset(parameters.split()) if isinstance(parameters, str) else parameters
    return Endpoint(name, security, own | SIGNED_PARAMETERS, weight, handler, places_orders)


def _add_trading(add: _Add, placing: Placing, cancelling: Cancelling, replacing: Replacing) -> None:
    trade = Security.TRADE
    add(
        _endpoint("order.place", trade, PLACEMENT_PARAMETERS, _FREE, placing.place, places_orders=True),
        "POST /order",
        "order.place",
    )
    test_parameters = PLACEMENT_PARAMETERS | {"computeCommissionRates"}
    add(
        _endpoint("order.test", trade, test_parameters, _test_weight, placing.test),
        "POST /order/test",
        "order.test",
    )
    add(
        _endpoint(
            "order.cancel",
            trade,
            "symbol orderId origClientOrderId newClientOrderId cancelRestrictions",
            _FREE,
            cancelling.cancel,
        ),
        "DELETE /order",
        "order.cancel",
    )
    add(
        _endpoint("openOrders.cancelAll", trade, "symbol", _FREE, cancelling.cancel_all),
        "DELETE /openOrders",
        "openOrders.cancelAll",
    )
    add(
        _endpoint(
            "order.cancelReplace",
            trade,
            _CANCEL_REPLACE_PARAMETERS,
            _FREE,
            replacing.cancel_replace,
            places_orders=True,
        ),
        "POST /order/cancelReplace",
        "order.cancelReplace",
    )


def _add_lists(add: _Add, listing: Listing, cancelling: Cancelling) -> None:
    trade, read = Security.TRADE, Security.USER_DATA
    for names, places, methods, handler in (
        (OCO_PARAMETERS, "POST /orderList/oco", "orderList.place.oco", listing.place_oco),
        (LEGACY_OCO_PARAMETERS, "POST /order/oco", "orderList.place", listing.place_legacy_oco),
        (OTO_PARAMETERS, "POST /orderList/oto", "orderList.place.oto", listing.place_oto),
        (OTOCO_PARAMETERS, "POST /orderList/otoco", "orderList.place.otoco", listing.place_otoco),
        (OPO_PARAMETERS, "POST /orderList/opo", "orderList.place.opo", listing.place_opo),
        (OPOCO_PARAMETERS, "POST /orderList/opoco", "orderList.place.opoco", listing.place_opoco),
    ):
        add(_endpoint(methods, trade, names, _FREE, handler, places_orders=True), places, methods)
    add(
        _endpoint(
            "orderList.cancel",
            trade,
            "symbol orderListId listClientOrderId newClientOrderId",
            _FREE,
            cancelling.cancel_list,
        ),
        "DELETE /orderList",
        "orderList.cancel",
    )
    add(
        _endpoint("orderList.status", read, "orderListId origClientOrderId", 4, listing.order_list),
        "GET /orderList",
        "orderList.status",
    )
    add(
        _endpoint("allOrderLists", read, "fromId startTime endTime limit", 20, listing.all_order_lists),
        "GET /allOrderList",
        "allOrderLists",
    )
    add(
        _endpoint("openOrderLists.status", read, "", 6, listing.open_order_lists),
        "GET /openOrderList",
        "openOrderLists.status",
    )


def _add_amendments(add: _Add, amending: Amending) -> None:
    add(
        _endpoint(
            "order.amend.keepPriority",
            Security.TRADE,
            "symbol orderId origClientOrderId newClientOrderId newQty",
            4,
            amending.keep_priority,
        ),
        "PUT /order/amend/keepPriority",
        "order.amend.keepPriority",
    )
    add(
        _endpoint(
            "order.amendments",
            Security.USER_DATA,
            "symbol orderId fromExecutionId limit",
            4,
            amending.amendments,
        ),
        "GET /order/amendments",
        "order.amendments",
    )


def _add_queries(add: _Add, queries: Queries) -> None:
    read = Security.USER_DATA
    add(
        _endpoint("order.status", read, "symbol orderId origClientOrderId", 4, queries.order),
        "GET /order",
        "order.status",
    )
    add(
        _endpoint("openOrders.status", read, "symbol", _open_orders_weight, queries.open_orders),
        "GET /openOrders",
        "openOrders.status",
    )
    add(
        _endpoint("allOrders", read, "symbol orderId startTime endTime limit", 20, queries.all_orders),
        "GET /allOrders",
        "allOrders",
    )
    add(
        _endpoint(
            "myTrades",
            read,
            "symbol orderId startTime endTime fromId limit",
            _my_trades_weight,
            queries.my_trades,
        ),
        "GET /myTrades",
        "myTrades",
    )
    add(
        _endpoint("account.status", read, "omitZeroBalances", 20, queries.account),
        "GET /account",
        "account.status",
    )
    add(
        _endpoint("account.commission", read, "symbol", 20, queries.account_commission),
        "GET /account/commission",
        "account.commission",
    )
    add(
        _endpoint("account.rateLimits.orders", read, "", 40, queries.order_limits),
        "GET /rateLimit/order",
        "account.rateLimits.orders",
    )
    add(
        _endpoint(
            "myPreventedMatches",
            read,
            "symbol preventedMatchId orderId fromPreventedMatchId limit",
            _prevented_weight,
            queries.my_prevented_matches,
        ),
        "GET /myPreventedMatches",
        "myPreventedMatches",
    )
    add(_endpoint("myFilters", read, "symbol", 40, queries.my_filters), "GET /myFilters", "myFilters")


def _add_absent(add: _Add, absent: Absent) -> None:
    """What Binance has and this exchange does not: an empty list, and the documented refusals."""
    trade, read = Security.TRADE, Security.USER_DATA
    add(
        _endpoint(
            "myAllocations",
            read,
            "symbol startTime endTime fromAllocationId limit orderId",
            20,
            absent.allocations,
        ),
        "GET /myAllocations",
        "myAllocations",
    )

    def refusal(
        name: str, security: Security, handler: Callable[[Call], Awaitable[object]], weight: Weight = REFUSED
    ) -> Endpoint:
        return Endpoint(name, security, None, weight, handler)

    add(
        refusal("sor", trade, absent.smart_routing),
        "POST /sor/order, POST /sor/order/test",
        "sor.order.place sor.order.test",
    )


def _test_weight(parameters: Parameters) -> int:
    return 20 if parameters.get("computeCommissionRates", "").lower() == "true" else 1


def _open_orders_weight(parameters: Parameters) -> int:
    return 6 if parameters.get("symbol") else 80


def _my_trades_weight(parameters: Parameters) -> int:
    return 5 if parameters.get("orderId") else 20


def _prevented_weight(parameters: Parameters) -> int:
    return 2 if parameters.get("preventedMatchId") else 20
