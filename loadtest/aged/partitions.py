"""Whether parts would help the tables of years: the same trades in one table and in sixty parts, in one run.

`python -m loadtest.aged.partitions --trades 2000000` prints a table of ratios (ADR 0019). Parts are ranges of
ids, so that the primary key stays what it is; each has as many trades as a month.
"""

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import typer

from loadtest.aged.plans import Statement, plan_of
from loadtest.aged.shape import BUSIEST, CHUNK_TABLE, Scale, chunk_statements
from local.servers import free_port, postgres
from services.migrations import migrate

__all__ = ["measure_parts"]

PARTS: Final = 60
BATCHES: Final = 50
BATCH_ROWS: Final = 2_000
REPEATS: Final = 50
_DEADLINE_S: Final = 3_600.0
# Traded in the first month and never again.
ONCE: Final = 77
# Filled by the shape's own statement, of which only the trades are wanted here.
_TRADES_STATEMENT: Final = 2
_MARKETS: Final = """
INSERT INTO markets SELECT n, 'M' || n, 1, 2, 1000000, 1000, 10, {zeros} FROM generate_series(1, 3) AS n
"""
_PAGE: Final = """
(SELECT * FROM {table} WHERE (buyer_user_id, market_id, trade_id) >= ({user}, 1, 0)
 AND (buyer_user_id, market_id, trade_id) <= ({user}, 1, {top})
 ORDER BY buyer_user_id DESC, market_id DESC, trade_id DESC LIMIT 500)
UNION ALL
(SELECT * FROM {table} WHERE (seller_user_id, market_id, trade_id) >= ({user}, 1, 0)
 AND (seller_user_id, market_id, trade_id) <= ({user}, 1, {top})
 ORDER BY seller_user_id DESC, market_id DESC, trade_id DESC LIMIT 500)
ORDER BY trade_id DESC LIMIT 500
"""
# With plain conditions, from which PostgreSQL can tell parts that it need not open.
_PLAIN_PAGE: Final = """
SELECT * FROM {table} WHERE buyer_user_id = {user} AND market_id = 1 AND trade_id >= {first}
ORDER BY trade_id LIMIT 500
"""
_BATCH: Final = """
INSERT INTO {table}
SELECT 1, {top} + n, time_ms, seq, taker_side, price_ticks, quantity_lots, base_atoms, quote_atoms,
    buyer_order_id, buyer_user_id, buyer_fee_atoms, seller_order_id, seller_user_id, seller_fee_atoms
FROM (SELECT *, row_number() OVER () AS n FROM trades WHERE market_id = 1 LIMIT {rows}) AS copied
"""
_SCANNED: Final = re.compile(r"pages: \d+ removed, \d+ remain, (\d+) scanned")


