"""Signed requests while PostgreSQL is slow, frozen, gone, or does not take our password: real servers,
stopped in earnest.

Only the account's own key is in the table; the engine and the logs are in memory.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from pydantic import SecretStr

from exchange.adapters.chosen.resources import deployed_resources
from exchange.adapters.files.key import FileKeyWrapper
from exchange.adapters.memory.log import MemoryLog
from exchange.adapters.postgres import login_watch
from exchange.adapters.postgres.pool import close_pool, open_keys_pool, open_pool
from exchange.adapters.redis.client import open_cache
from exchange.process.components import HISTORY_LEAVES, Resources
from exchange.process.config import Settings
from exchange.security.credentials import PostgresCredentials, announce_revocation, hash_api_key
from exchange.security.key_ring import KeyRing, api_secret_place
from exchange.wall_clock import clock_ms
from local.servers import free_port, postgres
from services.migrations import migrate
from tests.at_work import eventually
from tests.background import Background
from tests.tiers.servers import HASTY, servers_folder
from tests.unit.order.order_exchange import (
    ALICE,
    BOB,
    KEYS,
    SECRETS,
    OrderExchange,
    limit_order,
    running_exchange,
)

pytestmark = pytest.mark.integration

Trading = tuple[OrderExchange, PostgresCredentials]
UNAVAILABLE = (503, -1001)


class Server:
    """A PostgreSQL of the test's own, with all of its processes."""

    def __init__(self, server: postgres.Server) -> None:
        self.dsn = server.dsn
        self._pid = server.process.pid

    def send(self, number: signal.Signals) -> None:
        for process in (psutil.Process(self._pid), *psutil.Process(self._pid).children(recursive=True)):
            os.kill(process.pid, number)


@pytest.fixture
def server(background: Background) -> Iterator[Server]:
    with servers_folder() as folder:
        started = background.run(postgres.start(folder, free_port(), settings=HASTY), 120)
        server = Server(started)
        yield server
        if started.process.returncode is None:
            server.send(signal.SIGCONT)
        background.run(started.stop(), 60)


async def add_key(database: "asyncpg.Pool[asyncpg.Record]", ring: KeyRing, user_id: int) -> None:
    key_hash = hash_api_key(KEYS[user_id])
    sealed = await ring.seal(SECRETS[user_id], api_secret_place(user_id, key_hash))
    await database.execute(
        "INSERT INTO users (user_id, email, created_ms) OVERRIDING SYSTEM VALUE VALUES ($1, $2, 0)",
        user_id, f"{user_id}@example.com",
    )  # fmt: skip
    await database.execute(
        "INSERT INTO api_keys (key_hash, api_key, user_id, label, permissions, ip_allow_list, kind, "
        "secret_encrypted, created_ms) VALUES ($1, $2, $3, '', '{READ,TRADE}', '{}', 'HMAC', $4, 0)",
        key_hash, KEYS[user_id], user_id, sealed,
    )  # fmt: skip


@asynccontextmanager
async def trading(
    dsn: str, cache_url: str, folder: Path, deadline_ms: int = 3_000
) -> "AsyncIterator[tuple[OrderExchange, PostgresCredentials]]":
    """The order service with keys from the table, made as its main module makes it."""
    settings = Settings(
        database_dsn=SecretStr(dsn), cache_url=SecretStr(cache_url), database_deadline_ms=deadline_ms,
        secret_key_file=folder / "secret.key",
    )  # fmt: skip
    database, keys, cache = await open_pool(settings), await open_keys_pool(settings), open_cache(settings)
    log, wrapper = MemoryLog(clock_ms), FileKeyWrapper(settings.secret_key_file)
    resources = Resources(settings, log, log, database, cache, wrapper, database_keys=keys)
    try:
        async with database.acquire() as connection:
            await migrate(connection)
        for user_id in (ALICE, BOB):
            await add_key(database, KeyRing.from_resources(resources), user_id)
        credentials = PostgresCredentials.from_resources(resources)
        following = asyncio.create_task(credentials.run())
        await eventually(lambda: credentials._following)
        async with running_exchange(
            database, cache, credentials=credentials, database_deadline_ms=deadline_ms
        ) as exchange:
            # No ledger is written here; questions about the past shall not wait for it.
            await database.execute(
                "INSERT INTO positions VALUES (0, $1, $2, 0, 0) "
                "ON CONFLICT (shard) DO UPDATE SET last_seq = $1",
                2**62, bytes(16),
            )  # fmt: skip
            yield exchange, credentials
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await credentials.stop()
    finally:
        await cache.aclose()
        for pool in (keys, database):
            await close_pool(pool, 500)


async def place(exchange: OrderExchange, user_id: int = ALICE) -> int:
    placed = await exchange.request("POST", "/order", user_id, **limit_order("SELL", "60000", "0.1"))
    assert placed.status_code == 200, placed.text
    return int(placed.json()["orderId"])


async def cancel(exchange: OrderExchange, order_id: int, user_id: int = ALICE) -> tuple[int, Any]:
    answer = await exchange.request("DELETE", "/order", user_id, symbol="BTCUSDT", orderId=order_id)
    return answer.status_code, answer.json().get("code") or answer.json().get("status")


def forget_keys(credentials: PostgresCredentials) -> None:
    """As in a process that has just started."""
    credentials._found.clear()


