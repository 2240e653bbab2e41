"""Bad input gets a clear error with the documented code and text, and changes nothing."""

import asyncio
import random
import time

import pytest

from exchange.contracts.errors import ApiError
from services.order.doors import rest
from services.order.doors.rest import parse_parameters
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, KEYS, OrderExchange, limit_order, running_exchange, sign

NUMBER = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"
NOT_NUMBERS = [
    "1e-05", "1E5", "1e400", "NaN", "nan", "Infinity", "-1", "+1", " 1", "1 ", "1,5", "1.", ".5", "0x10",
    "1_000", "\uff11\uff12", "\u0663", "1" * 21, "0." + "1" * 21, "true", "null", "[]", "{}", "1\n",
    "--1", "1.2.3",
]  # fmt: skip


@pytest.mark.parametrize("name", ["quantity", "price"])
@pytest.mark.parametrize("text", NOT_NUMBERS)
async def test_text_that_is_no_number_is_refused_with_its_legal_range(
    exchange: OrderExchange, name: str, text: str
) -> None:
    answer = await exchange.request(
        "POST", "/order", ALICE, **limit_order("BUY", "50000", "1", **{name: text})
    )
    assert answer.status_code == 400
    assert answer.json() == {
        "code": -1100,
        "msg": f"Illegal characters found in parameter '{name}'; legal range is '{NUMBER}'.",
    }
    assert exchange.commands == []


ORDER = limit_order("BUY", "50000", "1")
MARKET_ORDER: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}


