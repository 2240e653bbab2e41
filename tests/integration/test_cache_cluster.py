"""Everything that is kept in Redis works on a cluster of three nodes as it does on one, and over TLS."""

import asyncio
import contextlib
import hashlib
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from exchange.adapters.redis.client import open_cache
from exchange.contracts.audit_keys import AUDITING, HEARTBEAT_KEY, RED_KEY, Heartbeat
from exchange.contracts.errors import ApiError
from exchange.process.config import Settings, SettingsError
from exchange.process.connections import CACHE_ERRORS
from exchange.security.credentials import REVOKED_CHANNEL, announce_revocation
from exchange.security.withdrawal_stop import WithdrawalStop
from local.servers import free_port, valkey
from services.auditor.comparison.book import BookComparison
from services.order.user_data.listen_keys import ListenKeys, channel_of
from services.projections.book.cache import APPLIED, BookCache, BookChange, BookImage
from services.user.people.sessions import Sessions, TooManyAttemptsError
from tests import certificates
from tests.background import Background

pytestmark = pytest.mark.integration

NODES = 3
SLOTS = 16_384
DEADLINE_MS = 2_000
SYMBOLS = [f"SYM{number}USDT" for number in range(12)]


@dataclass(frozen=True)
class Nodes:
    """Three nodes that share the slots; `url` is one of theirs."""

    url: str
    urls: tuple[str, ...]


async def form_cluster(ports: list[int], bus_ports: list[int]) -> None:
    """Give each node its third of the slots, introduce them, and wait until all agree."""
    clients = [Redis(port=port, socket_timeout=5) for port in ports]
    try:
        for number, client in enumerate(clients):
            first, last = SLOTS * number // NODES, SLOTS * (number + 1) // NODES - 1
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            if number:
                await client.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0], bus_ports[0])
        async with asyncio.timeout(30):
            for client in clients:
                while True:
                    info = await client.execute_command("CLUSTER INFO")
                    if info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(NODES):
                        break
                    await asyncio.sleep(0.1)
    finally:
        for client in clients:
            await client.aclose()


@pytest.fixture(scope="module")
def nodes(background: Background, servers_dir: Path) -> Iterator[Nodes]:
    ports, bus_ports = ([free_port() for _ in range(NODES)] for _ in range(2))
    servers = []
    for port, bus_port in zip(ports, bus_ports, strict=True):
        folder = servers_dir / f"cluster-{port}"
        folder.mkdir()
        settings = {
            "cluster-enabled": "yes",
            "cluster-port": str(bus_port),
            "cluster-config-file": "nodes.conf",
        }
        servers.append(background.run(valkey.start(folder, port, settings=settings), 60.0))
    background.run(form_cluster(ports, bus_ports), 60.0)
    urls = tuple(f"redis://127.0.0.1:{port}/0" for port in ports)
    yield Nodes(urls[0], urls)
    for server in servers:
        background.run(server.stop(), 60.0)


def settings_of(url: str, *, cluster: bool) -> Settings:
    return Settings(cache_url=SecretStr(url), cache_cluster=cluster, cache_deadline_ms=DEADLINE_MS)


@pytest.fixture
async def cache(nodes: Nodes) -> AsyncIterator[Redis]:
    client = open_cache(settings_of(nodes.url, cluster=True))
    yield client
    await client.flushall()
    await client.aclose()


async def opened(sessions: Sessions, user_id: int) -> str:
    """A token of a new session."""
    token, token_hash = sessions.new_token(user_id)
    await sessions.open(user_id, token_hash)
    return token


async def test_sessions_open_are_found_and_end_and_a_user_has_only_so_many(cache: Redis) -> None:
    sessions = Sessions(cache, lifetime_s=60, deadline_ms=DEADLINE_MS)
    for user_id in range(1, 21):
        token = await opened(sessions, user_id)
        session = await sessions.find(token)
        assert session is not None
        assert session.user_id == user_id
        await sessions.end(user_id, [session.token_hash])
        assert await sessions.find(token) is None
    tokens = [await opened(sessions, 7) for _ in range(52)]
    alive = [await sessions.find(token) is not None for token in tokens]
    assert alive == [False] * 2 + [True] * 50


async def test_a_token_under_another_users_id_opens_nothing(cache: Redis) -> None:
    sessions = Sessions(cache, lifetime_s=60, deadline_ms=DEADLINE_MS)
    secret = (await opened(sessions, 7)).partition("~")[2]
    assert await sessions.find(f"8~{secret}") is None
    assert await sessions.find(secret) is None


async def test_attempts_are_counted(cache: Redis) -> None:
    sessions = Sessions(cache, lifetime_s=60, deadline_ms=DEADLINE_MS)
    for _ in range(3):
        await sessions.count_attempt("login", "somebody", attempts_max=3, window_s=60)
    with pytest.raises(TooManyAttemptsError):
        await sessions.count_attempt("login", "somebody", attempts_max=3, window_s=60)


