"""Projections over real PostgreSQL and Valkey, with the event log in memory."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import asyncpg
import pytest
from pydantic import SecretStr

from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from services.projections.ledger.projection import LedgerProjection
from tests.at_work import PATIENT, eventually, open_resources
from tests.event_streams import START_MS, EventStream, RandomTrading


class Running:
    """Components at work; `failure()` is what one of them ended with."""

    def __init__(self, components: Sequence[Component]) -> None:
        self.components = components
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        for component in self.components:
            await component.start()
            self._tasks.append(asyncio.create_task(component.run(), name=component.name))

    async def stop(self) -> None:
        """As a shutdown does it: cancel, then let go."""
        await self.kill()
        for component in reversed(self.components):
            await component.stop()

    async def kill(self) -> None:
        """End the tasks wherever they are, without stopping anything in order."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def failure(self) -> BaseException | None:
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        return None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; what a component ended with is raised at once."""
        await eventually(lambda: self.failure() is not None or condition())
        failure = self.failure()
        if failure is not None:
            raise failure

    def problems(self) -> Mapping[str, str | None]:
        return {part: problem for c in self.components for part, problem in c.readiness().items()}


@pytest.fixture
def settings(database_dsn: str, valkey_url: str) -> Settings:
    return Settings(
        database_dsn=SecretStr(database_dsn),
        cache_url=SecretStr(valkey_url),
        **PATIENT,
        database_pool_size=4,
        auditor_required=False,
    )


@pytest.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(settings, lambda: START_MS) as opened:
        yield opened


@pytest.fixture
async def connection(resources: Resources) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the test's own."""
    opened = await asyncpg.connect(resources.settings.database_dsn.get_secret_value())
    yield opened
    await opened.close()


async def publish(resources: Resources, stream: EventStream, outcomes_per_record: int = 20) -> None:
    """Append what is new in the stream to the event log."""
    writer = await resources.event_log.writer()
    for record in stream.take_records(outcomes_per_record):
        await writer.append(record)


async def project(resources: Resources, seq: int) -> None:
    """Run a ledger until it holds `seq`."""
    ledger = LedgerProjection(resources)
    running = Running([ledger])
    await running.start()
    await running.until(lambda: ledger.last_seq >= seq)
    await running.stop()


async def project_killed_again_and_again(
    resources: Resources, trading: RandomTrading, moments: random.Random, kills: int
) -> None:
    """Trade, with a ledger that is killed at a random moment of each round; then let one come to the end."""
    for _ in range(kills):
        trading.run(100)
        running = Running([LedgerProjection(resources)])
        await running.start()
        await publish(resources, trading.stream, outcomes_per_record=5)
        await asyncio.sleep(moments.uniform(0.015, 0.06))
        await running.kill()
    await project(resources, trading.stream.seq)