@covers(
    "-1013",
    "-1100",
    "-1102",
    "-1104",
    "-1105",
    "-1106",
    "-1108",
    "-1111",
    "-1115",
    "-1116",
    "-1117",
    "-1121",
    "-1130",
    "-1134",
    "-1210",
    "-1211",
    "-2010",
    "type STOP_LOSS",
    "type STOP_LOSS_LIMIT",
    "type TAKE_PROFIT",
    "type TAKE_PROFIT_LIMIT",
    "parameter icebergQty",
    "parameter trailingDelta",
    "parameter pegPriceType",
    "mode DECREMENT",
    "mode TRANSFER",
)
@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"price": "50000.123456789"}, -1111, "Parameter 'price' has too much precision."),
        ({"quantity": "0.000000001"}, -1111, "Parameter 'quantity' has too much precision."),
        ({"price": "50000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "0"}, -1013, "Invalid price."),
        ({"price": "1000000.01"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0"}, -1013, "Invalid quantity."),
        ({"quantity": "9001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
        ({"quantity": "99999999999999999999"}, -1108, "Parameter 'quantity' overflowed."),
        ({"symbol": None}, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ({"side": None}, -1102, "Mandatory parameter 'side' was not sent, was empty/null, or malformed."),
        (
            {"quantity": ""},
            -1102,
            "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.",
        ),
        (
            {"timeInForce": None},
            -1102,
            "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.",
        ),
        ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
        (
            {"symbol": "btcusdt"},
            -1100,
            "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
        ),
        ({"side": "buy"}, -1117, "Invalid side."),
        ({"type": "LIMITED"}, -1116, "Invalid orderType."),
        ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
        ({"quoteOrderQty": "1"}, -1106, "Parameter 'quoteOrderQty' sent when not required."),
        ({"stopPrice": "1"}, -1106, "Parameter 'stopPrice' sent when not required."),
        ({"pegPriceType": "BEST"}, -1210, "Invalid pegPriceType."),
        ({"pegOffsetType": "TICKS"}, -1211, "Invalid pegOffsetType."),
        (
            {"newClientOrderId": "a" * 37},
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; "
            "legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
        ),
        ({"newClientOrderId": ""}, -1105, "Parameter 'newClientOrderId' was empty."),
        ({"newOrderRespType": "ALL"}, -1130, "Data sent for parameter 'newOrderRespType' is not valid."),
        (
            {"selfTradePreventionMode": "EXPIRE_NOBODY"},
            -1130,
            "Data sent for parameter 'selfTradePreventionMode' is not valid.",
        ),
        ({"strategyType": "5"}, -1134, "strategyType was less than 1000000."),
        ({"recvWindow": "60001"}, -1131, "recvWindow must be less than 60000."),
        (
            {"color": "red"},
            -1104,
            "Not all sent parameters were read; read '8' parameter(s) but was sent '9'.",
        ),
    ],
)
async def test_order_that_breaks_a_rule_is_refused_verbatim(
    exchange: OrderExchange, change: dict[str, object], code: int, text: str
) -> None:
    parameters = {name: value for name, value in {**ORDER, **change}.items() if value is not None}
    answer = await exchange.request("POST", "/order", ALICE, **parameters)
    assert answer.status_code == 400
    assert answer.json() == {"code": code, "msg": text}
    assert exchange.commands == []


@pytest.mark.parametrize("name", ["a b", "a/b", "ключ", "a\0b", "a'", "a\n", "\u0430"])
async def test_client_order_id_outside_its_alphabet_is_refused(exchange: OrderExchange, name: str) -> None:
    answer = await exchange.request("POST", "/order", ALICE, **ORDER, newClientOrderId=name)
    assert (answer.status_code, answer.json()["code"]) == (400, -1100)
    assert exchange.commands == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, -1102),
        ({"quantity": "1", "quoteOrderQty": "100"}, -1128),
        ({"quantity": "1", "price": "1"}, -1106),
        ({"quantity": "1", "timeInForce": "GTC"}, -1106),
        ({"quantity": "101"}, -1013),
        ({"quoteOrderQty": "4"}, -1013),
        ({"quoteOrderQty": "0"}, -1013),
        ({"quoteOrderQty": "1e3"}, -1100),
        ({"quantity": "1"}, -2010),
    ],
)
async def test_market_orders_are_checked(exchange: OrderExchange, more: dict[str, object], code: int) -> None:
    if code == -2010:  # nothing to buy is no error: the order expires
        answer = await exchange.request("POST", "/order", ALICE, **MARKET_ORDER, **more)
        assert answer.json()["status"] == "EXPIRED"
        return
    answer = await exchange.request("POST", "/order", ALICE, **MARKET_ORDER, **more)
    assert answer.json()["code"] == code
    assert exchange.commands == []


async def signed_raw(
    exchange: OrderExchange, method: str, path: str, raw: bytes, body: bytes = b""
) -> dict[str, object]:
    """Sign bytes as they are and send them."""
    signature = sign(raw + body, ALICE).encode()
    answer = await exchange.raw(
        method, path, raw + b"&signature=" + signature, body, headers={"X-MBX-APIKEY": KEYS[ALICE]}
    )
    return dict(answer.json(), status=answer.status_code)


def stamped(raw: bytes) -> bytes:
    return raw + b"&timestamp=%d" % (time.time_ns() // 1_000_000)


@covers("-1101")
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"symbol=BTCUSDT&symbol=ETHUSDT", -1101),
        (b"symbol=BTCUSDT&symbol=BTCUSDT", -1101),
        (b"symbol=BTC%00USDT", -1100),
        (b"symbol=%ff%fe", -1100),
        (b"%ff=1", -1100),
        (b"symbol=%C0%80", -1100),
        (b"=BTCUSDT", -1100),
        (b"symbol=" + "\uff22\uff34\uff23".encode(), -1100),
        (b"&".join(b"p%d=1" % n for n in range(70)), -1101),
        (b"symbol", -1105),
        (b"symbol=%zz", -1100),
    ],
)
async def test_broken_query_is_refused(exchange: OrderExchange, raw: bytes, code: int) -> None:
    answer = await signed_raw(exchange, "GET", "/openOrders", stamped(raw))
    assert (answer["status"], answer["code"]) == (400, code)


async def test_repeated_name_in_the_body_is_refused_and_in_both_places_the_query_wins(
    exchange: OrderExchange,
) -> None:
    repeated = await signed_raw(
        exchange, "DELETE", "/openOrders", stamped(b"a"), b"symbol=BTCUSDT&symbol=ETHUSDT"
    )
    assert repeated["code"] == -1101
    assert parse_parameters(b"symbol=ETHUSDT", b"symbol=BTCUSDT&side=BUY") == {
        "symbol": "ETHUSDT",
        "side": "BUY",
    }
    mixed = await signed_raw(exchange, "DELETE", "/openOrders", stamped(b"symbol=ETHUSDT"), b"symbol=NOPE")
    assert mixed["code"] == -2011, "the query's symbol was used"


async def test_json_body_is_no_excuse_for_a_crash(exchange: OrderExchange) -> None:
    answer = await signed_raw(
        exchange, "POST", "/order", stamped(b"x=1"), b'{"symbol":"BTCUSDT","quantity":1e400}'
    )
    assert (answer["status"], answer["code"]) == (400, -1104)


@pytest.mark.parametrize("body", [b"\x00\x01\x02", b"\xff\xfe\xfd", b"a=%80"])
async def test_binary_body_is_refused(exchange: OrderExchange, body: bytes) -> None:
    answer = await signed_raw(exchange, "POST", "/order", stamped(b"symbol=BTCUSDT"), body)
    assert (answer["status"], answer["code"]) == (400, -1100)


