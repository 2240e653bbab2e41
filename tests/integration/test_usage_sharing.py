"""Processes that count by themselves hold a limit together, by way of a real Valkey."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from exchange.adapters.redis.client import open_cache
from exchange.contracts.errors import LimitError
from exchange.http import usage_sharing
from exchange.http.request_limits import WEIGHT, RequestLimits
from exchange.http.usage_sharing import UsageSharing
from exchange.process.config import Settings

pytestmark = pytest.mark.integration

DEADLINE_MS = 2_000
HERE = "203.0.113.7"


@pytest.fixture
async def cache(valkey_url: str) -> AsyncIterator[Redis]:
    client = open_cache(Settings(cache_url=SecretStr(valkey_url)))
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_sharing, "SHARE_EVERY_S", 0.02)


def frozen_ms() -> int:
    """The middle of a day, so that no window ends while a test fills it."""
    now_ms = time.time_ns() // 1_000_000
    return now_ms - now_ms % 86_400_000 + 43_230_000


@asynccontextmanager
async def sharing(processes: Iterable[RequestLimits], cache: Redis, deadline_ms: int) -> AsyncIterator[None]:
    """Each process shares its counts."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(UsageSharing(limits.windows, cache, deadline_ms).run()) for limits in processes
        ]
        yield
        for task in tasks:
            task.cancel()


async def eventually(limits: RequestLimits, count: int, address: str = HERE) -> None:
    async with asyncio.timeout(10):
        while True:
            if limits.weight_limit(address)["count"] == count:
                return
            await asyncio.sleep(0.01)


async def test_a_limit_holds_over_all_processes_together(cache: Redis) -> None:
    now_ms = frozen_ms()
    processes = [RequestLimits(lambda: now_ms, is_enforced=True) for _ in range(3)]
    async with sharing(processes, cache, DEADLINE_MS):
        for limits in processes:
            limits.add_weight(HERE, WEIGHT.most // 3)
        for limits in processes:
            await eventually(limits, WEIGHT.most)
            with pytest.raises(LimitError):
                limits.admit(HERE)
        for limits in processes:
            limits.reserve_orders(7, 30)
        async with asyncio.timeout(10):
            while [row["count"] for row in processes[0].order_limits(7)] != [90, 90]:
                processes[0].reserve_orders(7, 0)
                await asyncio.sleep(0.01)
    assert all([0 < await cache.pttl(name) <= 2 * 86_400_000 async for name in cache.scan_iter("usage:*")])


async def test_an_address_has_one_count_wherever_it_asks(cache: Redis) -> None:
    """Who has asked a process once is known there as he is elsewhere, also when he asks others alone."""
    now_ms = frozen_ms()
    here, there = (RequestLimits(lambda: now_ms, is_enforced=True) for _ in range(2))
    async with sharing([here, there], cache, DEADLINE_MS):
        here.add_weight(HERE, 1)
        there.add_weight(HERE, 100)
        await eventually(here, 101)
        there.add_weight(HERE, 4_000)
        await eventually(here, 4_101)


async def test_more_addresses_than_fit_one_question_are_looked_up_in_turns(
    cache: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_sharing, "_KEYS_MAX", 3)
    now_ms = frozen_ms()
    here, there = (RequestLimits(lambda: now_ms, is_enforced=True) for _ in range(2))
    addresses = [f"203.0.113.{number}" for number in range(10)]
    async with sharing([here, there], cache, DEADLINE_MS):
        for address in addresses:
            here.add_weight(address, 1)
            there.add_weight(address, 1)
        for number, address in enumerate(addresses):
            there.add_weight(address, 10 * number)
        for number, address in enumerate(addresses):
            await eventually(here, 2 + 10 * number, address)


async def test_a_process_that_starts_again_knows_what_was_used_before(cache: Redis) -> None:
    now_ms = frozen_ms()
    before, after = (RequestLimits(lambda: now_ms, is_enforced=True) for _ in range(2))
    async with sharing([before], cache, DEADLINE_MS):
        before.add_weight(HERE, 4_000)
        async with asyncio.timeout(10):
            while not await cache.keys("usage:REQUEST_WEIGHT*"):
                await asyncio.sleep(0.01)
    async with sharing([after], cache, DEADLINE_MS):
        after.add_weight(HERE, 10)
        await eventually(after, 4_010)


async def test_without_redis_each_process_goes_on_by_its_own_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_ms = frozen_ms()
    limits = RequestLimits(lambda: now_ms, is_enforced=True)
    cache = open_cache(Settings(cache_url=SecretStr("redis://127.0.0.1:9"), cache_deadline_ms=200))
    try:
        async with sharing([limits], cache, 200):
            limits.add_weight(HERE, WEIGHT.most)
            async with asyncio.timeout(10):
                while "by each process alone" not in caplog.text:
                    await asyncio.sleep(0.01)
            limits.add_weight(HERE, 5)
            await asyncio.sleep(0.3)
            assert limits.weight_limit(HERE)["count"] == WEIGHT.most + 5
            with pytest.raises(LimitError):
                limits.admit(HERE)
    finally:
        await cache.aclose()
    assert caplog.text.count("by each process alone") == 1
