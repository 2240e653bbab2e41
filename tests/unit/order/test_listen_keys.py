"""Legacy listen keys (binance-spot-api 6.3)."""

import asyncio
import json

import httpx

from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, KEYS, OrderExchange, limit_order


async def keyed(exchange: OrderExchange, method: str, user_id: int, query: str = "") -> httpx.Response:
    """An unsigned call with the key alone."""
    return await exchange.raw(method, "/userDataStream", query, headers={"X-MBX-APIKEY": KEYS[user_id]})


async def test_listen_key_lives_is_renewed_and_ends(exchange: OrderExchange) -> None:
    key = (await keyed(exchange, "POST", ALICE)).json()["listenKey"]
    assert len(key) == 64
    assert key.isalnum()
    assert (await keyed(exchange, "POST", ALICE)).json()["listenKey"] == key
    assert (await keyed(exchange, "PUT", ALICE, f"listenKey={key}")).json() == {}
    assert (await keyed(exchange, "DELETE", ALICE, f"listenKey={key}")).json() == {}
    gone = await keyed(exchange, "PUT", ALICE, f"listenKey={key}")
    assert (gone.status_code, gone.json()) == (400, {"code": -1125, "msg": "This listenKey does not exist."})


@covers("-1125")
async def test_another_users_listen_key_does_not_exist(exchange: OrderExchange) -> None:
    key = (await keyed(exchange, "POST", ALICE)).json()["listenKey"]
    for method in ("PUT", "DELETE"):
        assert (await keyed(exchange, method, BOB, f"listenKey={key}")).json()["code"] == -1125
    assert (await keyed(exchange, "PUT", ALICE, f"listenKey={key}")).json() == {}
    assert (await keyed(exchange, "PUT", ALICE)).json()["code"] == -1102
    assert (await exchange.raw("POST", "/userDataStream")).json()["code"] == -2014


async def test_events_are_published_in_order_for_users_with_a_key(exchange: OrderExchange) -> None:
    key = (await keyed(exchange, "POST", ALICE)).json()["listenKey"]
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "1"))
    await exchange.request("POST", "/order", BOB, **limit_order("BUY", "50000", "1"))
    for _ in range(6000):
        if len(exchange.cache.published) >= 4:
            break
        await asyncio.sleep(0.01)
    assert {channel for channel, _ in exchange.cache.published} == {f"user_data:{key}"}
    messages = [json.loads(message) for _, message in exchange.cache.published]
    kinds = [(m["event"]["e"], m["event"].get("x")) for m in messages]
    assert kinds == [
        ("executionReport", "NEW"),
        ("outboundAccountPosition", None),
        ("executionReport", "TRADE"),
        ("outboundAccountPosition", None),
    ]
    numbers = [m["seq"] for m in messages]
    assert numbers == sorted(set(numbers)), "each number is greater than the one before"


async def test_absent_cache_fails_the_call_and_nothing_else(exchange: OrderExchange) -> None:
    async def away(*_: object, **__: object) -> None:
        raise OSError("no route to the cache")

    for name in ("set", "get", "exists", "execute_command", "ping"):
        setattr(exchange.cache, name, away)
    answer = await keyed(exchange, "POST", ALICE)
    assert (answer.status_code, answer.json()["code"]) == (503, -1001)
    placed = await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "1"))
    assert placed.status_code == 200
