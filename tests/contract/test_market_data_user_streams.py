"""Legacy user data streams: what is published for a listen key reaches its listeners, each event once."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from websockets.asyncio.client import connect

from exchange.process.components import Resources
from services.market_data.streams import user_feed
from tests.at_work import open_resources
from tests.contract.market_data_server import MarketDataServer, serving, settings_of
from tests.contract.test_market_data_sockets import ask, receive

pytestmark = pytest.mark.integration
KEY = "k" * 64
OTHER = "o" * 60


@pytest.fixture
async def resources(database_dsn: str, valkey_url: str) -> AsyncIterator[Resources]:
    async with open_resources(settings_of(database_dsn, valkey_url)) as opened:
        await opened.cache.set(f"listen_key:{KEY}", b"1001", ex=60)
        await opened.cache.set(f"listen_key:{OTHER}", b"1002", ex=60)
        yield opened


@pytest.fixture
async def server(resources: Resources) -> AsyncIterator[MarketDataServer]:
    async with serving(resources) as one:
        yield one


async def publish(resources: Resources, key: str, seq: int, event: object) -> int:
    message = json.dumps({"seq": seq, "event": event})
    listeners: int = await resources.cache.publish(f"user_data:{key}", message)
    return listeners


async def has_listeners(resources: Resources, key: str, expected: bool) -> None:
    """Wait until somebody, or nobody, listens to the key's channel."""
    for _ in range(3000):
        if bool(await publish(resources, key, 0, {"e": "probe"})) == expected:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError(f"listeners of {key[:4]}… never became {expected}")


async def test_events_come_bare_or_wrapped_as_the_path_says(
    server: MarketDataServer, resources: Resources
) -> None:
    async with (
        connect(f"{server.ws}/ws/{KEY}", proxy=None) as bare,
        connect(f"{server.ws}/stream?streams={KEY}", proxy=None) as wrapped,
        connect(f"{server.ws}/ws", proxy=None) as later,
    ):
        assert (await ask(later, "SUBSCRIBE", [OTHER]))["result"] is None
        assert (await ask(bare, "LIST_SUBSCRIPTIONS"))["result"] == [KEY]
        assert (await ask(wrapped, "LIST_SUBSCRIPTIONS"))["result"] == [KEY]
        assert await publish(resources, KEY, 5, {"e": "executionReport", "p": "1.10"}) == 1
        assert await publish(resources, OTHER, 6, {"e": "balanceUpdate"}) == 1
        assert await receive(bare) == {"e": "executionReport", "p": "1.10"}
        assert await receive(wrapped) == {"stream": KEY, "data": {"e": "executionReport", "p": "1.10"}}
        assert await receive(later) == {"e": "balanceUpdate"}


async def test_older_and_repeated_events_are_dropped(server: MarketDataServer, resources: Resources) -> None:
    async with connect(f"{server.ws}/ws/{KEY}", proxy=None) as socket:
        assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == [KEY]
        for seq, name in ((5, "a"), (5, "b"), (5, "a"), (4, "c"), (6, "d"), (5, "e"), (6, "d"), (7, "f")):
            await publish(resources, KEY, seq, {"e": name})
        assert [(await receive(socket))["e"] for _ in range(4)] == ["a", "b", "d", "f"]


async def test_an_unknown_key_stays_silent_and_the_connection_open(
    server: MarketDataServer, resources: Resources
) -> None:
    async with connect(f"{server.ws}/ws/{'u' * 64}", proxy=None) as socket:
        assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == []
        assert await publish(resources, "u" * 64, 1, {"e": "x"}) == 0


async def test_the_channel_is_given_up_with_its_last_listener_and_taken_up_again(
    server: MarketDataServer, resources: Resources
) -> None:
    for _ in range(3):
        async with connect(f"{server.ws}/ws/{KEY}", proxy=None) as socket:
            assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == [KEY]
            assert await publish(resources, KEY, 1, {"e": "x"}) == 1
            assert await receive(socket) == {"e": "x"}
        await has_listeners(resources, KEY, False)


