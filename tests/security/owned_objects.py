"""For every endpoint: how a stranger names somebody else's objects there, and what he must be answered.

`CASES` is keyed by the endpoint's name, which REST and the WebSocket API share; `SOCKET_METHODS` by the
methods that only a socket has; routes of /v1 are in owned_v1.py. The tests compare the keys with the route
tables, so an endpoint that is added without a case here fails them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tests.security.conftest import Trader

__all__ = ["CASES", "NAMES_OF_OBJECTS", "SOCKET_METHODS", "Case", "Check", "Owner"]

# Parameters that name an object of somebody's: public endpoints may have none of them.
NAMES_OF_OBJECTS: Final = frozenset(
    {
        *("orderId", "origClientOrderId", "cancelOrderId", "cancelOrigClientOrderId"),
        *("orderListId", "listClientOrderId", "origListClientOrderId"),
        *("listenKey", "apiKey", "userId", "email", "withdrawalId", "depositId", "addressId"),
    }
)

# What an answer of the wallet has for its `code` when it is none of a failure.
NO_ERROR: Final = 200


@dataclass
class Owner:
    """Somebody with one object of each kind."""

    trader: Trader
    resting_id: str = ""
    filled_id: str = ""
    resting_name: str = "owner-resting"
    filled_name: str = "owner-filled"
    address: str = "owner-address"
    listed_address: str = "owner-listed-address"
    address_id: str = ""
    withdrawal_id: str = ""
    listen_key: str = ""
    session_id: str = ""

    def marks(self) -> list[str]:
        """Texts that nobody else may ever be shown."""
        trader = self.trader
        return [
            trader.email, trader.token, trader.api_key, trader.secret, "owner-label", self.resting_name,
            self.filled_name, self.address, self.listed_address, self.listen_key,
        ]  # fmt: skip


Check = Callable[[Any, Owner, Trader], bool]


class Case(NamedTuple):
    """Parameters, by the owner's objects, and what must come back: an error code, or a look at the result."""

    parameters: Callable[[Owner], dict[str, str]]
    expected: int | Check


def _nothing(result: Any, owner: Owner, stranger: Trader) -> bool:
    return result in ([], {})


def _symbol(owner: Owner) -> dict[str, str]:
    return {"symbol": "BTCUSDT"}


def _none(owner: Owner) -> dict[str, str]:
    return {}


def _by_id_and_name(expected: int, id_name: str, name_name: str, **more: str) -> list[Case]:
    """The owner's resting and filled order, each by id, by name, and by both."""
    cases = []
    for kind in ("resting", "filled"):

        def both(owner: Owner, kind: str = kind) -> dict[str, str]:
            return {id_name: getattr(owner, f"{kind}_id"), name_name: getattr(owner, f"{kind}_name")}

        for chosen in ({id_name}, {name_name}, {id_name, name_name}):

            def parameters(
                owner: Owner, both: Callable[[Owner], dict[str, str]] = both, chosen: set[str] = chosen
            ) -> dict[str, str]:
                named = {name: value for name, value in both(owner).items() if name in chosen}
                return {"symbol": "BTCUSDT", **named, **more}

            cases.append(Case(parameters, expected))
    return cases


# Far below the owner's offer, so that it trades with nobody.
_BID: Final = {
    "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.001", "price": "20000",
}  # fmt: skip


def _same_name(owner: Owner) -> dict[str, str]:
    return {"symbol": "BTCUSDT", **_BID, "newClientOrderId": owner.resting_name}


def _is_own_order(result: Any, owner: Owner, stranger: Trader) -> bool:
    return bool(result["side"] == "BUY" and str(result["orderId"]) not in (owner.resting_id, owner.filled_id))


def _is_own_account(result: Any, owner: Owner, stranger: Trader) -> bool:
    return bool(result["uid"] == stranger.user_id)


def _is_own_listen_key(result: Any, owner: Owner, stranger: Trader) -> bool:
    return bool(result["listenKey"] != owner.listen_key)


def _counts_own_orders(result: Any, owner: Owner, stranger: Trader) -> bool:
    """Each try to replace an order of the owner's counts for who tries; the owner has placed two."""
    ten_seconds, day = (limit["count"] for limit in result)
    return bool(ten_seconds <= day == len(CASES["order.cancelReplace"]))


