"""Promises of the ledger on a real PostgreSQL."""

import asyncio
import random
import time
from typing import TypeAlias

import asyncpg
import pytest

from exchange.contracts import codes
from exchange.contracts.commands import CancelOrder, CreditDeposit, PlaceOrder, ReserveWithdrawal
from exchange.contracts.events import DepositCredited, WithdrawalReserved
from exchange.log.event_tail import ChainError
from exchange.process.components import Resources
from services.projections.ledger.projection import LedgerProjection
from services.projections.ledger.reconcile import reconcile
from services.projections.ledger.store import FencedError
from services.projections.rebuild import clear_projection, fingerprints
from tests.at_work import eventually
from tests.event_streams import ONE, EngineStream, EventStream, RandomTrading
from tests.integration.projections.conftest import (
    Running,
    project,
    project_killed_again_and_again,
    publish,
)

pytestmark = pytest.mark.integration
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
ALICE, BOB, BTC, USDT = 1001, 1002, 1, 3


def order(command_id: int, user_id: int, side: int, price_ticks: int, lots: int) -> PlaceOrder:
    name = f"c{command_id}"
    return PlaceOrder(
        command_id, user_id, 1, name, side, codes.LIMIT, codes.GTC, price_ticks, lots, 0, codes.STP_NONE, 0
    )


async def balances_of(connection: Connection) -> dict[tuple[int, int], tuple[int, int]]:
    rows = await connection.fetch("SELECT * FROM balances")
    return {(r["user_id"], r["asset_id"]): (r["available_atoms"], r["held_atoms"]) for r in rows}


async def test_trade_leaves_exact_balances_orders_and_entries(
    resources: Resources, connection: Connection
) -> None:
    stream = EngineStream()
    stream.apply(CreditDeposit(1, ALICE, USDT, 1_000 * ONE, 1), CreditDeposit(2, BOB, BTC, ONE, 2))
    # 0.01 BTC for at most 50,001.00, against 0.004 BTC offered for 50,000.00.
    stream.apply(order(3, BOB, codes.SELL, 5_000_000, 400), order(4, ALICE, codes.BUY, 5_000_100, 1_000))
    await publish(resources, stream)
    await project(resources, stream.seq)

    assert await balances_of(connection) == {
        # Paid 200.00 for 0.004; 0.006 at 50,001.00 is still held: 300.006.
        (ALICE, USDT): (1_000 * ONE - 200 * ONE - 30_000_600_000, 30_000_600_000),
        (ALICE, BTC): (400_000 - 400, 0),
        (BOB, BTC): (ONE - 400_000, 0),
        (BOB, USDT): (200 * ONE - 20_000_000, 0),
    }
    rows = await connection.fetch("SELECT * FROM orders ORDER BY order_id")
    assert [(r["status"], r["executed_lots"], r["executed_quote_atoms"], r["held_atoms"]) for r in rows] == [
        (codes.FILLED, 400, 200 * ONE, 0),
        (codes.PARTIALLY_FILLED, 400, 200 * ONE, 30_000_600_000),
    ]
    fees = await connection.fetch(
        "SELECT asset_id, sum(amount_atoms)::bigint AS fees FROM ledger_entries WHERE bucket = 3 GROUP BY 1"
    )
    assert {row["asset_id"]: row["fees"] for row in fees} == {BTC: 400, USDT: 20_000_000}
    assert await connection.fetchval("SELECT count(*) FROM trades") == 1
    assert await reconcile(connection) == []

    # The rest of the older order, cancelled in a later batch, is found and changed in the table.
    stream.apply(CancelOrder(5, ALICE, 1, 2, "", "x", codes.CANCEL_ANY, 0))
    await publish(resources, stream)
    await project(resources, stream.seq)
    row = await connection.fetchrow("SELECT * FROM orders WHERE order_id = 2")
    assert row is not None
    assert (row["status"], row["close_reason"], row["held_atoms"]) == (
        codes.CANCELED,
        codes.CLOSED_BY_USER,
        0,
    )
    assert (await balances_of(connection))[ALICE, USDT] == (800 * ONE, 0)
    assert await reconcile(connection) == []


