"""Promises of the stored candles on a real PostgreSQL: they are the trades, counted once."""

import asyncio
import random
from typing import TypeAlias

import asyncpg
import pytest

from exchange.contracts.codes import BUY
from exchange.process.components import Resources
from exchange.trading.candles import STEPS_MS
from services.projections.ledger import candle_backfill
from services.projections.ledger.candle_backfill import fold_step, unfolded
from services.projections.ledger.projection import LedgerProjection
from services.projections.ledger.reconcile import reconcile
from services.projections.rebuild import clear_projection, fingerprints
from tests.event_streams import RandomTrading, stretched
from tests.integration.projections.conftest import (
    Running,
    project,
    project_killed_again_and_again,
    publish,
)
from tests.integration.projections.test_command_lines import run

pytestmark = pytest.mark.integration
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Rows: TypeAlias = dict[tuple[int, int, int], tuple[int, ...]]


async def stored_candles(connection: Connection) -> Rows:
    found: Rows = {}
    for row in await connection.fetch("SELECT * FROM candles"):
        market_id, step_ms, open_ms, *values = row
        assert all(value == int(value) for value in values)
        found[market_id, step_ms, open_ms] = tuple(int(value) for value in values)
    return found


async def recounted_candles(connection: Connection) -> Rows:
    """Each bucket by itself from all of its trades, in the plainest way."""
    buckets: dict[tuple[int, int, int], list[asyncpg.Record]] = {}
    for trade in await connection.fetch("SELECT * FROM trades ORDER BY market_id, trade_id"):
        for step_ms in STEPS_MS:
            key = (trade["market_id"], step_ms, trade["time_ms"] // step_ms * step_ms)
            buckets.setdefault(key, []).append(trade)
    counted: Rows = {}
    for key, trades in buckets.items():
        prices = [trade["price_ticks"] for trade in trades]
        bought = [trade for trade in trades if trade["taker_side"] == BUY]
        counted[key] = (
            *(prices[0], max(prices), min(prices), prices[-1]),
            *(sum(trade[name] for trade in trades) for name in ("quantity_lots", "quote_atoms")),
            *(sum(trade[name] for trade in bought) for name in ("quantity_lots", "quote_atoms")),
            *(trades[0]["trade_id"], trades[-1]["trade_id"]),
        )
    return counted


async def check_candles(connection: Connection, trades_min: int) -> None:
    """Equal to a recount, and not of nothing."""
    assert await connection.fetchval("SELECT count(*) FROM trades") >= trades_min
    assert await stored_candles(connection) == await recounted_candles(connection)


async def forget_candles(connection: Connection) -> None:
    """As a database is that had trades before it had candles, and a projection that knows of none."""
    await connection.execute("TRUNCATE candles, candle_folds")


@pytest.mark.parametrize("seed", [301, 302, 303])
async def test_candles_equal_a_recount_however_the_trades_were_batched(
    resources: Resources, connection: Connection, seed: int
) -> None:
    print(f"seed {seed}")
    pick = random.Random(seed)
    trading = RandomTrading(seed)
    trading.run(2_000)
    stream = stretched(trading, gap_ms=pick.choice((70, 900, 61_003, 4_000_037)))
    ledger = LedgerProjection(resources)
    running = Running([ledger])
    await running.start()
    writer = await resources.event_log.writer()
    for record in stream.take_records(pick.randint(1, 60)):
        await writer.append(record)
        await asyncio.sleep(pick.choice((0, 0, 0.01, 0.04)))
    await running.until(lambda: ledger.last_seq == stream.seq)
    await running.stop()
    await check_candles(connection, 250)
    assert await unfolded(connection) == []


async def test_candles_survive_kills_and_repeats_and_a_replay_makes_the_same(
    resources: Resources, connection: Connection
) -> None:
    seed = 311
    print(f"seed {seed}")
    moments = random.Random(seed)
    trading = RandomTrading(seed)
    await project_killed_again_and_again(resources, trading, moments, 12)
    writer = await resources.event_log.writer()
    await writer.append(trading.stream.record(trading.stream.outcomes[-30:]))
    await connection.execute("UPDATE positions SET next_offset = 0")
    await project(resources, trading.stream.seq)
    await check_candles(connection, 250)
    interrupted = await fingerprints(connection)
    # Where a repeated record left the log is another place than in a straight replay.
    del interrupted["positions"]
    assert int(interrupted["candles"].split()[0]) > 10
    await clear_projection(connection)
    assert await connection.fetchval("SELECT count(*) FROM candles") == 0
    await project(resources, trading.stream.seq)
    replayed = await fingerprints(connection)
    del replayed["positions"]
    assert replayed == interrupted


async def test_older_trades_are_folded_in_steps_beside_new_ones(
    resources: Resources, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candle_backfill, "TRADES_PER_STEP_MAX", 40)
    monkeypatch.setattr("services.projections.ledger.projection.FOLD_LOOK_S", 0.05)
    trading = RandomTrading(321)
    trading.run(1_500)
    await publish(resources, trading.stream)
    await project(resources, trading.stream.seq)
    await forget_candles(connection)
    ledger = LedgerProjection(resources)
    running = Running([ledger])
    await running.start()
    for _ in range(20):
        trading.run(20)
        await publish(resources, trading.stream)
        await asyncio.sleep(0.03)
    await running.until(lambda: ledger.last_seq == trading.stream.seq)
    async with asyncio.timeout(30):
        while await unfolded(connection):
            await asyncio.sleep(0.02)
    # What comes now is folded with its trades again.
    trading.run(50)
    await publish(resources, trading.stream)
    await running.until(lambda: ledger.last_seq == trading.stream.seq)
    await running.stop()
    assert await unfolded(connection) == []
    await check_candles(connection, 250)


async def test_a_step_reads_a_bounded_number_of_trades_and_two_at_once_count_none_twice(
    resources: Resources, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candle_backfill, "TRADES_PER_STEP_MAX", 50)
    trading = RandomTrading(331)
    trading.run(1_000)
    await publish(resources, trading.stream)
    await project(resources, trading.stream.seq)
    await forget_candles(connection)
    behind = await unfolded(connection)
    assert [market.folded_id for market in behind] == [0, 0]

    async def step() -> int:
        async with resources.database.acquire() as other:
            return await fold_step(other, behind[0])

    done = await asyncio.gather(step(), step(), step())
    assert sorted(done) == [0, 0, 50]
    # Half of it is kept: who goes on does so behind it.
    again = await unfolded(connection)
    assert (again[0].folded_id, again[0].newest_id) == (50, behind[0].newest_id)
    while again:
        assert 0 < await fold_step(connection, again[0]) <= 50
        again = await unfolded(connection)
    await check_candles(connection, 150)


async def test_the_command_folds_all_there_is(resources: Resources, connection: Connection) -> None:
    trading = RandomTrading(335)
    trading.run(700)
    await publish(resources, trading.stream)
    await project(resources, trading.stream.seq)
    await forget_candles(connection)
    dsn = resources.settings.database_dsn.get_secret_value()
    for told in ("market 1: trade 0 of", "all trades are in the candles"):
        code, output = await run("services.projections.ledger.candle_backfill", dsn)
        assert (code, told in output) == (0, True), output
    await check_candles(connection, 100)


async def test_reconciliation_finds_a_candle_that_is_not_its_trades(
    resources: Resources, connection: Connection
) -> None:
    trading = RandomTrading(341)
    trading.run(800)
    stream = stretched(trading, gap_ms=61_003)
    await publish(resources, stream)
    await project(resources, stream.seq)
    assert await reconcile(connection) == []
    for step_ms in STEPS_MS:
        for change in (
            "quote_atoms = quote_atoms + 1",
            "high_ticks = high_ticks + 1",
            "taker_lots = quantity_lots + 1 - taker_lots, quantity_lots = quantity_lots + 1",
            "close_ticks = open_ticks, low_ticks = 1, high_ticks = 2 * high_ticks",
        ):
            work = connection.transaction(isolation="repeatable_read")
            await work.start()
            await connection.execute(
                f"UPDATE candles SET {change} WHERE step_ms = $1 AND market_id = 1", step_ms
            )
            found = {breach.check for breach in await reconcile(connection)}
            assert found == {"C1 candles are what was traded"}, (step_ms, change)
            await work.rollback()
    for step_ms in STEPS_MS:
        work = connection.transaction(isolation="repeatable_read")
        await work.start()
        await connection.execute(
            "DELETE FROM candles WHERE step_ms = $1 AND market_id = 1 AND open_ms IN "
            "(SELECT max(open_ms) FROM candles WHERE step_ms = $1 AND market_id = 1)",
            step_ms,
        )
        assert "C2 candles reach the newest trade" in {breach.check for breach in await reconcile(connection)}
        await work.rollback()
    assert await reconcile(connection) == []