def _is_public(result: Any, owner: Owner, stranger: Trader) -> bool:
    return bool(result["symbol"] == "BTCUSDT")


def _is_the_same_for_all(result: Any, owner: Owner, stranger: Trader) -> bool:
    """Nothing in it depends on who asks; that it shows no mark of the owner's is looked at elsewhere."""
    return "code" not in result


def _has_own_coins(result: Any, owner: Owner, stranger: Trader) -> bool:
    """A stranger has traded nothing: what he has was given to him when he came."""
    free = {row.get("coin", row.get("asset")): row["free"] for row in result}
    return bool(free["USDT"] == free["BTC"] == "1000.00000000")


def _has_own_deposits(result: Any, owner: Owner, stranger: Trader) -> bool:
    return [row["coin"] for row in result] == ["BTC", "USDT"]


def _transfer(owner: Owner) -> dict[str, str]:
    return {"txId": owner.withdrawal_id, "withdrawOrderId": owner.withdrawal_id}


def _order_id(owner: Owner) -> dict[str, str]:
    return {"symbol": "BTCUSDT", "orderId": owner.resting_id}


def _filled_id(owner: Owner) -> dict[str, str]:
    return {"symbol": "BTCUSDT", "orderId": owner.filled_id}


def _listen_key(owner: Owner) -> dict[str, str]:
    return {"listenKey": owner.listen_key}


# On both sides of the last price and far from it, so that nothing trades.
_OCO: Final = {
    "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.001",
    "aboveType": "LIMIT_MAKER", "abovePrice": "90000", "belowType": "STOP_LOSS", "belowStopPrice": "20000",
}  # fmt: skip
_LEGACY_OCO: Final = {
    "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.001", "price": "90000", "stopPrice": "20000",
}  # fmt: skip
_OTO: Final = {
    "symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingQuantity": "0.001",
    "workingPrice": "20000", "workingTimeInForce": "GTC",
    "pendingType": "MARKET", "pendingSide": "SELL", "pendingQuantity": "0.001",
}  # fmt: skip
_OTOCO: Final = {
    **{name: value for name, value in _OTO.items() if not name.startswith("pending")},
    "pendingSide": "SELL", "pendingQuantity": "0.001", "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": "90000", "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "10000",
}  # fmt: skip
_OPO: Final = {name: value for name, value in _OTO.items() if name != "pendingQuantity"}
_OPOCO: Final = {name: value for name, value in _OTOCO.items() if name != "pendingQuantity"}


def _list_names(name: str) -> dict[str, str]:
    return {"listClientOrderId": name}


def _is_own_list(result: Any, owner: Owner, stranger: Trader) -> bool:
    ids = {str(order["orderId"]) for order in result["orders"]}
    return len(ids) >= 2 and not ids & {owner.resting_id, owner.filled_id}