async def test_hanging_reads_of_history_stand_in_nobodys_way(
    database_dsn: str, valkey_url: str, tmp_path: Path
) -> None:
    """Eight, as many as the pool has connections, and each hangs in the database."""
    blocker, watcher = await asyncpg.connect(database_dsn), await asyncpg.connect(database_dsn)
    try:
        async with trading(database_dsn, valkey_url, tmp_path, 60_000) as (exchange, credentials):
            order_id = await place(exchange)
            lock = blocker.transaction()
            await lock.start()
            await blocker.execute("LOCK TABLE orders, trades IN ACCESS EXCLUSIVE MODE")
            reads = [
                asyncio.create_task(exchange.request("GET", path, ALICE, symbol="BTCUSDT"))
                for path in ("/allOrders", "/myTrades") * 4
            ]
            hanging = 0
            while hanging < exchange.settings.database_pool_size - HISTORY_LEAVES:
                hanging = await watcher.fetchval(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
                await asyncio.sleep(0.02)
            forget_keys(credentials)
            assert await cancel(exchange, order_id) == (200, "CANCELED")
            assert not any(read.done() and read.result().status_code == 200 for read in reads)
            await lock.rollback()
            answers = {
                (r.status_code, r.json()["code"] if r.status_code != 200 else 0)
                for r in await asyncio.gather(*reads)
            }
            # Who waited a second for his turn was refused; all others have their page.
            assert answers <= {(200, 0), (503, -1008)}
            assert (200, 0) in answers
    finally:
        await watcher.close()
        await blocker.close()


@pytest.mark.parametrize("how", [pytest.param(signal.SIGSTOP, marks=pytest.mark.thorough), signal.SIGKILL])
async def test_who_was_known_goes_on_while_the_database_is_away(
    server: Server, valkey_url: str, tmp_path: Path, how: signal.Signals
) -> None:
    async with trading(server.dsn, valkey_url, tmp_path) as (exchange, credentials):
        order_id = await place(exchange)
        server.send(how)
        # Past the time for which nobody asks; the channel of revocations is heard all along.
        until_s = time.monotonic() + 6.0
        while time.monotonic() < until_s:
            await asyncio.sleep(0.5)
            another = await place(exchange)
            assert await cancel(exchange, another) == (200, "CANCELED")
        assert await cancel(exchange, order_id) == (200, "CANCELED")
        # Who was not known is told that this is not known, and nothing about the key.
        assert await cancel(exchange, order_id, BOB) == UNAVAILABLE
        history = await exchange.request("GET", "/allOrders", ALICE, symbol="BTCUSDT")
        assert (history.status_code, history.json()["code"]) == UNAVAILABLE
        # A revocation is heard, and ends the key although nothing can be read.
        await announce_revocation(exchange.cache, hash_api_key(KEYS[ALICE]), 2_000)
        await eventually(lambda: credentials._found.get(hash_api_key(KEYS[ALICE]), time.monotonic()) is None)
        assert await cancel(exchange, order_id) == UNAVAILABLE
        if how == signal.SIGSTOP:
            server.send(signal.SIGCONT)
            async with asyncio.timeout(30):
                while await cancel(exchange, order_id) == UNAVAILABLE:
                    await asyncio.sleep(0.1)
            assert await place(exchange, BOB)


async def test_a_changed_password_is_told_as_what_it_is(
    server: Server, valkey_url: str, tmp_path: Path
) -> None:
    """New connections are refused; who asks is told -1001; readiness says it; the password mends it."""
    owner = await asyncpg.connect(server.dsn)
    try:
        async with trading(server.dsn, valkey_url, tmp_path) as (exchange, credentials):
            order_id = await place(exchange)
            await owner.execute("ALTER ROLE exchange PASSWORD 'another'")
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND application_name = 'exchange'"
            )
            assert await cancel(exchange, await place(exchange)) == (200, "CANCELED")
            forget_keys(credentials)
            assert await cancel(exchange, order_id) == UNAVAILABLE
            history = await exchange.request("GET", "/allOrders", ALICE, symbol="BTCUSDT")
            assert (history.status_code, history.json()["code"]) == UNAVAILABLE
            await eventually(lambda: exchange.service.readiness()["database"] is not None)
            await owner.execute(f"ALTER ROLE exchange PASSWORD '{_password(server.dsn)}'")
            async with asyncio.timeout(30):
                while await cancel(exchange, order_id) == UNAVAILABLE:
                    await asyncio.sleep(0.1)
            await eventually(lambda: exchange.service.readiness()["database"] is None)
    finally:
        await owner.close()


async def test_a_process_that_is_not_let_in_any_more_ends_to_read_its_settings_anew(
    server: Server, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_watch, "REFUSED_S_MAX", 0.2)
    monkeypatch.setattr(login_watch, "LOOK_EVERY_S", 0.05)
    settings = Settings(database_dsn=SecretStr(server.dsn), cache_url=SecretStr(valkey_url))
    async with deployed_resources(settings) as resources:
        assert await resources.database.fetchval("SELECT 1") == 1
        await asyncio.sleep(0.5)
    owner = await asyncpg.connect(server.dsn)

    async def refused() -> None:
        async with deployed_resources(settings) as resources:
            await owner.execute("ALTER ROLE exchange PASSWORD 'another'")
            await resources.database.expire_connections()
            with pytest.raises(asyncpg.InvalidPasswordError):
                await resources.database.fetchval("SELECT 1")
            await asyncio.sleep(60)

    try:
        with pytest.raises(login_watch.LoginRefusedError):
            await refused()
    finally:
        await owner.close()


def _password(dsn: str) -> str:
    return dsn.partition("//")[2].partition("@")[0].partition(":")[2]
