"""A server that falls silent: the exchange says so, refuses what it cannot promise, and recovers."""

import asyncio
import time

import httpx
import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.audit import audit, check_refusals
from tests.e2e.conftest import DEPOSITS
from tests.e2e.journal import Journal, Load, Outcome
from tests.e2e.trader import Trader
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.hurts, pytest.mark.timeout(600)]

SEED = 20_261_122
NOTICE_S = 45.0
RECOVERY_S = 90.0
CATCH_UP_S = 60.0
ORDERS_AFTER_RECOVERY = 20
PAUSE_S = 0.2


@pytest.mark.parametrize("server", ["kafka", "postgres", pytest.param("valkey", marks=pytest.mark.thorough)])
async def test_stack_tells_that_a_server_is_silent_and_recovers(
    server: str, stack_exchange: ExchangeProcess, stack_traders: list[Trader], stack_journal: Journal
) -> None:
    print(f"seed {SEED}")
    orders_before = len(stack_journal.orders)
    async with Load(stack_traders, stack_journal, SEED, PAUSE_S):
        await asyncio.sleep(1.0)
        began = time.monotonic()
        with stack_exchange.paused_service(server):
            parts = await readiness(stack_exchange.url, 503, NOTICE_S)
            print(f"{server}: noticed after {time.monotonic() - began:.1f} s: {parts}")
        began = time.monotonic()
        await readiness(stack_exchange.url, 200, RECOVERY_S)
        acknowledged = stack_journal.count(Outcome.ACKNOWLEDGED)
        while stack_journal.count(Outcome.ACKNOWLEDGED) < acknowledged + ORDERS_AFTER_RECOVERY:
            assert time.monotonic() - began < RECOVERY_S, f"no trading:\n{stack_exchange.log_tail()}"
            await asyncio.sleep(0.1)
        print(f"{server}: ready after {time.monotonic() - began:.1f} s; {stack_journal.summary()}")
    eventually(lambda: audit(stack_traders, stack_journal, DEPOSITS), CATCH_UP_S)
    check_refusals(list(stack_journal.orders.values())[orders_before:])


async def readiness(url: str, wanted: int, deadline_s: float) -> dict[str, str]:
    """Wait for this answer of /readyz; return what it says of the parts that are not well."""
    give_up = time.monotonic() + deadline_s
    answer = "none"
    async with httpx.AsyncClient(timeout=10.0, trust_env=False) as client:
        while time.monotonic() < give_up:
            try:
                response = await client.get(f"{url}/readyz")
            except httpx.HTTPError as error:
                answer = repr(error)
            else:
                answer = response.text
                if response.status_code == wanted:
                    return {name: text for name, text in response.json()["parts"].items() if text != "ok"}
            await asyncio.sleep(0.2)
    raise AssertionError(f"/readyz was not {wanted} within {deadline_s:g} s: {answer[:1000]}")