# The order of the keys is the order of the requests: what makes an order of the stranger's own comes last.
CASES: Final[Mapping[str, list[Case]]] = {
    "order.status": _by_id_and_name(-2013, "orderId", "origClientOrderId"),
    "order.cancel": _by_id_and_name(-2011, "orderId", "origClientOrderId"),
    "openOrders.cancelAll": [Case(_symbol, -2011)],
    "order.cancelReplace": _by_id_and_name(
        -2022, "cancelOrderId", "cancelOrigClientOrderId", **_BID, cancelReplaceMode="STOP_ON_FAILURE"
    ),
    "openOrders.status": [Case(_none, _nothing), Case(_symbol, _nothing)],
    "allOrders": [Case(_symbol, _nothing), Case(_order_id, _nothing), Case(_filled_id, _nothing)],
    "myTrades": [
        Case(_symbol, _nothing),
        Case(_filled_id, _nothing),
        Case(lambda owner: {"symbol": "BTCUSDT", "fromId": "0"}, _nothing),
    ],
    "account.status": [Case(_none, _is_own_account)],
    "account.commission": [Case(_symbol, _is_public)],
    "account.rateLimits.orders": [Case(_none, _counts_own_orders)],
    "allOrderLists": [Case(_none, _nothing)],
    "openOrderLists.status": [Case(_none, _nothing)],
    "order.amendments": [Case(_order_id, _nothing)],
    "orderList.cancel": [Case(lambda owner: {"symbol": "BTCUSDT", "orderListId": "1"}, -2011)],
    "orderList.status": [Case(lambda owner: {"orderListId": "1"}, -2013)],
    "order.amend.keepPriority": [Case(lambda owner: {**_order_id(owner), "newQty": "0.0001"}, -2038)],
    "sor": [Case(_symbol, -1020)],
    "myPreventedMatches": [
        Case(_order_id, _nothing),
        Case(lambda owner: {"symbol": "BTCUSDT", "preventedMatchId": owner.resting_id}, _nothing),
    ],
    "myAllocations": [Case(_order_id, _nothing)],
    "myFilters": [Case(_symbol, _is_the_same_for_all)],
    "wallet.systemStatus": [Case(_none, _is_the_same_for_all)],
    "wallet.marginPairs": [Case(_none, _nothing)],
    "wallet.isolatedPairs": [Case(_none, _nothing)],
    "wallet.delistSchedule": [Case(_none, _nothing)],
    "wallet.coins": [Case(_none, _has_own_coins)],
    "wallet.deposits": [Case(_none, _has_own_deposits)],
    "wallet.withdrawals": [Case(_none, _nothing), Case(_transfer, _nothing)],
    "wallet.addresses": [Case(_none, _nothing)],
    "wallet.withdraw": [Case(_none, -1002)],
    "wallet.accountStatus": [Case(_none, _is_the_same_for_all)],
    "wallet.tradingStatus": [Case(_none, _is_the_same_for_all)],
    "wallet.keyRights": [Case(_none, _is_the_same_for_all)],
    "wallet.accountInfo": [Case(_none, _is_the_same_for_all)],
    "wallet.accountSnapshot": [Case(lambda owner: {"type": "SPOT"}, NO_ERROR)],
    "wallet.assetDetail": [Case(_none, _is_the_same_for_all)],
    "wallet.tradeFee": [Case(_none, _is_the_same_for_all)],
    "wallet.dust": [Case(_none, _is_the_same_for_all)],
    "wallet.dividends": [Case(_none, _is_the_same_for_all)],
    "wallet.userAssets": [Case(_none, _has_own_coins)],
    "wallet.feeAsset": [Case(_none, _is_the_same_for_all)],
    "userDataStream.start": [Case(_none, _is_own_listen_key)],
    "userDataStream.ping": [Case(_listen_key, -1125)],
    "userDataStream.stop": [Case(_listen_key, -1125)],
    "order.test": [Case(_same_name, _nothing)],
    "order.place": [Case(_same_name, _is_own_order)],
    "orderList.place.oco": [Case(lambda owner: {**_OCO, **_list_names(owner.resting_name)}, _is_own_list)],
    "orderList.place": [Case(lambda owner: {**_LEGACY_OCO, **_list_names(owner.filled_name)}, _is_own_list)],
    "orderList.place.oto": [Case(lambda owner: {**_OTO, **_list_names(owner.address)}, _is_own_list)],
    "orderList.place.otoco": [
        Case(lambda owner: {**_OTOCO, **_list_names(owner.listed_address)}, _is_own_list)
    ],
    "orderList.place.opo": [Case(lambda owner: {**_OPO, **_list_names(owner.filled_id)}, _is_own_list)],
    "orderList.place.opoco": [Case(lambda owner: {**_OPOCO, **_list_names(owner.resting_id)}, _is_own_list)],
}

# Methods that only a socket has. What they name (a subscription's number) exists on that socket alone.
SOCKET_METHODS: Final[Mapping[str, Case]] = {
    "ping": Case(_none, _nothing),
    "time": Case(_none, lambda result, owner, stranger: set(result) == {"serverTime"}),
    "session.logon": Case(_none, -4056),
    "session.status": Case(_none, lambda result, owner, stranger: result["apiKey"] is None),
    "session.logout": Case(_none, lambda result, owner, stranger: result["apiKey"] is None),
    "session.subscriptions": Case(_none, _nothing),
    "userDataStream.subscribe": Case(_none, -1102),
    "userDataStream.subscribe.signature": Case(
        _none, lambda result, owner, stranger: result == {"subscriptionId": 0}
    ),
    "userDataStream.unsubscribe": Case(lambda owner: {"subscriptionId": "0"}, -2036),
}