async def test_oversize_body_and_query_are_refused_unread(exchange: OrderExchange) -> None:
    headers = {"X-MBX-APIKEY": KEYS[ALICE]}
    text = "Too many parameters sent for this endpoint; at most 16384 bytes are read."
    too_large = {"code": -1101, "msg": text}
    body = await exchange.raw("POST", "/order", "", b"a" * 20_000, headers)
    assert (body.status_code, body.json()) == (413, too_large)
    assert body.headers["connection"] == "close"
    query = await exchange.raw("GET", "/openOrders", "a=" + "b" * 20_000, headers=headers)
    assert (query.status_code, query.json()) == (414, too_large)


async def test_body_that_does_not_come_is_not_waited_for() -> None:
    async with running_exchange(request_deadline_ms=50) as exchange:
        sent: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            await asyncio.sleep(60)
            raise AssertionError("nobody should wait that long")

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/v3/order",
            "query_string": b"",
            "headers": [],
            "client": ("203.0.113.7", 1),
        }
        await exchange.service.rest(scope, receive, send)  # type: ignore[arg-type]
        assert sent[0]["status"] == 408


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("GET", "/order/nope", 404),
        ("PATCH", "/order", 405),
        ("PUT", "/order", 405),
        ("GET", "/order/test", 405),
        ("GET", "/order/", 404),
    ],
)
async def test_unknown_routes_answer_in_binances_way(
    exchange: OrderExchange, method: str, path: str, status: int
) -> None:
    answer = await exchange.raw(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "msg"}


async def test_unknown_route_outside_the_api_answers_in_binances_way(exchange: OrderExchange) -> None:
    answer = await exchange.client.get("/elsewhere")
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "msg"}


@covers("-1127", "-1128", "-1130", "-2013")
@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("/order", {"symbol": "BTCUSDT"}, -1102),
        ("/order", {"symbol": "BTCUSDT", "orderId": "abc"}, -1100),
        ("/order", {"symbol": "BTCUSDT", "orderId": "-1"}, -1100),
        ("/order", {"symbol": "BTCUSDT", "orderId": "9" * 20}, -1108),
        ("/order", {"symbol": "BTCUSDT", "orderId": "1.0"}, -1100),
        ("/order", {"symbol": "BTCUSDT", "orderId": "9223372036854775807"}, -2013),
        ("/allOrders", {}, -1102),
        ("/allOrders", {"symbol": "BTCUSDT", "limit": "0"}, -1130),
        ("/allOrders", {"symbol": "BTCUSDT", "limit": "ten"}, -1100),
        ("/allOrders", {"symbol": "BTCUSDT", "startTime": "1", "endTime": "86400002"}, -1127),
        ("/allOrders", {"symbol": "BTCUSDT", "startTime": "2", "endTime": "1"}, -1128),
        ("/myTrades", {"symbol": "BTCUSDT", "orderId": "1", "startTime": "1"}, -1128),
        ("/myTrades", {"symbol": "BTCUSDT", "fromId": "1", "endTime": "1"}, -1128),
        ("/account", {"omitZeroBalances": "maybe"}, -1130),
        ("/account/commission", {}, -1102),
        ("/orderList", {"orderListId": "1"}, -2013),
        ("/myPreventedMatches", {"symbol": "BTCUSDT"}, -1128),
    ],
)
async def test_queries_are_checked(
    exchange: OrderExchange, path: str, parameters: dict[str, object], code: int
) -> None:
    answer = await exchange.request("GET", path, ALICE, **parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_an_order_that_is_not_named_is_refused_with_both_names(
    exchange: OrderExchange, method: str
) -> None:
    answer = await exchange.request(method, "/order", ALICE, symbol="BTCUSDT")
    text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
    assert (answer.status_code, answer.json()) == (400, {"code": -1102, "msg": text})


def test_the_quick_way_of_reading_parameters_says_what_the_careful_one_says() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance, quick = random.Random(seed), 0
    for _ in range(3_000):
        pieces = chance.choices([b"a", b"b=", b"=", b"&", b"&c=1", b"%41", b"+", b"\0", b"\xc3\xa4"], k=5)
        raw = b"".join(pieces[: chance.randrange(1, 6)])
        found = rest._parse_plain(raw, raw.count(b"&") + 1)
        if found is None:
            continue
        quick += 1
        try:
            careful: object = rest._parse_encoded(raw)
        except ApiError as error:
            careful = error
        assert found == careful, raw
    assert quick > 50
