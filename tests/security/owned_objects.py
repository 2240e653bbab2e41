"""For every endpoint: how a stranger names somebody else's objects there, and what he must be answered.

`CASES` is keyed by the endpoint's name, which REST and the WebSocket API share; `V1` by method and path;
`SOCKET_METHODS` by the methods that only a socket has. The tests compare the keys with the route tables, so
an endpoint that is added without a case here fails them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tests.security.conftest import Trader

__all__ = ["CASES", "LOCKED", "NAMES_OF_OBJECTS", "SOCKET_METHODS", "V1", "Case", "Owner", "V1Case"]

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


def _has_own_orders_only(result: Any, owner: Owner, stranger: Trader) -> bool:
    return all(order["side"] == "BUY" and order["price"].startswith("20000") for order in result)


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
    "orderList.place": [Case(_symbol, -2010)],
    "orderList.cancel": [Case(lambda owner: {"symbol": "BTCUSDT", "orderListId": "1"}, -2011)],
    "orderList.status": [Case(lambda owner: {"orderListId": "1"}, -2013)],
    "order.amend.keepPriority": [Case(lambda owner: {**_order_id(owner), "newQty": "0.0001"}, -2038)],
    "sor": [Case(_symbol, -1020)],
    "orderList.place.opo": [Case(_symbol, -2010)],
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
}

# Of these a stranger must not even get so far that the object is looked for: without a session, 401.
LOCKED: Final = 401


class V1Case(NamedTuple):
    """`path` and `body` name the owner's objects. `needs_session`: without one the answer is LOCKED."""

    path: Callable[[Owner], str]
    body: Callable[[Owner], dict[str, object]] | None
    status: int
    looks_right: Check = lambda result, owner, stranger: True
    needs_session: bool = True


def _path(text: str) -> Callable[[Owner], str]:
    return lambda owner: text


def _rows_are_own(name: str, count: int) -> Check:
    return lambda result, owner, stranger: len(result[name]) == count


V1: Final[Mapping[str, list[V1Case]]] = {
    "POST /v1/users": [
        V1Case(
            _path("/v1/users"),
            lambda owner: {"email": owner.trader.email.upper(), "password": "another password"},
            409,
            needs_session=False,
        )
    ],
    "POST /v1/sessions": [
        V1Case(
            _path("/v1/sessions"),
            lambda owner: {"email": owner.trader.email, "password": "a wrong guess"},
            401,
            needs_session=False,
        )
    ],
    # Here no issuer is believed; tests/security/test_outside_strangers.py has one.
    "POST /v1/identities": [
        V1Case(_path("/v1/identities"), lambda owner: {"token": owner.trader.token}, 401),
        V1Case(_path("/v1/identities"), lambda owner: {"token": "x", "userId": owner.trader.user_id}, 422),
    ],
    "GET /v1/me": [
        V1Case(_path("/v1/me"), None, 200, lambda me, owner, stranger: me["userId"] == stranger.user_id)
    ],
    "GET /v1/api-keys": [V1Case(_path("/v1/api-keys"), None, 200, _rows_are_own("apiKeys", 1))],
    "POST /v1/api-keys": [
        V1Case(
            _path("/v1/api-keys"),
            lambda owner: {"label": "x", "permissions": ["READ"], "userId": owner.trader.user_id},
            422,
        )
    ],
    "DELETE /v1/api-keys/{api_key}": [
        V1Case(lambda owner: f"/v1/api-keys/{owner.trader.api_key}", None, 404)
    ],
    "GET /v1/deposits": [V1Case(_path("/v1/deposits?fromId=0"), None, 200, _rows_are_own("deposits", 2))],
    "POST /v1/deposits": [
        V1Case(
            _path("/v1/deposits"),
            lambda owner: {"asset": "BTC", "amount": "1", "userId": owner.trader.user_id},
            422,
        )
    ],
    "GET /v1/withdrawals": [
        V1Case(_path("/v1/withdrawals?fromId=0"), None, 200, _rows_are_own("withdrawals", 0)),
        V1Case(_path("/v1/withdrawals?userId=1001"), None, 422),
    ],
    "POST /v1/withdrawals": [
        V1Case(
            _path("/v1/withdrawals"),
            lambda owner: {
                "asset": "BTC",
                "amount": "1",
                "address": "x",
                "userId": owner.trader.user_id,
            },
            422,
        )
    ],
    # Behind the settlement, it is the engine that says no; to a stranger there is no such withdrawal.
    "DELETE /v1/withdrawals/{withdrawal_id}": [
        V1Case(lambda owner: f"/v1/withdrawals/{owner.withdrawal_id}", None, 404)
    ],
    # Whose link it is says the link; there is no naming an account.
    "POST /v1/withdrawal-freezes": [
        V1Case(_path("/v1/withdrawal-freezes"), lambda owner: {"token": "A" * 43}, 403, needs_session=False),
        V1Case(
            _path("/v1/withdrawal-freezes"),
            lambda owner: {"token": "A" * 43, "userId": owner.trader.user_id},
            422,
            needs_session=False,
        ),
    ],
    "GET /v1/withdrawal-freezes": [
        V1Case(_path("/v1/withdrawal-freezes"), None, 200, _rows_are_own("withdrawalFreezes", 0))
    ],
    "POST /v1/withdrawal-unfreezes": [
        V1Case(
            _path("/v1/withdrawal-unfreezes"),
            lambda owner: {"password": "x", "userId": owner.trader.user_id},
            422,
        ),
        V1Case(_path("/v1/withdrawal-unfreezes"), lambda owner: {"password": "a wrong guess"}, 401),
    ],
    "GET /v1/ledger": [
        V1Case(
            _path("/v1/ledger?fromId=0"),
            None,
            200,
            lambda page, owner, stranger: {entry["kind"] for entry in page["entries"]} == {"DEPOSIT"},
        )
    ],
    "GET /v1/withdrawal-addresses": [
        V1Case(_path("/v1/withdrawal-addresses"), None, 200, _rows_are_own("withdrawalAddresses", 0))
    ],
    "DELETE /v1/withdrawal-addresses/{address_id}": [
        V1Case(lambda owner: f"/v1/withdrawal-addresses/{owner.address_id}", None, 404)
    ],
    # Two people may list one address; neither learns of the other.
    "POST /v1/withdrawal-addresses": [
        V1Case(
            _path("/v1/withdrawal-addresses"),
            lambda owner: {"asset": "BTC", "address": owner.listed_address, "label": "mine"},
            201,
            lambda shown, owner, stranger: str(shown["addressId"]) != owner.address_id,
        )
    ],
    # Last, as it ends the stranger's session.
    "DELETE /v1/sessions/current": [V1Case(_path("/v1/sessions/current"), None, 204)],
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
