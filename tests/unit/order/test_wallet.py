"""The calls of /sapi that clients make at their start and in their suites: shapes, rights, refusals."""

from typing import Any

import pytest

from tests.unit.order.order_exchange import ALICE, KEYS, READER, OrderExchange, limit_order

ASSETS = ["BTC", "ETH", "USDT"]


async def ask(exchange: OrderExchange, path: str, user_id: int = ALICE, /, **parameters: object) -> Any:
    verb, place = path.split()
    answer = await exchange.request(verb, f"/sapi{place}", user_id, **parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_coins_have_the_callers_balances(exchange: OrderExchange) -> None:
    await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "1"))
    coins = await ask(exchange, "GET /v1/capital/config/getall")
    assert [coin["coin"] for coin in coins] == ASSETS
    usdt = coins[2]
    assert (usdt["free"], usdt["locked"]) == ("950000.00000000", "50000.00000000")
    (network,) = usdt["networkList"]
    assert (network["network"], network["coin"], network["isDefault"]) == ("USDT", "USDT", True)
    assert network["withdrawIntegerMultiple"] == "0.00000001"
    held = await ask(exchange, "POST /v3/asset/getUserAsset")
    assert [(one["asset"], one["free"], one["locked"]) for one in held] == [
        ("BTC", "10.00000000", "0.00000000"),
        ("USDT", "950000.00000000", "50000.00000000"),
    ]
    one = await ask(exchange, "POST /v3/asset/getUserAsset", asset="ETH")
    assert [(row["asset"], row["free"]) for row in one] == [("ETH", "0.00000000")]
    assert list(await ask(exchange, "GET /v1/asset/assetDetail")) == ASSETS
    assert list(await ask(exchange, "GET /v1/asset/assetDetail", asset="BTC")) == ["BTC"]


async def test_trade_fees_are_texts_for_every_symbol(exchange: OrderExchange) -> None:
    rows = await ask(exchange, "GET /v1/asset/tradeFee")
    assert [row["symbol"] for row in rows] == ["BTCUSDT", "ETHUSDT", "ETHBTC"]
    assert rows[0] == {
        "symbol": "BTCUSDT", "makerCommission": "0.00100000", "takerCommission": "0.00100000",
    }  # fmt: skip
    assert await ask(exchange, "GET /v1/asset/tradeFee", symbol="BTCUSDT") == rows[:1]


@pytest.mark.parametrize(
    ("path", "parameters", "answer"),
    [
        ("GET /v1/account/status", {}, {"data": "Normal"}),
        ("GET /v1/accountSnapshot", {"type": "SPOT"}, {"code": 200, "msg": "", "snapshotVos": []}),
        ("GET /v1/asset/dribblet", {}, {"total": 0, "userAssetDribblets": []}),
        ("GET /v1/asset/assetDividend", {}, {"rows": [], "total": 0}),
        ("GET /v1/bnbBurn", {}, {"spotBNBBurn": False, "interestBNBBurn": False}),
        ("POST /v1/bnbBurn", {"spotBNBBurn": "true"}, {"spotBNBBurn": True, "interestBNBBurn": False}),
        ("POST /v1/bnbBurn", {"interestBNBBurn": "true"}, {"spotBNBBurn": False, "interestBNBBurn": False}),
        ("GET /v1/capital/deposit/hisrec", {}, []),
        ("GET /v1/capital/withdraw/history", {}, []),
        ("GET /v1/capital/withdraw/address/list", {}, []),
    ],
)
async def test_what_is_the_same_for_every_fresh_account(
    exchange: OrderExchange, path: str, parameters: dict[str, object], answer: object
) -> None:
    assert await ask(exchange, path, **parameters) == answer


async def test_rights_and_levels_have_binances_fields(exchange: OrderExchange) -> None:
    status = (await ask(exchange, "GET /v1/account/apiTradingStatus"))["data"]
    assert list(status) == ["isLocked", "plannedRecoverTime", "triggerCondition", "updateTime"]
    info = await ask(exchange, "GET /v1/account/info")
    assert (info["vipLevel"], info["isMarginEnabled"]) == (0, False)


@pytest.mark.parametrize("query", ["", "timestamp=1&signature=x"])
async def test_what_is_public_wants_no_key(exchange: OrderExchange, query: str) -> None:
    answer = await exchange.raw("GET", "/sapi/v1/system/status", query)
    assert (answer.status_code, answer.json()) == (200, {"status": 0, "msg": "normal"})


@pytest.mark.parametrize("path", ["margin/allPairs", "margin/isolated/allPairs", "spot/delist-schedule"])
async def test_lists_of_what_is_not_here_want_a_key_and_no_signature(
    exchange: OrderExchange, path: str
) -> None:
    answer = await exchange.raw("GET", f"/sapi/v1/{path}", headers={"X-MBX-APIKEY": KEYS[ALICE]})
    assert (answer.status_code, answer.json()) == (200, [])
    assert (await exchange.raw("GET", f"/sapi/v1/{path}")).json()["code"] == -2014


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("/v1/capital/deposit/hisrec", {"coin": "DOGE"}, -1130),
        ("/v1/capital/deposit/hisrec", {"limit": "1001"}, -1130),
        ("/v1/capital/deposit/hisrec", {"limit": "0"}, -1130),
        ("/v1/capital/deposit/hisrec", {"offset": "10001"}, -1130),
        ("/v1/capital/deposit/hisrec", {"status": "done"}, -1100),
        ("/v1/capital/deposit/hisrec", {"startTime": "2", "endTime": "1"}, -1128),
        ("/v1/capital/withdraw/history", {"startTime": "1", "endTime": "7776000002"}, -1127),
        ("/v1/accountSnapshot", {}, -1102),
        ("/v1/accountSnapshot", {"type": "GOLD"}, -1130),
        ("/v1/asset/assetDetail", {"asset": "DOGE"}, -1130),
        ("/v1/asset/tradeFee", {"symbol": "NOSUCH"}, -1121),
    ],
)
async def test_requests_are_checked(
    exchange: OrderExchange, path: str, parameters: dict[str, object], code: int
) -> None:
    answer = await exchange.request("GET", f"/sapi{path}", ALICE, **parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_a_key_alone_moves_no_money_out(exchange: OrderExchange) -> None:
    """What may be read with a key that reads; withdrawals want a password, and are asked for elsewhere."""
    assert await ask(exchange, "GET /v1/account/status", READER) == {"data": "Normal"}
    order = {"coin": "BTC", "address": "x", "amount": "1"}
    refused = await exchange.request("POST", "/sapi/v1/capital/withdraw/apply", ALICE, **order)
    assert refused.json() == {"code": -1002, "msg": "You are not authorized to execute this request."}
    assert exchange.commands == []
    unsigned = await exchange.raw("GET", "/sapi/v1/account/status", headers={"X-MBX-APIKEY": KEYS[ALICE]})
    assert unsigned.json()["code"] == -1102


@pytest.mark.parametrize("path", ["/sapi/v1/nothing", "/sapi/v1/sub-account/list", "/sapi/v9/x"])
async def test_what_is_not_there_answers_in_binances_way(exchange: OrderExchange, path: str) -> None:
    answer = await exchange.request("GET", path, ALICE)
    assert (answer.status_code, answer.json()["code"]) == (404, -1020)
