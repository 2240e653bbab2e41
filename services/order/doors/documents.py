"""What the calls about orders and accounts say of themselves: /sapi/openapi.json."""

from collections.abc import Mapping
from typing import Final

from exchange.http.openapi import Operation, document
from services.order.doors.endpoint import Endpoint, Security

__all__ = ["EXAMPLES", "OPENAPI_PATH", "openapi"]

OPENAPI_PATH: Final = "/sapi/openapi.json"
_DESCRIPTION: Final = "As Binance's spot API; errors are `{code, msg}`. Signed as its documentation says."
_ORDER: Final = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000"
_SYMBOL: Final = ("symbol", "symbol=BTCUSDT")
_PAIR: Final = "symbol=BTCUSDT&side=SELL&quantity=0.001"
_WORKING: Final = (
    "symbol=BTCUSDT&workingType=LIMIT&workingTimeInForce=GTC&workingSide=BUY&workingPrice=50000"
    "&workingQuantity=0.001"
)
_LIST: Final = ("", "orderListId=1")
# Method and path -> required parameters beside the signature's, and a query with them and some others.
EXAMPLES: Final[Mapping[str, tuple[str, str]]] = {
    "POST /order": ("symbol side type", _ORDER),
    "POST /order/test": ("symbol side type", _ORDER),
    "GET /order": ("symbol", "symbol=BTCUSDT&orderId=1"),
    "DELETE /order": ("symbol", "symbol=BTCUSDT&orderId=1"),
    "POST /order/cancelReplace": (
        "symbol side type cancelReplaceMode",
        f"{_ORDER}&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId=1",
    ),
    "DELETE /openOrders": _SYMBOL,
    "GET /allOrders": ("symbol", "symbol=BTCUSDT&limit=5"),
    "GET /myTrades": ("symbol", "symbol=BTCUSDT&limit=5"),
    "GET /openOrders": ("", "symbol=BTCUSDT"),
    "GET /account": ("", "omitZeroBalances=true"),
    "GET /account/commission": _SYMBOL,
    "GET /myFilters": _SYMBOL,
    "GET /myAllocations": _SYMBOL,
    "GET /myPreventedMatches": ("symbol", "symbol=BTCUSDT&orderId=1"),
    "GET /order/amendments": ("symbol orderId", "symbol=BTCUSDT&orderId=1"),
    "PUT /order/amend/keepPriority": ("symbol newQty", "symbol=BTCUSDT&orderId=1&newQty=0.001"),
    "POST /order/oco": (
        "symbol side quantity price stopPrice",
        "symbol=BTCUSDT&side=SELL&quantity=0.001&price=70000&stopPrice=50000",
    ),
    "POST /orderList/oco": (
        "symbol side quantity aboveType belowType abovePrice belowStopPrice",
        f"{_PAIR}&aboveType=LIMIT_MAKER&abovePrice=70000&belowType=STOP_LOSS&belowStopPrice=50000",
    ),
    "POST /orderList/oto": (
        "symbol workingType workingSide workingPrice workingQuantity pendingType pendingSide pendingQuantity",
        f"{_WORKING}&pendingType=MARKET&pendingSide=SELL&pendingQuantity=0.001",
    ),
    "POST /orderList/otoco": (
        "symbol workingType workingSide workingPrice workingQuantity pendingSide pendingQuantity "
        "pendingAboveType pendingBelowType",
        f"{_WORKING}&pendingSide=SELL&pendingQuantity=0.001&pendingAboveType=LIMIT_MAKER"
        "&pendingAbovePrice=70000&pendingBelowType=STOP_LOSS&pendingBelowStopPrice=50000",
    ),
    "POST /orderList/opo": (
        "symbol workingType workingSide workingPrice workingQuantity pendingType pendingSide",
        f"{_WORKING}&pendingType=MARKET&pendingSide=SELL",
    ),
    "POST /orderList/opoco": (
        "symbol workingType workingSide workingPrice workingQuantity pendingSide pendingAboveType "
        "pendingBelowType",
        f"{_WORKING}&pendingSide=SELL&pendingAboveType=LIMIT_MAKER&pendingAbovePrice=70000"
        "&pendingBelowType=STOP_LOSS&pendingBelowStopPrice=49000",
    ),
    "POST /sor/order": _SYMBOL,
    "POST /sor/order/test": _SYMBOL,
    "DELETE /orderList": ("symbol", "symbol=BTCUSDT&orderListId=1"),
    "GET /orderList": _LIST,
    "PUT /userDataStream": ("listenKey", "listenKey=x"),
    "DELETE /userDataStream": ("listenKey", "listenKey=x"),
    "GET /sapi/v1/accountSnapshot": ("type", "type=SPOT"),
    "GET /sapi/v1/asset/tradeFee": ("", "symbol=BTCUSDT"),
    "POST /sapi/v1/bnbBurn": ("", "spotBNBBurn=true"),
    "GET /sapi/v1/asset/assetDetail": ("", "asset=BTC"),
    "GET /sapi/v1/capital/deposit/hisrec": ("", "coin=BTC&limit=5"),
    "GET /sapi/v1/capital/withdraw/history": ("", "coin=BTC&limit=5"),
}


def openapi(rest: Mapping[str, Mapping[str, Endpoint]], prefix: str) -> dict[str, object]:
    """The document of the routes; `prefix` stands before those that are not whole."""
    operations = []
    for path, verbs in rest.items():
        whole = path if path.startswith("/sapi/") else prefix + path
        for verb, endpoint in verbs.items():
            required, example = EXAMPLES.get(f"{verb} {path}", ("", ""))
            signed = endpoint.security.is_signed
            names = endpoint.parameters or frozenset(
                pair.partition("=")[0] for pair in example.split("&") if pair
            )
            needed = frozenset(required.split()) | ({"timestamp", "signature"} if signed else set())
            proof = "" if endpoint.security is Security.NONE else endpoint.security.value
            summary = (endpoint.handler.__doc__ or endpoint.name).splitlines()[0]
            read = names | needed if signed else names - {"timestamp", "recvWindow", "signature"}
            operations.append(Operation(verb, whole, summary, read, needed, example, proof, signed))
    return document("Orders and accounts", _DESCRIPTION, operations)
