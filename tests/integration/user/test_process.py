"""The user service as a process of its own, on real Kafka."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg
import httpx
import pytest

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.topics import ensure_topics
from exchange.contracts.topics import commands_topic, events_topic
from local.servers import free_port
from matching_engine.genesis import write_genesis
from services.migrations import migrate
from tests.integration.user.conftest import PASSWORD, assert_problem

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SHARD = 77


async def test_the_process_serves_over_kafka_and_ends_on_sigterm(
    database_dsn: str, valkey_url: str, kafka_bootstrap: str, tmp_path: Path
) -> None:
    topics = [commands_topic(SHARD), events_topic(SHARD)]
    await ensure_topics(KafkaCluster(kafka_bootstrap, 20_000), topics, replicas=1)
    await write_genesis(KafkaLog(KafkaCluster(kafka_bootstrap, 10_000), topics[0]))
    connection = await asyncpg.connect(database_dsn)
    await migrate(connection)
    await connection.close()
    port = free_port()
    settings = {
        "SHARD": str(SHARD),
        "PORT": str(port),
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY_FILE": str(tmp_path / "secret.key"),
        "KAFKA_BOOTSTRAP": kafka_bootstrap,
        "DATABASE_DSN": database_dsn,
        "CACHE_URL": valkey_url,
        "PEER_URLS": f"user=http://127.0.0.1:{port},engine=http://127.0.0.1:{free_port()}",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error::ResourceWarning", "-m", "services.user.main"),
        env=os.environ | {f"EXCHANGE_{name}": value for name, value in settings.items()},
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            await _until_ready(client)
            await _until_peers_are_told_apart(client)
            login = {"email": "kafka@example.com", "password": PASSWORD}
            assert (await client.post("/v1/users", json=login)).status_code == 201
            token = (await client.post("/v1/sessions", json=login)).json()["accessToken"]
            headers = {"Authorization": f"Bearer {token}"}
            ledger = await client.get("/v1/ledger", headers=headers)
            assert (ledger.status_code, ledger.json()) == (200, {"entries": []})
            assert_problem(await client.get("/v1/nothing"), 404)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_peers_are_told_apart(client: httpx.AsyncClient) -> None:
    """The answer for the whole exchange names each peer: this process is well, the engine is not there."""
    for _ in range(100):
        answer = await client.get("/readyz/exchange")
        assert answer.status_code == 503
        parts = answer.json()["parts"]
        if parts["user"] == "ok" and parts["engine"] == "does not answer: ConnectError":
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"the peers were not seen as they are: {answer.text}")


async def _until_ready(client: httpx.AsyncClient) -> None:
    for _ in range(300):
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise TimeoutError("the process did not become ready")