@pytest.mark.parametrize("seed", [21, 22])
async def test_random_trading_reconciles_and_equals_the_engine(
    resources: Resources, connection: Connection, seed: int
) -> None:
    print(f"seed {seed}")
    trading = RandomTrading(seed)
    ledger = LedgerProjection(resources)
    running = Running([ledger])
    await running.start()
    for _ in range(6):
        trading.run(250)
        await publish(resources, trading.stream)
        await asyncio.sleep(0.05)
    await running.until(lambda: ledger.last_seq == trading.stream.seq)
    assert not any(running.problems().values())
    await running.stop()
    accounts = trading.stream.engine.accounts
    for (user_id, asset_id), (available, held) in (await balances_of(connection)).items():
        balance = accounts.balance(user_id, asset_id)
        assert (available, held) == (balance.available, balance.held)
    open_ids = await connection.fetch("SELECT order_id FROM orders WHERE status IN (1, 2)")
    assert {row["order_id"] for row in open_ids} == {
        order.order_id for order in trading.stream.engine.orders.values()
    }
    assert await reconcile(connection) == []


async def test_redelivered_records_change_nothing(resources: Resources, connection: Connection) -> None:
    trading = RandomTrading(31)
    trading.run(300)
    await publish(resources, trading.stream)
    await project(resources, trading.stream.seq)
    before = await fingerprints(connection)
    # A stale leader repeats the newest records; a new event follows.
    writer = await resources.event_log.writer()
    for outcomes in (trading.stream.outcomes[-40:-20], trading.stream.outcomes[-20:]):
        await writer.append(trading.stream.record(outcomes))
    await connection.execute("UPDATE positions SET next_offset = 0")
    trading.stream.apply(CreditDeposit(9, ALICE, BTC, 1, 99_999))
    await publish(resources, trading.stream)
    await project(resources, trading.stream.seq)
    after = await fingerprints(connection)
    changed = {table for table in before if before[table] != after[table]}
    assert changed == {"positions", "balances", "ledger_entries", "deposits"}
    assert await reconcile(connection) == []


async def test_second_projector_is_fenced_and_writes_nothing_twice(
    resources: Resources, connection: Connection
) -> None:
    trading = RandomTrading(41)
    ledgers = [LedgerProjection(resources), LedgerProjection(resources)]
    runs = [Running([ledger]) for ledger in ledgers]
    for running in runs:
        await running.start()
    for _ in range(10):
        trading.run(30)
        await publish(resources, trading.stream)
        await asyncio.sleep(0.03)
    await eventually(lambda: max(ledger.last_seq for ledger in ledgers) == trading.stream.seq)
    await eventually(lambda: any(running.failure() for running in runs))
    failures = [failure for failure in (running.failure() for running in runs) if failure is not None]
    assert len(failures) == 1
    assert isinstance(failures[0], ExceptionGroup)
    assert failures[0].subgroup(FencedError) is not None
    for running in runs:
        await running.stop()
    assert await connection.fetchval("SELECT last_seq FROM positions") == trading.stream.seq
    assert await reconcile(connection) == []


async def test_projector_killed_at_any_moment_resumes_to_the_same_tables(
    resources: Resources, connection: Connection
) -> None:
    seed = 51
    print(f"seed {seed}")
    moments = random.Random(seed)
    trading = RandomTrading(seed)
    await project_killed_again_and_again(resources, trading, moments, 15)
    assert await reconcile(connection) == []
    interrupted = await fingerprints(connection)
    await clear_projection(connection)
    await project(resources, trading.stream.seq)
    assert await fingerprints(connection) == interrupted


async def test_lost_connections_are_survived(resources: Resources, connection: Connection) -> None:
    trading = RandomTrading(61)
    ledger = LedgerProjection(resources)
    running = Running([ledger])
    await running.start()
    for _ in range(6):
        trading.run(100)
        await publish(resources, trading.stream)
        await asyncio.sleep(0.03)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await running.until(lambda: ledger.last_seq == trading.stream.seq)
    assert running.problems() == {"ledger": None, "event_log": None}
    await running.stop()
    assert await reconcile(connection) == []