async def measure_parts(
    connection: Any, trades: int, progress: Callable[[str], None]
) -> list[tuple[str, str, str]]:
    """Fill both and measure: (what, of the one table, of the parts). The tables must be there and empty."""
    await _fill(connection, trades, progress)
    rows: list[tuple[str, str, str]] = []
    top = int(await connection.fetchval("SELECT max(trade_id) FROM trades WHERE market_id = 1"))

    async def compare(what: str, measured: Callable[[str], Awaitable[str]]) -> None:
        progress(what)
        rows.append((what, await measured("trades"), await measured("parts")))

    def page_of(user: int) -> Callable[[str], Awaitable[str]]:
        return lambda table: _read(connection, _PAGE.format(table=table, user=user, top=top))

    await compare("newest page of the busiest account", page_of(BUSIEST))
    await compare("newest page of one that traded in the first month alone", page_of(ONCE))
    await compare(
        "page from an id of the last month, plain conditions",
        lambda table: _read(
            connection, _PLAIN_PAGE.format(table=table, user=BUSIEST, first=top - top // PARTS // 2)
        ),
    )
    await compare(
        f"{BATCHES} batches of {BATCH_ROWS:,} new trades", lambda table: _insert(connection, table, top)
    )
    await compare("vacuum after these", lambda table: _vacuum(connection, table))
    await compare("one more index", lambda table: _timed(connection, f"CREATE INDEX ON {table} (seq)"))
    progress("dropping the first month")
    month = top // PARTS
    deleted_s = await _seconds(connection, f"DELETE FROM trades WHERE market_id = 1 AND trade_id <= {month}")
    vacuumed_s = await _seconds(connection, "VACUUM trades")
    dropped_s = await _seconds(connection, "DROP TABLE parts_0")
    rows.append(("the first month goes", f"{deleted_s + vacuumed_s:.2f} s", f"{dropped_s:.2f} s"))
    return rows


async def _fill(connection: Any, trades: int, progress: Callable[[str], None]) -> None:
    scale = Scale(trades, time.time_ns() // 1_000_000)
    await connection.execute("SET maintenance_work_mem = '512MB'")
    await connection.execute("INSERT INTO assets VALUES (1, 'A', 8), (2, 'B', 8)")
    columns = await connection.fetchval(
        "SELECT count(*) FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = 'markets'"
    )
    await connection.execute(_MARKETS.format(zeros=", ".join("0" for _ in range(columns - 7))))
    definitions = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'trades' AND indexname <> 'trades_pkey'"
    )
    for row in definitions:
        await connection.execute(f"DROP INDEX {row['indexname']}")
    await connection.execute(CHUNK_TABLE)
    for first in range(0, trades, 100_000):
        for statement in chunk_statements(scale, first, min(first + 100_000, trades) - 1)[
            : _TRADES_STATEMENT + 1
        ]:
            await connection.execute(statement)
        progress(f"{min(first + 100_000, trades):,} trades")
    month = trades // 2 // PARTS
    await connection.execute(
        f"UPDATE trades SET buyer_user_id = {ONCE} WHERE market_id = 1 AND trade_id < 20"
    )
    await connection.execute(
        "CREATE TABLE parts (LIKE trades, PRIMARY KEY (market_id, trade_id)) PARTITION BY RANGE (trade_id)"
    )
    for part in range(PARTS):
        upper = "MAXVALUE" if part == PARTS - 1 else str((part + 1) * month + 1)
        await connection.execute(
            f"CREATE TABLE parts_{part} PARTITION OF parts FOR VALUES FROM ({part * month + 1}) TO ({upper})"
        )
    await connection.execute("INSERT INTO parts SELECT * FROM trades")
    for row in definitions:
        progress(f"index {row['indexname']}")
        await connection.execute(row["indexdef"])
        for_parts = row["indexdef"].replace(f"INDEX {row['indexname']} ON public.trades", "INDEX ON parts")
        await connection.execute(for_parts)
    await connection.execute("VACUUM (ANALYZE) trades, parts")


async def _read(connection: Any, query: str) -> str:
    plan = await plan_of(connection, Statement(" ".join(query.split()), ()))
    times = []
    for _ in range(REPEATS):
        times.append(await _seconds(connection, query))
    return f"{sorted(times)[REPEATS // 2] * 1_000:.2f} ms, {plan.pages} pages"


async def _insert(connection: Any, table: str, top: int) -> str:
    began_s = time.perf_counter()
    for batch in range(BATCHES):
        await connection.execute(_BATCH.format(table=table, top=top + batch * BATCH_ROWS, rows=BATCH_ROWS))
    return f"{time.perf_counter() - began_s:.2f} s"


async def _vacuum(connection: Any, table: str) -> str:
    told: list[str] = []
    connection.add_log_listener(lambda _, message: told.append(str(message)))
    began_s = time.perf_counter()
    await connection.execute(f"VACUUM (VERBOSE) {table}")
    took_s = time.perf_counter() - began_s
    pages = sum(int(count) for text in told for count in _SCANNED.findall(text))
    return f"{took_s:.2f} s, {pages:,} pages"


async def _timed(connection: Any, statement: str) -> str:
    return f"{await _seconds(connection, statement):.2f} s"


async def _seconds(connection: Any, statement: str) -> float:
    began_s = time.perf_counter()
    await connection.execute(statement)
    return time.perf_counter() - began_s


async def _run(trades: int, folder: Path) -> list[tuple[str, str, str]]:
    server = await postgres.start(folder, free_port(), settings={"fsync": "off", "autovacuum": "off"})
    try:
        connection = await asyncpg.connect(server.dsn, command_timeout=_DEADLINE_S)
        try:
            await migrate(connection)
            return await measure_parts(connection, trades, lambda text: print(text, flush=True))
        finally:
            await connection.close()
    finally:
        await server.stop()


def main(
    trades: Annotated[int, typer.Option(min=12_000, help="Trades in each of the two")] = 2_000_000,
) -> None:
    """Measure one table against sixty parts."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-parts-"))
    folder.chmod(0o755)
    try:
        rows = asyncio.run(_run(trades, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n| {trades:,} trades | one table | {PARTS} parts |\n|---|---:|---:|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    typer.run(main)
