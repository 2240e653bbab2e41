"""One order against 20,000 resting ones, on whole exchanges: answered, told, carried on, found again, exact.

The cheap twin is tests/integration/test_sweep.py. This one ended both kinds of exchange for good before.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from exchange.contracts.limits import FILLS_PER_COMMAND_MAX
from local.exchange_process import ExchangeProcess
from tests.e2e.conftest import MODES
from tests.e2e.trader import Trader, signed_query
from tests.e2e.waiting import eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.thorough,
    pytest.mark.timeout(1_500),
]

MAKERS, ORDERS_EACH = 100, 200
SENDERS = 12
OVERLOADED = -1008
PRICE, QUANTITY = "50000.00", "0.00020"
EACH = Decimal(QUANTITY)
DEPOSITS = {"BTC": "1", "USDT": "1000000"}
LISTENING_S = 60.0
CAUGHT_UP_S = 120.0


async def fill_the_book(url: str, makers: Sequence[Trader]) -> None:
    """20,000 asks at one price."""
    todo = [maker for maker in makers for _ in range(ORDERS_EACH)]
    order: dict[str, str | int] = {
        "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC",
        "price": PRICE, "quantity": QUANTITY, "newOrderRespType": "ACK", "recvWindow": 60_000,
    }  # fmt: skip

    async def send(client: httpx.AsyncClient) -> None:
        while todo:
            maker = todo.pop()
            query = signed_query(maker.credentials, order)
            headers = {"X-MBX-APIKEY": maker.credentials.api_key}
            answer = await client.post(f"/api/v3/order?{query}", headers=headers)
            if answer.status_code == 503 and answer.json()["code"] == OVERLOADED:
                todo.append(maker)  # Nothing was sent, on a machine that is busy with other tests.
                await asyncio.sleep(0.5)
                continue
            assert answer.status_code == 200, answer.text

    async with httpx.AsyncClient(base_url=url, timeout=30.0, trust_env=False) as client:
        await asyncio.gather(*(send(client) for _ in range(SENDERS)))


async def ask(socket: ClientConnection, trader: Trader, method: str, **parameters: str) -> None:
    """Send a signed request of the WebSocket API."""
    asked: dict[str, Any] = {
        **parameters, "apiKey": trader.credentials.api_key, "recvWindow": 60_000,
        "timestamp": int(time.time() * 1000),
    }  # fmt: skip
    text = "&".join(f"{name}={asked[name]}" for name in sorted(asked))
    key = trader.credentials.secret_key.encode()
    asked["signature"] = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    await socket.send(json.dumps({"id": method, "method": method, "params": asked}))


async def sweep(url: str, taker: Trader) -> tuple[dict[str, Any], int, int]:
    """Returns the answer to the order, and how many fills its sender and a stranger's stream were told."""
    ws = url.replace("http://", "ws://")
    async with (
        connect(f"{ws}/ws-api/v3", proxy=None, max_size=None) as socket,
        connect(f"{ws}/ws/btcusdt@trade", proxy=None, max_size=None) as stranger,
        asyncio.timeout(LISTENING_S),
    ):
        await ask(socket, taker, "userDataStream.subscribe.signature")
        assert json.loads(await socket.recv())["status"] == 200
        lots = format(EACH * MAKERS * ORDERS_EACH, "f")
        await ask(
            socket, taker, "order.place", symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
            price=PRICE, quantity=lots, newOrderRespType="FULL",
        )  # fmt: skip
        answer: dict[str, Any] | None = None
        reports: list[dict[str, Any]] = []
        while answer is None or not reports or reports[-1].get("x") != "EXPIRED":
            message = json.loads(await socket.recv())
            if "event" not in message:
                answer = message
            elif message["event"]["e"] == "executionReport":
                reports.append(message["event"])
        told = 0
        while told < FILLS_PER_COMMAND_MAX:
            told += json.loads(await stranger.recv())["e"] == "trade"
        return answer, sum(report["x"] == "TRADE" for report in reports), told


def check_money(traders: Sequence[Trader]) -> None:
    """Σ balances + fees = deposits, to the last digit."""
    inside = dict.fromkeys(DEPOSITS, Decimal())
    for trader in traders:
        for asset, (free, locked) in trader.balances().items():
            inside[asset] += free + locked
        for trade in trader.trades("BTCUSDT"):
            inside[trade["commissionAsset"]] += Decimal(trade["commission"])
    assert inside == {asset: Decimal(amount) * len(traders) for asset, amount in DEPOSITS.items()}


@pytest.mark.parametrize("mode", MODES)
async def test_one_order_against_20_000(mode: str) -> None:
    with ExchangeProcess(mode) as exchange:
        traders = [Trader.sign_up(exchange.url, deposits=DEPOSITS) for _ in range(MAKERS + 1)]
        *makers, taker = traders
        try:
            await fill_the_book(exchange.url, makers)
            answer, reported, told = await sweep(exchange.url, taker)
            assert answer["status"] == 200, answer
            order = answer["result"]
            assert (order["status"], order["expiryReason"]) == ("EXPIRED", "TOO_MANY_FILLS")
            assert Decimal(order["executedQty"]) == FILLS_PER_COMMAND_MAX * EACH
            assert len(order["fills"]) == reported == told == FILLS_PER_COMMAND_MAX
            goes_on(taker)
            await asyncio.to_thread(exchange.kill)
            await asyncio.to_thread(exchange.start)
            eventually(lambda: check_money(traders), CAUGHT_UP_S)
            goes_on(taker)
            eventually(lambda: check_money(traders), CAUGHT_UP_S)
            placed = taker.orders("BTCUSDT").values()
            assert sorted(found["status"] for found in placed) == ["EXPIRED", "FILLED", "FILLED"]
        finally:
            for trader in traders:
                trader.close()


def goes_on(taker: Trader) -> None:
    """Trading does."""
    bought = taker.ask(
        "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity=QUANTITY
    )
    assert bought["status"] == "FILLED"
