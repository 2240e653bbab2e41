"""Bad days on demand, as a bot meets them: each kind, for one key or for all, and never where deployed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets

from bench import Account, BenchError, Exchange

pytestmark = pytest.mark.slow


def place(account: Account, side: str = "BUY", price: str = "60000") -> dict[str, Any]:
    """An order that rests far from the market."""
    made: dict[str, Any] = account.request(
        "POST", "/api/v3/order",
        symbol="BTCUSDT", side=side, type="LIMIT", timeInForce="GTC", quantity="0.01", price=price,
    )  # fmt: skip
    return made


def refused(account: Account) -> int:
    """The code with which an order is refused."""
    with pytest.raises(BenchError) as error:
        place(account)
    return error.value.code


@pytest.fixture
def trader(exchange: Exchange) -> Account:
    """Somebody with money."""
    return exchange.account(USDT=100_000, BTC=1)


@pytest.mark.parametrize(("kind", "status"), [("too_many_requests", 429), ("banned", 418)])
def test_a_limit_says_when_to_come_back(exchange: Exchange, kind: str, status: int) -> None:
    getattr(exchange.bad_days, kind)(retry_after_ms=3_000)
    with httpx.Client(base_url=exchange.url, trust_env=False) as client:
        answer = client.get("/api/v3/depth", params={"symbol": "BTCUSDT"})
        assert (answer.status_code, answer.json()["code"]) == (status, -1003)
        assert answer.headers["retry-after"] == "3"
        assert client.get("/api/v3/depth", params={"symbol": "BTCUSDT"}).status_code == 200


def test_a_bad_day_of_one_key_is_nobody_else_s(exchange: Exchange, trader: Account) -> None:
    other = exchange.account(USDT=100_000)
    exchange.bad_days.too_many_requests(times=0, account=trader)
    assert refused(trader) == -1003
    place(other)
    exchange.bad_days.over()
    place(trader)


@pytest.mark.parametrize("skew_ms", [60_000, -60_000])
def test_a_skewed_clock_refuses_who_does_not_follow_it(
    exchange: Exchange, trader: Account, skew_ms: int
) -> None:
    exchange.bad_days.clock_skew(skew_ms)
    assert refused(trader) == -1021
    follower = exchange.clients.ccxt(trader)
    follower.options["adjustForTimeDifference"] = True
    assert follower.create_order("BTC/USDT", "limit", "buy", 0.01, 60_000)["status"] == "open"


def test_the_clock_of_one_key_is_told_to_who_names_it(exchange: Exchange, trader: Account) -> None:
    exchange.bad_days.clock_skew(60_000, trader)
    assert refused(trader) == -1021
    place(exchange.account(USDT=100_000))
    with httpx.Client(base_url=exchange.url, trust_env=False) as client:
        skewed = client.get("/api/v3/time", headers={"X-MBX-APIKEY": trader.api_key}).json()["serverTime"]
        true = client.get("/api/v3/time").json()["serverTime"]
    assert true < skewed - 30_000


def test_an_unknown_outcome_with_effect_and_without(exchange: Exchange, trader: Account) -> None:
    exchange.bad_days.unknown(with_effect=True)
    assert refused(trader) == -1007
    assert len(trader.open_orders("BTCUSDT")) == 1
    exchange.bad_days.unknown(with_effect=False)
    assert refused(trader) == -1007
    assert len(trader.open_orders("BTCUSDT")) == 1


def test_a_question_never_has_an_unknown_outcome(exchange: Exchange, trader: Account) -> None:
    exchange.bad_days.unknown(times=0)
    assert trader.open_orders() == []


def test_a_connection_is_cut_after_the_order_was_taken(exchange: Exchange, trader: Account) -> None:
    exchange.bad_days.hang_up()
    with pytest.raises(BenchError, match="does not answer"):
        place(trader)
    assert len(trader.open_orders("BTCUSDT")) == 1


def test_slow_answers_are_slow(exchange: Exchange) -> None:
    exchange.bad_days.slow(300, times=1, path="/api/v3/ping")
    with (
        httpx.Client(base_url=exchange.url, trust_env=False, timeout=0.1) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get("/api/v3/ping")
    assert exchange.bad_days.happened().popitem()[1] == 1


@asynccontextmanager
async def socket(exchange: Exchange, path: str) -> AsyncIterator[Any]:
    """A stream of the exchange."""
    url = exchange.url.replace("http", "ws", 1) + path
    async with websockets.connect(url, proxy=None) as connection:
        yield connection


async def message(connection: Any) -> dict[str, Any]:
    """The next one."""
    async with asyncio.timeout(20):
        found: dict[str, Any] = json.loads(await connection.recv())
        return found


async def trades(exchange: Exchange, connection: Any, count: int) -> list[int]:
    """Have `count` trades, one after the other; the ids that the stream tells of until the last."""
    market = exchange.market("BTCUSDT")
    for number in range(count):
        await asyncio.to_thread(market.jump_to, 65_001 + number)
    last = (await asyncio.to_thread(exchange.ask, "GET", "/api/v3/trades?symbol=BTCUSDT&limit=1"))[0]["id"]
    found: list[int] = []
    while not found or found[-1] < last:
        found.append((await message(connection))["t"])
    return found


async def test_messages_get_lost_and_come_twice(exchange: Exchange) -> None:
    async with socket(exchange, "/ws/btcusdt@trade") as connection:
        first = (await trades(exchange, connection, 1))[-1]
        exchange.bad_days.drop_messages()
        assert await trades(exchange, connection, 2) == [first + 2]
        exchange.bad_days.duplicate_messages()
        assert await trades(exchange, connection, 2) == [first + 3, first + 3, first + 4]


async def test_a_depth_update_is_missing(exchange: Exchange) -> None:
    async with socket(exchange, "/ws/btcusdt@depth@100ms") as connection:
        market = exchange.market("BTCUSDT")

        async def moving() -> None:
            for number in range(2_000):
                await asyncio.to_thread(market.jump_to, 65_100 + number % 100)

        mover = asyncio.create_task(moving())
        before = await message(connection)
        exchange.bad_days.depth_gap()
        while (after := await message(connection))["U"] == before["u"] + 1:
            before = after
        mover.cancel()
        assert after["U"] > before["u"] + 1


async def test_a_stream_ends(exchange: Exchange) -> None:
    async with socket(exchange, "/ws/btcusdt@trade") as connection:
        exchange.bad_days.disconnect()
        await asyncio.to_thread(exchange.market("BTCUSDT").jump_to, 65_500)
        with pytest.raises(websockets.ConnectionClosed):
            await message(connection)


async def listen_key(exchange: Exchange, account: Account) -> str:
    """A listen key of the account."""
    async with httpx.AsyncClient(base_url=exchange.url, trust_env=False) as client:
        answer = await client.post("/api/v3/userDataStream", headers={"X-MBX-APIKEY": account.api_key})
    return str(answer.json()["listenKey"])


async def told_until_the_end(connection: Any) -> list[object]:
    """What execution reports tell until the exchange ends the connection."""
    found: list[object] = []
    while True:
        try:
            found.append((await message(connection)).get("x"))
        except websockets.ConnectionClosed:
            return found


async def test_the_worst_moment_to_be_disconnected(exchange: Exchange, trader: Account) -> None:
    """The trade has happened, the money has moved, and the stream that should tell of it is gone."""
    other = exchange.account(USDT=100_000)
    keys = [await listen_key(exchange, account) for account in (trader, other)]
    async with socket(exchange, f"/ws/{keys[0]}") as mine, socket(exchange, f"/ws/{keys[1]}") as theirs:
        exchange.bad_days.disconnect_on_fill(trader)
        for account in (trader, other):
            await asyncio.to_thread(place, account, "BUY", "64500")
            await asyncio.to_thread(exchange.market("BTCUSDT").walk_to, 64_000)
            await asyncio.to_thread(exchange.market("BTCUSDT").walk_to, 65_000)
        assert "TRADE" not in await told_until_the_end(mine)
        while (await message(theirs)).get("x") != "TRADE":
            pass
    assert len(await asyncio.to_thread(trader.wait_for_fills, "BTCUSDT")) == 1


async def test_a_listen_key_dies(exchange: Exchange, trader: Account) -> None:
    key = await listen_key(exchange, trader)
    async with socket(exchange, f"/ws/{key}") as connection:
        assert await asyncio.to_thread(exchange.bad_days.expire_listen_keys, trader) == 1
        told = await message(connection)
        assert (told["e"], told["listenKey"]) == ("listenKeyExpired", key)
    async with httpx.AsyncClient(base_url=exchange.url, trust_env=False) as client:
        header = {"X-MBX-APIKEY": trader.api_key}
        answer = await client.put("/api/v3/userDataStream", params={"listenKey": key}, headers=header)
    assert answer.json()["code"] == -1125


async def test_the_websocket_api_has_bad_days_too(exchange: Exchange, trader: Account) -> None:
    async with socket(exchange, "/ws-api/v3") as connection:

        async def ask(method: str) -> dict[str, Any]:
            await connection.send(json.dumps({"id": method, "method": method}))
            return await message(connection)

        exchange.bad_days.too_many_requests()
        answer = await ask("ping")
        assert (answer["status"], answer["error"]["code"]) == (429, -1003)
        assert (await ask("ping"))["status"] == 200
        exchange.bad_days.unknown(with_effect=False)
        assert (await ask("order.place"))["error"]["code"] == -1007
        assert (await ask("order.place"))["error"]["code"] != -1007
        exchange.bad_days.order("hang-up", 1, None)
        with pytest.raises(websockets.ConnectionClosed):
            await ask("ping")


@pytest.mark.parametrize(
    "order",
    [{"kind": "unheard-of"}, {"kind": "slow", "ms": -1}, {"kind": "slow", "times": -1}, {"kin": 1}, 7],
)
def test_an_order_that_makes_no_sense_is_refused(exchange: Exchange, order: object) -> None:
    with httpx.Client(base_url=exchange.url, trust_env=False) as client:
        assert client.post("/local/bad-days", json=order).status_code == 400
        assert client.get("/local/bad-days").json() == []