async def test_books_of_markets_on_all_nodes_are_replaced_changed_in_one_batch_read_and_cleared(
    cache: Redis,
) -> None:
    books = BookCache(cache)
    first = BookImage(5, b"a" * 16, 1, [(100, 1), (99, 2)], [(101, 3)])
    changes = []
    for symbol in SYMBOLS:
        generation = await books.replace(symbol, first)
        assert generation is not None
        changes.append(BookChange(symbol, generation, 5, b"a" * 16, 9, b"b" * 16, 2, {99: 0, 98: 4}, {}))
    assert [result.verdict for result in await books.apply(changes)] == [APPLIED] * len(SYMBOLS)
    await cache.script_flush()  # as a node that was started anew
    again = [c._replace(expected_seq=9, expected_hash=b"b" * 16, seq=10, hash=b"c" * 16) for c in changes]
    assert [result.verdict for result in await books.apply(again)] == [APPLIED] * len(SYMBOLS)
    pairs = [(change.symbol, change.generation) for change in changes]
    assert await books.positions(pairs) == [10] * len(SYMBOLS)
    for symbol in SYMBOLS:
        image = await books.read(symbol, 10)
        assert image == BookImage(10, b"c" * 16, 2, [(100, 1), (98, 4)], [(101, 3)])
        copy = await BookComparison(cache, SimpleNamespace())._read(symbol)  # type: ignore[arg-type]
        assert copy is not None
        assert (copy.seq, copy.bids, copy.ask_prices) == (10, {100: 1, 98: 4}, [101])
    await books.clear()
    assert [await books.read(symbol, 10) for symbol in SYMBOLS] == [None] * len(SYMBOLS)


def call_of(user_id: int, **parameters: str) -> Any:
    return SimpleNamespace(caller=SimpleNamespace(user_id=user_id), parameters=parameters)


async def test_listen_keys_live_and_end(cache: Redis) -> None:
    keys = ListenKeys(cache)
    made = {user: (await keys.create(call_of(user)))["listenKey"] for user in range(1, 16)}  # type: ignore[index]
    assert await keys.keys_of([*made, 99]) == made
    await keys.refresh()
    assert keys.are_in_use
    for user, key in made.items():
        assert await keys.create(call_of(user)) == {"listenKey": key}
        assert await keys.renew(call_of(user, listenKey=key)) == {}
        with pytest.raises(ApiError):
            await keys.close(call_of(user + 1, listenKey=key))
        assert await keys.close(call_of(user, listenKey=key)) == {}
    assert await keys.keys_of(list(made)) == {}


async def test_the_auditors_word_stops_withdrawals(cache: Redis) -> None:
    stop = WithdrawalStop(cache, auditor_required=True, deadline_ms=DEADLINE_MS)
    assert await stop.reason() == "the auditor is away"
    beat = Heartbeat(1, time.time_ns() // 1_000_000, AUDITING, lag_ms=0, lag_records=0, compared_age_ms=0)
    await cache.set(HEARTBEAT_KEY, msgspec.json.encode(beat))
    assert await stop.reason() is None
    await cache.set(RED_KEY, "{}")
    assert await stop.reason() == "the auditor found a fault in the books"


async def test_what_is_published_through_one_node_is_heard_through_every_other(
    nodes: Nodes, cache: Redis
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        heard = []
        for url in nodes.urls:
            client = open_cache(settings_of(url, cluster=True))
            stack.push_async_callback(client.aclose)
            subscription = client.pubsub(ignore_subscribe_messages=True)
            stack.push_async_callback(subscription.aclose)
            await subscription.subscribe(REVOKED_CHANNEL, *map(channel_of, "abc"))
            heard.append(subscription)
        digest = hashlib.sha256(b"key").digest()
        await announce_revocation(cache, digest, DEADLINE_MS)
        pipeline = cache.pipeline(transaction=False)
        for name in "abc":
            pipeline.execute_command("PUBLISH", channel_of(name), name)
        await pipeline.execute()
        for subscription in heard:
            found: set[tuple[str, str]] = set()
            async with asyncio.timeout(10):
                while len(found) < 4:
                    message = await subscription.get_message(timeout=1)
                    if message is not None:
                        found.add((message["channel"].decode(), message["data"].decode()))
            assert found == {(REVOKED_CHANNEL, digest.hex()), *((channel_of(n), n) for n in "abc")}


@contextlib.asynccontextmanager
async def tls_in_front_of(url: str, folder: Path) -> AsyncIterator[str]:
    """The address of a door that speaks TLS and passes all on to the server at `url`."""
    files = certificates.make(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    target = int(url.rpartition(":")[2].partition("/")[0])

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)

        async def one_way(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(one_way(reader, there_writer), one_way(there_reader, writer))

    server = await asyncio.start_server(passed_on, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={files.authority}"


async def test_an_address_that_asks_for_tls_gets_tls_and_nothing_less(
    valkey_url: str, tmp_path: Path
) -> None:
    async with tls_in_front_of(valkey_url, tmp_path) as url:
        client = open_cache(settings_of(url, cluster=False))
        await client.set("a", "b")
        assert await client.get("a") == b"b"
        await client.aclose()
        stranger = open_cache(settings_of(url.partition("?")[0], cluster=False))
        with pytest.raises(CACHE_ERRORS, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.get("a")
        await stranger.aclose()


@pytest.mark.parametrize(
    ("url", "cluster"), [("127.0.0.1:6379", False), ("unix:///run/x", True), ("redis://h:1/3", True)]
)
def test_an_address_that_cannot_be_one_is_refused(url: str, cluster: bool) -> None:
    with pytest.raises(SettingsError):
        open_cache(settings_of(url, cluster=cluster))
