"""Promises of the notifier's process: it starts, tells, answers and ends, also while Kafka is away."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import msgspec
import pytest

from exchange.process.components import Resources
from exchange.process.config import Settings
from exchange.security import audit_log
from exchange.security.audit_log import Act
from local.servers import free_port
from services.notifier.notices import Notice
from tests.at_work import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def told(folder: Path) -> list[Notice]:
    path = folder / "notices.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [Notice.decode(msgspec.json.decode(line)["body"]) for line in lines]


async def until_begun(resources: Resources) -> None:
    for _ in range(600):
        if await resources.database.fetchval("SELECT count(*) FROM notice_positions WHERE source = 'logins'"):
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the notifier never began")


async def test_a_login_is_told_while_kafka_is_away(settings: Settings, resources: Resources) -> None:
    port = free_port()
    own = {
        "EXCHANGE_PORT": str(port),
        "EXCHANGE_DATA_DIR": str(settings.data_dir),
        "EXCHANGE_DATABASE_DSN": settings.database_dsn.get_secret_value(),
        "EXCHANGE_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "EXCHANGE_LOG_DEADLINE_MS": "1000",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notifier.main", env=inherited | own
    )
    try:
        await until_begun(resources)
        async with resources.database.acquire() as connection, connection.transaction():
            await audit_log.append(connection, Act("log-in", 1001, "192.0.2.7", 5, {"email": "a@b.c"}))
        await eventually(lambda: bool(told(settings.data_dir)))
        assert [(n.notice_id, n.user_id, n.fields) for n in told(settings.data_dir)] == [
            ("login.1", 1001, {"ip": "192.0.2.7"})
        ]
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
            base = f"http://127.0.0.1:{port}"
            assert (await client.get(f"{base}/healthz")).status_code == 200
            # What was told is deleted from the queue before the worker says that all is well.
            async with asyncio.timeout(20):
                while True:
                    ready = await client.get(f"{base}/readyz")
                    assert ready.status_code == 503
                    parts = ready.json()["parts"]
                    if parts["notices-worker"] == "ok":
                        break
                    await asyncio.sleep(0.05)
            assert parts["notices-logins"] == parts["notices-worker"] == "ok"
            assert parts["notices-events"] != "ok"
            metrics = (await client.get(f"{base}/metrics")).text
        assert 'exchange_notices_queued_total{kind="LOGIN"} 1.0' in metrics
        assert 'exchange_notices_sent_total{kind="LOGIN"} 1.0' in metrics
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert await resources.database.fetchval("SELECT count(*) FROM message_queue") == 0