async def test_listeners_are_disconnected_when_the_cache_breaks_and_can_come_back(
    server: MarketDataServer, resources: Resources
) -> None:
    async with connect(f"{server.ws}/ws/{KEY}", proxy=None) as socket:
        assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == [KEY]
        await resources.cache.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        async with asyncio.timeout(10):
            await socket.wait_closed()
    async with asyncio.timeout(10):
        while True:
            async with connect(f"{server.ws}/ws/{KEY}", proxy=None) as socket:
                if (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == [KEY]:
                    await has_listeners(resources, KEY, True)
                    return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("end", ["delete", "expire"])
async def test_the_end_of_a_key_is_told_to_its_listeners_and_to_nobody_else(
    server: MarketDataServer, resources: Resources, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(user_feed, "EXPIRY_EVERY_S", 0.05)
    async with (
        connect(f"{server.ws}/ws/{KEY}", proxy=None) as bare,
        connect(f"{server.ws}/stream?streams={KEY}&timeUnit=MICROSECOND", proxy=None) as wrapped,
        connect(f"{server.ws}/ws/{OTHER}", proxy=None) as other,
    ):
        for socket, key in ((bare, KEY), (wrapped, KEY), (other, OTHER)):
            assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == [key]
        if end == "delete":
            await resources.cache.delete(f"listen_key:{KEY}")
        else:
            await resources.cache.pexpire(f"listen_key:{KEY}", 1)
        farewell = await receive(bare)
        assert (farewell["e"], farewell["listenKey"]) == ("listenKeyExpired", KEY)
        told = await receive(wrapped)
        assert (told["stream"], told["data"]["e"]) == (KEY, "listenKeyExpired")
        assert told["data"]["E"] // 1_000 == farewell["E"]
        assert (await ask(bare, "LIST_SUBSCRIPTIONS"))["result"] == []
        await has_listeners(resources, KEY, False)
        assert await publish(resources, OTHER, 9, {"e": "balanceUpdate"}) == 1
        assert await receive(other) == {"e": "balanceUpdate"}


async def test_a_dead_key_is_refused_and_the_other_streams_are_not(
    server: MarketDataServer, resources: Resources
) -> None:
    """Finding A6: `result: null` and silence would be taken for a stream."""
    async with connect(f"{server.ws}/ws", proxy=None) as socket:
        refused = await ask(socket, "SUBSCRIBE", ["btcusdt@trade", "u" * 64])
        told = {"code": -1125, "msg": "This listenKey does not exist."}
        assert (refused["error"], refused["code"]) == (told, -1125)
        assert "result" not in refused
        assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@trade"]
        assert (await ask(socket, "SUBSCRIBE", [KEY]))["result"] is None


async def test_times_come_in_microseconds_for_who_asked_so(
    server: MarketDataServer, resources: Resources
) -> None:
    report = {"e": "executionReport", "E": 1, "T": 2, "O": 3, "W": 4, "t": -1, "p": "1.10"}
    async with connect(f"{server.ws}/ws/{KEY}?timeUnit=MICROSECOND", proxy=None) as socket:
        assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == [KEY]
        await publish(resources, KEY, 5, report)
        await publish(resources, KEY, 6, {"e": "outboundAccountPosition", "E": 5, "u": 6, "B": []})
        assert await receive(socket) == {**report, "E": 1_000, "T": 2_000, "O": 3_000, "W": 4_000}
        assert await receive(socket) == {
            "e": "outboundAccountPosition", "E": 5_000, "u": 6_000, "B": [],
        }  # fmt: skip


async def test_who_listens_is_cut_when_a_publisher_has_dropped_events(
    server: MarketDataServer, resources: Resources
) -> None:
    async with connect(f"{server.ws}/ws/{KEY}", proxy=None) as socket:
        assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == [KEY]
        assert await resources.cache.publish(user_feed.LOST_CHANNEL, b"") == 1
        async with asyncio.timeout(10):
            await socket.wait_closed()


class Relay:
    """A way to the cache on which packets to one kind of connection are lost from some moment on.

    The connection that has asked for SUBSCRIBE hears nothing more once `is_deaf` is set.
    """

    def __init__(self, host: str, port: int) -> None:
        self.is_deaf = False
        self._target = (host, port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(*self._target)
        subscribes = asyncio.Event()

        async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_answer: bool) -> None:
            while chunk := await source.read(65_536):
                if b"SUBSCRIBE" in chunk and not is_answer:
                    subscribes.set()
                if not (is_answer and self.is_deaf and subscribes.is_set()):
                    sink.write(chunk)
                    await sink.drain()
            sink.close()

        await asyncio.gather(
            pass_on(reader, forth, False), pass_on(back, writer, True), return_exceptions=True
        )


async def test_listeners_are_disconnected_when_the_connection_to_the_cache_is_dead(
    database_dsn: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding A10: packets that are dropped without a reset look like a quiet stream."""
    monkeypatch.setattr(user_feed, "PULSE_EVERY_S", 0.1)
    monkeypatch.setattr(user_feed, "PULSE_SILENCE_S_MAX", 1.0)
    parts = urlsplit(valkey_url)
    relay = Relay(parts.hostname or "", parts.port or 0)
    listener = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    relayed = urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0] + f":{port}"))
    async with listener, open_resources(settings_of(database_dsn, relayed)) as opened:
        await opened.cache.set(f"listen_key:{KEY}", b"1001", ex=60)
        async with serving(opened) as server, connect(f"{server.ws}/ws/{KEY}", proxy=None) as socket:
            assert (await ask(socket, "LIST_SUBSCRIPTIONS"))["result"] == [KEY]
            await publish(opened, KEY, 5, {"e": "balanceUpdate", "E": 1, "T": 1})
            assert (await receive(socket))["e"] == "balanceUpdate"
            relay.is_deaf = True
            async with asyncio.timeout(20):
                await socket.wait_closed()
