"""`kill -9` of everything, and of each part: what was acknowledged stays, money adds up, trading goes on."""

import asyncio
import random
import time
from collections.abc import Sequence

import httpx
import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.audit import audit, check_refusals
from tests.e2e.conftest import DEPOSITS, TRADERS
from tests.e2e.journal import Journal, Load, Outcome
from tests.e2e.trader import Trader, TraderError
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.hurts, pytest.mark.timeout(900)]

SEED = 20_261_121
KILLS = 2
MANY_KILLS = 10
HEAVY_PAUSE_S = 0.01
LIGHT_PAUSE_S = 0.2
CATCH_UP_S = 60.0
RECOVERY_S = 90.0
ORDERS_AFTER_RECOVERY = 20
# Longer than a server needs to find its port taken, and to be started once more.
STEADY_S = 5.0
STACK_PARTS = [
    "nginx",
    "kafka",
    "postgres",
    "valkey",
    "engine-0",
    "engine-1",
    "order",
    "market-data",
    "user",
    "projections-ledger",
    "projections-book",
    "projections-withdrawals",
    "archive",
    "auditor",
    "notifier",
]
# What dies together in a change's tests; `make verify` kills each part alone too.
TOGETHER = {
    "a leader": ["engine-0"],
    "every server": ["nginx", "kafka", "postgres", "valkey"],
    "all that reads the log": [
        "order",
        "market-data",
        "user",
        "projections-ledger",
        "projections-book",
        "projections-withdrawals",
        "archive",
        "auditor",
        "notifier",
    ],
    "both engines": ["engine-0", "engine-1"],
}


@pytest.mark.parametrize("kills", [KILLS, pytest.param(MANY_KILLS, marks=pytest.mark.thorough)])
async def test_killed_embedded_exchange_loses_nothing_it_acknowledged(
    embedded_exchange: ExchangeProcess, kills: int
) -> None:
    print(f"seed {SEED}")
    moments = random.Random(SEED)
    traders = [Trader.sign_up(embedded_exchange.url, deposits=DEPOSITS) for _ in range(TRADERS)]
    journal = Journal()
    try:
        for round_number in range(kills):
            acknowledged = journal.count(Outcome.ACKNOWLEDGED)
            async with Load(traders, journal, SEED + round_number, HEAVY_PAUSE_S):
                await asyncio.sleep(moments.uniform(0.5, 2.0))
                await asyncio.to_thread(embedded_exchange.kill)
            assert journal.count(Outcome.ACKNOWLEDGED) > acknowledged, "the load placed no order"
            await asyncio.to_thread(embedded_exchange.start)
            eventually(lambda: audit(traders, journal, DEPOSITS), CATCH_UP_S)
            check_refusals(list(journal.orders.values()))
            print(f"kill {round_number + 1}: {journal.summary()}")
        # The next traders of this exchange add up what is theirs: they must not trade with these.
        for trader in traders:
            trader.cancel_everything()
    finally:
        close(traders)


def close(traders: Sequence[Trader]) -> None:
    for trader in traders:
        trader.close()


def test_every_part_of_the_stack_is_among_the_killed(stack_exchange: ExchangeProcess) -> None:
    assert stack_exchange.service_names() == sorted(STACK_PARTS)
    assert {part for parts in TOGETHER.values() for part in parts} == set(STACK_PARTS)


@pytest.mark.parametrize(
    "together",
    [pytest.param(name, marks=pytest.mark.thorough) if name == "a leader" else name for name in TOGETHER],
)
async def test_stack_survives_the_kill_at_once_of(
    together: str, stack_exchange: ExchangeProcess, stack_traders: list[Trader], stack_journal: Journal
) -> None:
    seed = SEED + len(TOGETHER[together])
    await survives(TOGETHER[together], seed, stack_exchange, stack_traders, stack_journal)


@pytest.mark.thorough
@pytest.mark.parametrize("part", STACK_PARTS)
async def test_stack_survives_the_kill_of(
    part: str, stack_exchange: ExchangeProcess, stack_traders: list[Trader], stack_journal: Journal
) -> None:
    seed = SEED + STACK_PARTS.index(part) + 100
    await survives([part], seed, stack_exchange, stack_traders, stack_journal)


async def survives(
    parts: Sequence[str],
    seed: int,
    stack_exchange: ExchangeProcess,
    stack_traders: list[Trader],
    stack_journal: Journal,
) -> None:
    """Kill them under load: trading goes on, each comes back and stays, and everything adds up."""
    print(f"seed {seed}")
    orders_before = len(stack_journal.orders)
    async with Load(stack_traders, stack_journal, seed, LIGHT_PAUSE_S):
        await asyncio.sleep(2.0)
        killed = time.monotonic()
        await asyncio.to_thread(kill_parts, stack_exchange, parts)
        acknowledged = stack_journal.count(Outcome.ACKNOWLEDGED)
        while stack_journal.count(Outcome.ACKNOWLEDGED) < acknowledged + ORDERS_AFTER_RECOVERY:
            waited_s = time.monotonic() - killed
            assert waited_s < RECOVERY_S, f"no trading {waited_s:.0f} s after:\n{stack_exchange.log_tail()}"
            await asyncio.sleep(0.1)
        took_s = time.monotonic() - killed
        print(f"{', '.join(parts)}: trades again after {took_s:.1f} s; {stack_journal.summary()}")
    stack_exchange.wait_ready(RECOVERY_S)
    successors = {part: stack_exchange.service_pid(part) for part in parts}
    await asyncio.sleep(STEADY_S)
    assert {part: stack_exchange.service_pid(part) for part in parts} == successors, "they do not stay up"
    eventually(lambda: audit(stack_traders, stack_journal, DEPOSITS), CATCH_UP_S)
    check_refusals(list(stack_journal.orders.values())[orders_before:])
    eventually(lambda: sign_up_works(stack_exchange.url), RECOVERY_S)


def kill_parts(stack: ExchangeProcess, parts: Sequence[str]) -> None:
    """SIGKILL to each process; returns when others have taken their places."""
    before = {part: stack.service_pid(part) for part in parts}
    for part in parts:
        assert before[part] is not None, f"there is no {part}"
        stack.kill_service(part)

    def replaced() -> None:
        for part in parts:
            now = stack.service_pid(part)
            assert now not in (None, before[part]), f"{part} was not started again:\n{stack.log_tail()}"

    eventually(replaced, RECOVERY_S)


def sign_up_works(url: str) -> None:
    try:
        Trader.sign_up(url, deposits={"USDT": "1"}).close()
    except httpx.HTTPError as error:
        raise TraderError(repr(error)) from error
