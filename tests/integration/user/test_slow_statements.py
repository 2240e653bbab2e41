"""Statements that hang in the database stand in nobody's way: keys are made and revoked, people log in."""

import asyncio

import asyncpg
import pytest

from exchange.process.components import HISTORY_LEAVES
from tests.integration.user.conftest import Exchange

pytestmark = pytest.mark.integration


async def test_hanging_statements_stand_in_nobodys_way(exchange: Exchange) -> None:
    settings = exchange.resources.settings
    person = await exchange.signed_in()
    dsn = settings.database_dsn.get_secret_value()
    blocker, watcher = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        lock = blocker.transaction()
        await lock.start()
        await blocker.execute("LOCK TABLE ledger_entries IN ACCESS EXCLUSIVE MODE")
        # On one replica, whose connections they would all take.
        reads = [
            asyncio.create_task(exchange.client.get("/v1/ledger", headers=person.headers))
            for _ in range(settings.database_pool_size)
        ]
        hanging = 0
        while hanging < settings.database_pool_size - HISTORY_LEAVES:
            hanging = await watcher.fetchval(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            await asyncio.sleep(0.02)
        body = {"label": "bot", "permissions": ["READ"]}
        created = await exchange.client.post("/v1/api-keys", json=body, headers=person.headers)
        assert created.status_code == 201
        path = f"/v1/api-keys/{created.json()['apiKey']}"
        assert (await exchange.client.delete(path, headers=person.headers)).status_code == 204
        await exchange.signed_in()
        assert not any(read.done() and read.result().status_code == 200 for read in reads)
        await lock.rollback()
        answers = await asyncio.gather(*reads)
        told = {
            (a.status_code, a.json().get("type", "").rpartition(":")[2].rpartition("/")[2]) for a in answers
        }
        # Who waited a second for his turn was refused; all others have their page.
        assert (200, "") in told
        assert told <= {(200, ""), (503, "overloaded")}
    finally:
        await watcher.close()
        await blocker.close()
