"""Promises of the projections' process over Kafka, as it is deployed."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.topics import ensure_topics
from exchange.contracts.topics import commands_topic, events_topic
from exchange.process.components import Resources
from local.servers import free_port
from services.projections.book.cache import BookCache
from services.projections.ledger.reconcile import reconcile
from tests.event_streams import RandomTrading

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DEADLINE_MS = 20_000


@asynccontextmanager
async def projections(resources: Resources, bootstrap: str, shard: int) -> AsyncIterator[int]:
    """The process with all parts; gives its port, and demands a clean end."""
    port = free_port()
    settings = resources.settings
    own = {
        "EXCHANGE_SHARD": str(shard),
        "EXCHANGE_PORT": str(port),
        "EXCHANGE_KAFKA_BOOTSTRAP": bootstrap,
        "EXCHANGE_DATABASE_DSN": settings.database_dsn.get_secret_value(),
        "EXCHANGE_CACHE_URL": settings.cache_url.get_secret_value(),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.projections", "all", env=inherited | own
    )
    try:
        yield port
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_answer(url: str, *wanted: str) -> None:
    """Poll until the answer is 200 and holds every wanted text."""
    seen = "nothing"
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
        for _ in range(300):
            try:
                answer = await client.get(url)
                seen = answer.text
                if answer.status_code == 200 and all(text in seen for text in wanted):
                    return
            except httpx.HTTPError as error:
                seen = repr(error)
            await asyncio.sleep(0.1)
    raise AssertionError(f"{url}: {seen[-2_000:]}")


async def test_process_follows_kafka_and_is_ready(resources: Resources, kafka_bootstrap: str) -> None:
    shard = uuid.uuid4().int % 1_000_000
    topics = [commands_topic(shard), events_topic(shard)]
    await ensure_topics(KafkaCluster(kafka_bootstrap, DEADLINE_MS), topics, replicas=1)
    writer = await KafkaLog(KafkaCluster(kafka_bootstrap, DEADLINE_MS), events_topic(shard)).writer()
    trading = RandomTrading(171)
    try:
        for _ in range(2):
            async with projections(resources, kafka_bootstrap, shard) as port:
                await until_answer(f"http://127.0.0.1:{port}/readyz")
                trading.run(300)
                for record in trading.stream.take_records(10):
                    await writer.append(record)
                metric = f"exchange_ledger_last_seq {float(trading.stream.seq)}"
                await until_answer(f"http://127.0.0.1:{port}/metrics", metric)
                await until_answer(
                    f"http://127.0.0.1:{port}/metrics", f"exchange_book_last_seq {float(trading.stream.seq)}"
                )
    finally:
        await writer.close()
    async with resources.database.acquire() as connection:
        assert await connection.fetchval("SELECT last_seq FROM positions") == trading.stream.seq
        assert await reconcile(connection) == []
    image = await BookCache(resources.cache).read("BTCUSDT", 5)
    assert image is not None
    assert image.bids
