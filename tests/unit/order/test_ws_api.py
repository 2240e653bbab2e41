"""The WebSocket API (binance-spot-api section 5) and user data subscriptions (6)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exchange.contracts import limits
from exchange.security.credentials import ED25519, ApiKey
from services.order.doors import ws_api, ws_connection
from tests.at_work import eventually
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order
from tests.unit.order.ws_client import WsClient, connected, signed, signed_ed25519

EXECUTION_REPORT_KEYS = {
    *("e", "E", "s", "c", "S", "o", "f", "q", "p", "P", "F", "g", "C", "x", "X", "r", "i", "l", "z", "L"),
    *("n", "N", "T", "t", "I", "w", "m", "M", "O", "Z", "Y", "Q", "V"),
}


@pytest.fixture
async def socket(exchange: OrderExchange) -> AsyncIterator[WsClient]:
    async with connected(exchange) as client:
        yield client


def edwards_key(exchange: OrderExchange, user_id: int) -> tuple[str, Ed25519PrivateKey]:
    """Give a user an Ed25519 key."""
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    api_key = str(user_id)[-1] * 64
    permissions = frozenset({"READ", "TRADE"})
    exchange.credentials.keys[api_key] = ApiKey(api_key, user_id, ED25519, None, pem, permissions, ())
    return api_key, private


async def test_order_is_placed_queried_and_canceled_with_rest_shapes(
    exchange: OrderExchange, socket: WsClient
) -> None:
    placed = await socket.ask_signed(
        "order.place", ALICE, **limit_order("BUY", "50000", "1", newClientOrderId="w")
    )
    assert placed["status"] == 200
    assert (placed["result"]["status"], placed["result"]["fills"]) == ("NEW", [])
    assert [limit["rateLimitType"] for limit in placed["rateLimits"]] == [
        "ORDERS",
        "ORDERS",
        "REQUEST_WEIGHT",
    ]
    rest = await exchange.request("GET", "/order", ALICE, symbol="BTCUSDT", origClientOrderId="w")
    status = await socket.ask_signed("order.status", ALICE, symbol="BTCUSDT", origClientOrderId="w")
    assert status["result"] == rest.json()
    open_orders = await socket.ask_signed("openOrders.status", ALICE)
    assert open_orders["result"] == [rest.json()]
    canceled = await socket.ask_signed(
        "order.cancel", ALICE, symbol="BTCUSDT", orderId=rest.json()["orderId"]
    )
    assert canceled["result"]["status"] == "CANCELED"
    account = await socket.ask_signed("account.status", ALICE, omitZeroBalances=True)
    assert [row["asset"] for row in account["result"]["balances"]] == ["BTC", "USDT"]


async def test_errors_have_the_documented_envelope(socket: WsClient) -> None:
    reply = await socket.ask_signed("order.cancel", ALICE, symbol="BTCUSDT", orderId=1)
    assert (reply["status"], reply["error"]) == (400, {"code": -2011, "msg": "Unknown order sent."})
    quiet = await socket.ask_signed(
        "order.cancel", ALICE, symbol="BTCUSDT", orderId=1, returnRateLimits=False
    )
    assert "rateLimits" not in quiet
    unknown = await socket.ask("order.dream")
    assert unknown["error"]["code"] == -1020
    unsigned = await socket.ask("account.status", timestamp=1)
    assert unsigned["error"]["code"] == -1102


@covers("-1135")
@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "NaN", '"x"', "{}", '{"method":5}', '{"method":"ping","params":[]}',
     '{"method":"ping","id":1.5}', '{"method":"ping","id":[]}', '{"method":"ping","id":99999999999999999999}',
     '{"method":"ping","params":{"a":NaN}}', "[" * 10_000,
     '{"method":"ping","params":{"a":' + "[" * 9_000, "\ud800"],
)  # fmt: skip
async def test_text_that_is_no_request_is_refused_and_the_socket_lives(socket: WsClient, text: str) -> None:
    socket.say(text)
    reply = await socket.hear()
    assert (reply["id"], reply["status"], reply["error"]["code"]) == (None, 400, -1135)
    assert (await socket.ask("ping"))["result"] == {}


@pytest.mark.parametrize("method", ["ping", "time"])
async def test_what_has_no_parameters_takes_none(exchange: OrderExchange, method: str) -> None:
    async with connected(exchange) as socket:
        refused = await socket.ask(method, symbol="BTCUSDT")
        assert (refused["status"], refused["error"]) == (
            400, {"code": -1101, "msg": "Too many parameters; expected '0' and received '1'."},
        )  # fmt: skip
        # What belongs to the envelope is no parameter of the method.
        assert (await socket.ask(method, returnRateLimits=False))["status"] == 200


@pytest.mark.parametrize("text", ['{"id":"a-7"}', '{"id":"a-7","method":"ping","params":[]}'])
async def test_the_refusal_of_what_is_no_request_carries_its_id(socket: WsClient, text: str) -> None:
    socket.say(text)
    reply = await socket.hear()
    assert (reply["id"], reply["status"], reply["error"]["code"]) == ("a-7", 400, -1135)


async def test_a_wrong_time_unit_is_told_to_each_request_by_its_id(exchange: OrderExchange) -> None:
    async with connected(exchange, "timeUnit=NANOSECOND") as socket:
        assert (await socket.ask("ping"))["error"]["code"] == -1194


@pytest.mark.parametrize("depth", [9, 200, 1_100, 5_000])
async def test_a_parameter_that_is_nested_too_deeply_is_refused(socket: WsClient, depth: int) -> None:
    for nested in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        if len(nested) > 16_000:
            continue
        socket.say('{"id":1,"method":"ticker.price","params":{"symbols":' + nested + "}}")
        reply = await socket.hear()
        assert (reply["status"], reply["error"]["code"]) == (400, -1135)
    assert (await socket.ask("ping"))["result"] == {}


@pytest.mark.parametrize("value", [1e-05, "1e-05", -1, True, [], {}, "٣", "1\0"])
async def test_bad_numbers_are_refused(exchange: OrderExchange, socket: WsClient, value: object) -> None:
    order = {**limit_order("BUY", "50000", "1"), "quantity": value}
    token = json.dumps(value)
    params = signed(ALICE, {**order, "quantity": token if not isinstance(value, str) else value})
    reply = await socket.ask("order.place", **{**params, "quantity": value})
    assert reply["error"]["code"] == -1100
    assert exchange.commands == []


async def test_json_numbers_are_taken_as_written(socket: WsClient) -> None:
    params = signed(ALICE, {**limit_order("BUY", "50000.00", "0.10")})
    text = json.dumps({"id": "a", "method": "order.place", "params": params})
    socket.say(text.replace('"50000.00"', "50000.00").replace('"0.10"', "0.10"))
    assert (await socket.hear())["result"]["price"] == "50000.00000000"


async def test_ids_come_back_as_they_were_sent(socket: WsClient) -> None:
    for request_id in (0, -5, 2**63 - 1, "", "ffe8ff6c-2b8e-4ba9-8d3c-0f0c4f1a6d2e", None):
        socket.say(json.dumps({"id": request_id, "method": "ping"}))
        assert (await socket.hear())["id"] == request_id


@covers("ws session.logon", "ws session.status", "ws session.logout", "Ed25519 keys")
async def test_ed25519_logon_opens_a_session(exchange: OrderExchange, socket: WsClient) -> None:
    api_key, private = edwards_key(exchange, ALICE)
    assert (await socket.ask("session.status"))["result"]["apiKey"] is None
    logon = await socket.ask("session.logon", **signed_ed25519(api_key, private))
    assert logon["result"]["apiKey"] == api_key
    assert set(logon["result"]) == {
        "apiKey", "authorizedSince", "connectedSince", "returnRateLimits", "serverTime", "userDataStream",
    }  # fmt: skip
    timestamp = (await socket.ask("time"))["result"]["serverTime"]
    placed = await socket.ask("order.place", timestamp=timestamp, **limit_order("BUY", "50000", "1"))
    assert placed["status"] == 200
    stale = await socket.ask("order.place", timestamp=timestamp - 9_000, **limit_order("BUY", "50000", "1"))
    assert stale["error"]["code"] == -1021
    del exchange.credentials.keys[api_key]
    revoked = await socket.ask("account.status", timestamp=timestamp)
    assert revoked["error"]["code"] == -2015
    assert (await socket.ask("session.logout"))["result"]["apiKey"] is None
    assert (await socket.ask("account.status", timestamp=timestamp))["error"]["code"] == -1102


async def test_hmac_keys_cannot_log_on(socket: WsClient) -> None:
    reply = await socket.ask_signed("session.logon", ALICE)
    assert reply["error"] == {"code": -4056, "msg": "HMAC_SHA256 API key is not supported."}


@covers("ws userDataStream.subscribe.signature", "outboundAccountPosition")
async def test_reply_to_the_subscription_precedes_the_first_event(
    exchange: OrderExchange, socket: WsClient
) -> None:
    socket.start("userDataStream.subscribe.signature", **signed(ALICE, {}))
    socket.start("order.place", **signed(ALICE, limit_order("BUY", "50000", "1")))
    assert (await socket.hear())["result"] == {"subscriptionId": 0}
    frames = [await socket.hear() for _ in range(3)]
    events = [frame["event"] for frame in frames if "event" in frame]
    assert [event["e"] for event in events] == ["executionReport", "outboundAccountPosition"]
    report = events[0]
    assert set(report) == EXECUTION_REPORT_KEYS | {"W"}
    assert (report["x"], report["X"], report["r"], report["N"], report["t"], report["w"]) == (
        "NEW", "NEW", "NONE", None, -1, True,
    )  # fmt: skip
    assert events[1]["B"] == [
        {"a": "BTC", "f": "10.00000000", "l": "0.00000000"},
        {"a": "USDT", "f": "950000.00000000", "l": "50000.00000000"},
    ]


async def events_until_quiet(socket: WsClient, wait_s: float = 0.1) -> list[dict[str, object]]:
    """All event frames that come before a pause."""
    events = []
    with contextlib.suppress(TimeoutError):
        while True:
            frame = json.loads(await asyncio.wait_for(socket.frames.get(), wait_s))
            events.append(frame["event"])
    return events


async def test_maker_and_taker_see_the_trade_from_their_sides(
    exchange: OrderExchange, socket: WsClient
) -> None:
    await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
    await socket.ask_signed("userDataStream.subscribe.signature", BOB)
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "1"))
    await events_until_quiet(socket)
    await exchange.request("POST", "/order", BOB, symbol="BTCUSDT", side="BUY", type="MARKET", quantity="2")
    events = await events_until_quiet(socket)
    reports = [e for e in events if e["e"] == "executionReport"]
    assert [(r["S"], r["x"], r["X"], r["m"]) for r in reports] == [
        ("BUY", "NEW", "NEW", False),
        ("BUY", "TRADE", "PARTIALLY_FILLED", False),
        ("SELL", "TRADE", "FILLED", True),
        ("BUY", "EXPIRED", "EXPIRED", False),
    ]
    # With fifteen more digits in each of its fields it still is no larger than a queue is reckoned for.
    sizes = [len(json.dumps(report)) + 15 * len(report) for report in reports]
    assert max(sizes) <= limits.REPORT_SIZE_BYTES_MAX
    taker, maker = reports[1], reports[2]
    assert (taker["l"], taker["L"], taker["Y"], taker["n"], taker["N"]) == (
        "1.00000000", "50000.00000000", "50000.00000000", "0.00100000", "BTC",
    )  # fmt: skip
    assert (maker["n"], maker["N"], maker["t"]) == ("50.00000000", "USDT", 1)
    assert [e["e"] for e in events[-2:]] == ["outboundAccountPosition"] * 2


async def test_cancellation_report_carries_both_names(exchange: OrderExchange, socket: WsClient) -> None:
    await exchange.request(
        "POST", "/order", ALICE, **limit_order("BUY", "50000", "1", newClientOrderId="own")
    )
    await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
    await exchange.request(
        "DELETE", "/order", ALICE, symbol="BTCUSDT", origClientOrderId="own", newClientOrderId="x"
    )
    report = (await events_until_quiet(socket))[0]
    assert (report["x"], report["X"], report["c"], report["C"], report["w"]) == (
        "CANCELED", "CANCELED", "x", "own", False,
    )  # fmt: skip


@covers("balanceUpdate")
async def test_deposit_is_a_balance_update(exchange: OrderExchange, socket: WsClient) -> None:
    await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
    await exchange.deposit(ALICE, USDT=5)
    update, position = await events_until_quiet(socket)
    assert (update["e"], update["a"], update["d"]) == ("balanceUpdate", "USDT", "5.00000000")
    assert position["B"] == [{"a": "USDT", "f": "1000005.00000000", "l": "0.00000000"}]


async def test_other_users_events_stay_away(exchange: OrderExchange, socket: WsClient) -> None:
    await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
    await exchange.request("POST", "/order", BOB, **limit_order("BUY", "50000", "1"))
    assert await events_until_quiet(socket) == []


@covers(
    "-2035", "-2036", "ws session.subscriptions", "ws userDataStream.unsubscribe", "eventStreamTerminated"
)
async def test_subscriptions_are_one_for_an_account_and_end_when_asked(
    exchange: OrderExchange, socket: WsClient
) -> None:
    await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
    twice = await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
    assert twice["error"]["code"] == -2035
    assert (await socket.ask("session.subscriptions"))["result"] == [{"subscriptionId": 0}]
    assert (await socket.ask("userDataStream.unsubscribe", subscriptionId=7))["error"]["code"] == -2036
    assert (await socket.ask("userDataStream.unsubscribe", subscriptionId=0))["result"] == {}
    assert (await socket.hear())["event"]["e"] == "eventStreamTerminated"
    await exchange.deposit(ALICE, USDT=5)
    assert await events_until_quiet(socket) == []
    assert (await socket.ask("userDataStream.unsubscribe"))["error"]["code"] == -2036


@covers("ws userDataStream.subscribe", "ws session.logout")
async def test_session_subscription_ends_with_the_logout(exchange: OrderExchange, socket: WsClient) -> None:
    assert (await socket.ask("userDataStream.subscribe"))["error"]["code"] == -1102
    await socket.ask("session.logon", **signed_ed25519(*edwards_key(exchange, ALICE)))
    assert (await socket.ask("userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
    assert (await socket.ask("session.status"))["result"]["userDataStream"] is True
    assert (await socket.ask("session.logout"))["result"]["userDataStream"] is False
    assert (await socket.hear())["event"]["e"] == "eventStreamTerminated"


async def test_a_subscription_that_was_signed_by_itself_outlives_the_session(
    exchange: OrderExchange, socket: WsClient
) -> None:
    await socket.ask("session.logon", **signed_ed25519(*edwards_key(exchange, ALICE)))
    await socket.ask_signed("userDataStream.subscribe.signature", BOB)
    assert (await socket.ask("session.logout"))["result"]["userDataStream"] is True
    assert (await socket.ask("session.subscriptions"))["result"] == [{"subscriptionId": 0}]


async def test_events_come_in_microseconds_when_the_url_asks(exchange: OrderExchange) -> None:
    async with connected(exchange, "timeUnit=MICROSECOND&returnRateLimits=false") as socket:
        reply = await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        assert "rateLimits" not in reply
        await exchange.deposit(ALICE, USDT=5)
        assert all(int(str(event["E"])) > 10**15 for event in await events_until_quiet(socket))


async def test_client_that_does_not_read_is_cut_off(
    exchange: OrderExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws_connection, "SOCKET_QUEUE_SIZE_BYTES_MAX", 4_000)
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        socket.reads.clear()
        for _ in range(20):
            await exchange.deposit(ALICE, USDT=1)
        await asyncio.sleep(0)
        socket.reads.set()
        assert await asyncio.wait_for(socket.closed, 5) == ws_connection.POLICY
    assert not exchange.service.hub._subscriptions


async def test_oversize_message_ends_the_socket(exchange: OrderExchange) -> None:
    async with connected(exchange) as socket:
        socket.say("a" * 20_000)
        assert await asyncio.wait_for(socket.closed, 5) == ws_connection.TOO_BIG


async def test_a_replacement_is_finished_though_its_socket_has_gone(exchange: OrderExchange) -> None:
    """Nobody hears the answer, but the trader does not end with neither order."""
    await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "100", "1", newClientOrderId="old"))
    exchange.permits = asyncio.Semaphore(0)
    async with connected(exchange) as socket:
        replacement = limit_order("BUY", "101", "1", newClientOrderId="new")
        params = {**replacement, "cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "old"}
        socket.start("order.cancelReplace", **signed(ALICE, params))
        await eventually(lambda: exchange.service.engine.gateway.waiting == 1)
    exchange.permits.release()
    exchange.permits.release()
    await eventually(lambda: len(exchange.commands) == 3)
    view = exchange.service.engine.view
    await eventually(lambda: [o.client_order_id for o in view.open_orders(ALICE)] == ["new"])


@covers("-2042")
async def test_a_socket_has_so_many_user_streams_and_no_more(
    exchange: OrderExchange, socket: WsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws_api, "SUBSCRIPTIONS_MAX", 1)
    assert (await socket.ask_signed("userDataStream.subscribe.signature", ALICE))["status"] == 200
    refused = await socket.ask_signed("userDataStream.subscribe.signature", BOB)
    assert refused["error"] == {
        "code": -2042,
        "msg": "Maximum subscription ID reached for this connection.",
    }


@covers("serverShutdown of the WebSocket API")
@pytest.mark.parametrize(("query", "digits"), [("", 13), ("timeUnit=MICROSECOND", 16)])
async def test_a_planned_end_is_announced(exchange: OrderExchange, query: str, digits: int) -> None:
    async with connected(exchange, query) as socket:
        assert (await socket.ask("ping"))["status"] == 200
        exchange.service.websocket.announce_shutdown()
        farewell = await socket.hear()
    assert list(farewell) == ["event"]
    assert farewell["event"]["e"] == "serverShutdown"
    assert len(str(farewell["event"]["E"])) == digits
