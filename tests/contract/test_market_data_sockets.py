"""Streams and REST over real sockets, as clients use them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.market_data.markets.texts import level_texts
from services.market_data.streams.sockets import PARAMETERS_MAX
from tests.at_work import eventually, open_resources
from tests.conformance import covers
from tests.contract.market_data_server import (
    WAIT_S,
    MarketDataServer,
    serving,
    settings_of,
)
from tests.event_streams import RandomTrading
from tests.unit.market_data.clients import LocalBook

pytestmark = pytest.mark.integration
DEADLINE_S = 60.0


@pytest.fixture
async def server(database_dsn: str, valkey_url: str) -> AsyncIterator[MarketDataServer]:
    async with open_resources(settings_of(database_dsn, valkey_url)) as resources, serving(resources) as one:
        yield one


@pytest.fixture
async def trading(server: MarketDataServer) -> RandomTrading:
    trading = RandomTrading(41)
    trading.run(300)
    await server.publish(trading.stream)
    await server.has_applied(trading.stream.seq)
    return trading


async def receive(socket: ClientConnection) -> Any:
    async with asyncio.timeout(DEADLINE_S):
        return json.loads(await socket.recv())


async def ask(socket: ClientConnection, method: str, params: object = None, request_id: object = 1) -> Any:
    message: dict[str, object] = {"method": method, "id": request_id}
    if params is not None:
        message["params"] = params
    await socket.send(json.dumps(message))
    while True:
        answer = await receive(socket)
        if isinstance(answer, dict) and ("result" in answer or "code" in answer):
            return answer


async def trade_on(server: MarketDataServer, trading: RandomTrading, commands: int) -> None:
    for _ in range(commands):
        trading.run(1)
        await server.publish(trading.stream)
        await asyncio.sleep(0.001)
    await server.has_applied(trading.stream.seq)


@pytest.mark.parametrize("name", ["btcusdt@depth@100ms", "btcusdt@depth"])
async def test_a_local_book_over_a_real_socket_equals_the_engines(
    server: MarketDataServer, trading: RandomTrading, name: str
) -> None:
    async with connect(f"{server.ws}/ws/{name}", proxy=None) as socket:
        maker = asyncio.create_task(trade_on(server, trading, 1_500))
        book = LocalBook()
        book.on_event(await receive(socket))
        answer = await server.get("/api/v3/depth?symbol=BTCUSDT&limit=5000")
        book.on_snapshot(answer.json())
        view = server.service.markets.state.by_symbol["BTCUSDT"]
        follower = asyncio.create_task(follow(socket, book))
        await maker
        async with asyncio.timeout(WAIT_S):
            while book.applied < 2 and not follower.done():
                await trade_on(server, trading, 50)

        def is_equal() -> bool:
            sides = (view.book.bids, view.book.asks)
            expected = [dict(level_texts(view.market, side.top(5_000))) for side in sides]
            return follower.done() or [book.bids, book.asks] == expected

        await eventually(is_equal)
        assert not follower.done(), "an id was missing"
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)


async def follow(socket: ClientConnection, book: LocalBook) -> None:
    async for message in socket:
        book.on_event(json.loads(message))


@covers("SUBSCRIBE")
@pytest.mark.parametrize(
    "path", ["/ws", "/ws/0", "/ws/btcusdt@trade", "/ws/a/b/btcusdt@trade", "/ws/" + "x" * 64, "/stream"]
)
async def test_every_path_that_clients_open_takes_subscriptions(
    server: MarketDataServer, trading: RandomTrading, path: str
) -> None:
    async with connect(server.ws + path, proxy=None) as socket:
        for request_id in (1, "7-x", None):
            answer = await ask(socket, "SUBSCRIBE", ["btcusdt@trade", "btcusdt@trade"], request_id)
            assert answer == {"result": None, "id": request_id}
        maker = asyncio.create_task(trade_on(server, trading, 60))
        first = await receive(socket)
        await maker
        wrapped = path == "/stream"
        assert (first["data"] if wrapped else first)["e"] == "trade"


@pytest.mark.parametrize("path", ["/ws/", "/stream?streams="])
@pytest.mark.parametrize("name", ["btcusdt@kline_1d@+08:00", "btcusdt@kline_1d@%2B08:00"])
async def test_a_time_zone_east_of_greenwich_can_stand_in_the_url(
    server: MarketDataServer, path: str, name: str
) -> None:
    async with connect(server.ws + path + name, proxy=None) as socket:
        assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@kline_1d@+08:00"]


async def test_a_url_with_too_many_parameters_is_refused(server: MarketDataServer) -> None:
    query = "&".join(f"p{number}=1" for number in range(PARAMETERS_MAX + 1))
    with pytest.raises(InvalidStatus) as refusal:
        await connect(f"{server.ws}/stream?{query}", proxy=None)
    assert refusal.value.response.status_code == 403


@covers("UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
async def test_control_messages_change_what_comes(server: MarketDataServer, trading: RandomTrading) -> None:
    async with connect(f"{server.ws}/stream?streams=btcusdt@trade/btcusdt@bookTicker", proxy=None) as socket:
        listed = await ask(socket, "LIST_SUBSCRIPTIONS")
        assert listed["result"] == ["btcusdt@trade", "btcusdt@bookTicker"]
        assert (await ask(socket, "GET_PROPERTY", ["combined"]))["result"] is True
        assert (await ask(socket, "SET_PROPERTY", ["combined", False]))["result"] is None
        assert (await ask(socket, "UNSUBSCRIBE", ["btcusdt@bookTicker", "never@was"]))["result"] is None
        await trade_on(server, trading, 60)
        assert (await receive(socket))["e"] == "trade"
        assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@trade"]
        assert (await ask(socket, "FLY", [], "f"))["code"] == 2


async def test_times_are_in_microseconds_when_the_url_says_so(
    server: MarketDataServer, trading: RandomTrading
) -> None:
    url = f"{server.ws}/stream?streams=btcusdt@trade&timeUnit=MICROSECOND"
    async with connect(url, proxy=None) as socket:
        maker = asyncio.create_task(trade_on(server, trading, 60))
        message = await receive(socket)
        await maker
        assert message["stream"] == "btcusdt@trade"
        assert message["data"]["T"] > 10**15


async def test_a_message_too_long_ends_the_connection(server: MarketDataServer) -> None:
    async with connect(f"{server.ws}/ws", proxy=None) as socket:
        await socket.send("x" * 4_097)
        with pytest.raises(ConnectionClosed) as closed:
            await receive(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_more_than_1024_streams_end_the_connection(server: MarketDataServer) -> None:
    async with connect(f"{server.ws}/ws", proxy=None) as socket:
        for first in range(0, 1_024, 128):
            names = [f"s{number}@trade" for number in range(first, first + 128)]
            assert (await ask(socket, "SUBSCRIBE", names))["result"] is None
        await socket.send(json.dumps({"method": "SUBSCRIBE", "params": ["one@more"], "id": 1}))
        with pytest.raises(ConnectionClosed) as closed:
            await receive(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


# A stream that says next to nothing by itself.
NOISE = "!miniTicker@arr@3000ms"


async def test_a_client_that_does_not_read_is_cut_and_the_others_go_on(
    server: MarketDataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.market_data.streams.hub.STALL_MAX_S", 0.3)
    payload = b'{"e":"x","pad":"' + b"0" * 30_000 + b'"}'
    async with (
        connect(f"{server.ws}/ws/{NOISE}", proxy=None, max_queue=1) as deaf,
        connect(f"{server.ws}/ws/{NOISE}", proxy=None) as listener,
    ):
        hub = server.service.hub
        heard = 0

        async def listen() -> None:
            nonlocal heard
            async for _ in listener:
                heard += 1

        listening = asyncio.create_task(listen())
        async with asyncio.timeout(DEADLINE_S):
            while len(hub.topics[NOISE].clients) == 2:
                hub.publish(NOISE, lambda _: payload)
                await asyncio.sleep(0.002)
        before = heard
        for _ in range(50):
            hub.publish(NOISE, lambda _: payload)
            await asyncio.sleep(0.002)
        await eventually(lambda: heard >= before + 50)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        deaf.transport.abort()


@covers("serverShutdown of streams")
async def test_a_planned_end_is_announced(database_dsn: str, valkey_url: str) -> None:
    async with open_resources(settings_of(database_dsn, valkey_url)) as resources:
        async with serving(resources) as server:
            socket = await connect(f"{server.ws}/ws", proxy=None)
            assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == []
        assert (await receive(socket))["e"] == "serverShutdown"
        with pytest.raises(ConnectionClosed):
            await receive(socket)
        await socket.close()


async def test_a_path_that_is_no_stream_is_refused(server: MarketDataServer) -> None:
    with pytest.raises(Exception, match="403"):
        await connect(f"{server.ws}/elsewhere", proxy=None)


async def test_readiness_and_metrics_are_served(server: MarketDataServer, trading: RandomTrading) -> None:
    ready = await server.get("/readyz")
    assert ready.status_code == 200, ready.text
    assert (
        f"exchange_market_data_applied_seq {float(trading.stream.seq)}" in (await server.get("/metrics")).text
    )