async def test_gap_on_the_log_stops_the_ledger(resources: Resources, connection: Connection) -> None:
    trading = RandomTrading(71)
    trading.run(50)
    writer = await resources.event_log.writer()
    outcomes = trading.stream.outcomes
    await writer.append(trading.stream.record(outcomes[:30]))
    await writer.append(trading.stream.record(outcomes[31:]))
    running = Running([LedgerProjection(resources)])
    await running.start()
    with pytest.raises(ExceptionGroup) as caught:
        await running.until(lambda: False)
    assert caught.group_contains(ChainError)
    await running.stop()


async def test_event_that_would_overdraw_is_refused_whole(
    resources: Resources, connection: Connection
) -> None:
    stream = EventStream()
    stream.append(DepositCredited(ALICE, BTC, 5, 1))
    await publish(resources, stream)
    await project(resources, stream.seq)
    before = await fingerprints(connection)
    stream.append(WithdrawalReserved(ALICE, BTC, 6, 1, "a"))
    await publish(resources, stream)
    running = Running([LedgerProjection(resources)])
    await running.start()
    with pytest.raises(ExceptionGroup) as caught:
        await running.until(lambda: False)
    assert caught.group_contains(asyncpg.CheckViolationError)
    await running.stop()
    assert await fingerprints(connection) == before


async def test_text_that_postgresql_cannot_hold_does_not_stop_the_ledger(
    resources: Resources, connection: Connection
) -> None:
    stream = EngineStream()
    stream.apply(CreditDeposit(1, ALICE, BTC, ONE, 1), ReserveWithdrawal(2, ALICE, BTC, 5, 1, "bc\x00q"))
    await publish(resources, stream)
    await project(resources, stream.seq)
    assert await connection.fetchval("SELECT address FROM withdrawals") == "bc\ufffdq"


async def test_reconciliation_finds_a_changed_balance(resources: Resources, connection: Connection) -> None:
    trading = RandomTrading(81)
    trading.run(100)
    await publish(resources, trading.stream)
    await project(resources, trading.stream.seq)
    await connection.execute(
        "UPDATE balances SET held_atoms = held_atoms + 1 WHERE user_id = $1 AND asset_id = 1", ALICE
    )
    found = {breach.check[:2] for breach in await reconcile(connection)}
    assert found == {"I1", "I3"}


async def test_speed_is_printed(resources: Resources, connection: Connection) -> None:
    trading = RandomTrading(91)
    trading.run(10_000)
    await publish(resources, trading.stream, outcomes_per_record=50)
    started = time.perf_counter()
    await project(resources, trading.stream.seq)
    elapsed_s = time.perf_counter() - started
    entries = await connection.fetchval("SELECT count(*) FROM ledger_entries")
    print(
        f"\nledger: {len(trading.stream.outcomes) / elapsed_s:,.0f} outcomes/s, "
        f"{trading.stream.seq / elapsed_s:,.0f} events/s, {entries / elapsed_s:,.0f} entries/s"
    )
    assert await reconcile(connection) == []


async def test_a_copy_that_hangs_ends_with_the_pools_deadline(
    resources: Resources, connection: Connection
) -> None:
    """What a batch that gets smaller on a timeout relies on: COPY obeys `command_timeout` too."""
    hasty = await asyncpg.connect(
        resources.settings.database_dsn.get_secret_value(), command_timeout=0.3, timeout=5.0
    )
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE deposits IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(20):
                with pytest.raises(TimeoutError):
                    await hasty.copy_records_to_table(
                        "deposits",
                        columns=["deposit_id", "user_id", "asset_id", "amount_atoms", "time_ms"],
                        records=[(1, 1, 1, 1, 1)],
                    )
    finally:
        await hasty.close(timeout=5.0)
