"""Two order services on a real Kafka, one 200 ms behind: nobody is told that his order is not there."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from exchange.adapters.files.objects import FolderStore
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.topics import ensure_topics
from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import CreditDeposit
from exchange.ports.world import Log, LogReader, LogRecord
from exchange.process.components import Resources
from exchange.process.config import Settings
from matching_engine.genesis import write_genesis
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots
from services.order.component import OrderService
from tests.event_streams import ONE
from tests.unit.order.order_exchange import (
    ALICE,
    EmptyDatabase,
    FakeCache,
    FakeCredentials,
    OrderExchange,
    limit_order,
)

pytestmark = pytest.mark.integration

DEADLINE_MS = 10_000
BEHIND_S = 0.2
ORDERS = 25


class LateLog:
    """A log whose readers get each record a while after it could be read."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        return _LateReader(await self._log.reader(offset, gather_ms))


class _LateReader:
    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        records = await self._reader.read(timeout_ms)
        if records:
            await asyncio.sleep(BEHIND_S)
        return records

    async def close(self) -> None:
        await self._reader.close()


@contextlib.asynccontextmanager
async def working(component: Any) -> AsyncIterator[None]:
    await component.start()
    task = asyncio.create_task(component.run())
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await component.stop()


async def test_who_asks_another_replica_right_after_placing_is_never_told_that_the_order_is_missing(
    kafka_bootstrap: str, tmp_path: Path
) -> None:
    cluster = KafkaCluster(kafka_bootstrap, DEADLINE_MS)
    suffix = random.getrandbits(48)
    topics = [f"commands-{suffix}", f"events-{suffix}"]
    await ensure_topics(cluster, topics, replicas=1)
    command_log, event_log = (KafkaLog(cluster, topic) for topic in topics)
    await write_genesis(command_log)
    writer = await command_log.writer()
    await writer.append(encode_commands([CreditDeposit(1, ALICE, 3, 1_000_000 * ONE, 1)]))
    await writer.close()
    settings = Settings(database_dsn=SecretStr("unused"), request_limits=False)
    engine = EngineRunner(
        command_log,
        event_log,
        Snapshots(FolderStore(tmp_path)),
        shard_number=0,
        snapshot_every_commands=10**9,
    )
    services = []
    for events in (event_log, LateLog(event_log)):
        resources = Resources(
            settings, command_log, events, cast("Any", EmptyDatabase()), cast("Any", FakeCache())
        )
        services.append(OrderService(resources, cast("Any", FakeCredentials())))
    first, second = (OrderExchange.beside(OrderExchange(), service) for service in services)
    async with working(engine), working(services[0]), working(services[1]):
        answers = []
        for number in range(ORDERS):
            order = limit_order("BUY", "100", "1", newClientOrderId=f"o{number}")
            placed = await first.request("POST", "/order", ALICE, **order)
            assert placed.status_code == 200, placed.text
            order_id = placed.json()["orderId"]
            by = {"orderId": order_id} if number % 2 else {"origClientOrderId": f"o{number}"}
            listing = asyncio.create_task(second.request("GET", "/openOrders", ALICE, symbol="BTCUSDT"))
            answer = await second.request("GET", "/order", ALICE, symbol="BTCUSDT", **by)
            answers.append((answer.status_code, answer.json().get("orderId") == order_id))
            assert order_id in [found["orderId"] for found in (await listing).json()]
        assert answers == [(200, True)] * ORDERS
        # And what is not there is denied, by both, also of the replica that is behind.
        for asked in (first, second):
            answer = await asked.request("GET", "/order", ALICE, symbol="BTCUSDT", orderId=999_999)
            assert (answer.status_code, answer.json()["code"]) == (400, -2013)
