"""History costs what it returns, however old the account is: counted in rows and pages that PostgreSQL reads.

The tables have the shape of a long life: a bot that filled most of them and stopped, one that reuses one name
for all its orders, traders of every day, and an account that did something once.
"""

import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from pydantic import SecretStr

from exchange.adapters.postgres.pool import close_pool, open_pool
from exchange.process.config import Settings
from exchange.process.turns import Turns
from services.migrations import migrate
from services.order.view.history import History, OrderPage, TradePage
from services.user.tables.database import Database
from services.user.tables.ledger import Ledger
from tests.background import Background
from tests.integration.query_costs import RecordingPool, cost_of

pytestmark = pytest.mark.integration

ORDERS = 120_000
YEARS_MS = 5 * 365 * 86_400_000
BORN_MS = 1_600_000_000_000
STEP_MS = YEARS_MS // ORDERS
NOW_MS = BORN_MS + ORDERS * STEP_MS
# Had nine of ten orders of the first four years; nothing since. Its name for orders is "grid-1", always.
RETIRED_BOT = 1001
# One order in a hundred, all the time; MAKER is the other side of every trade.
TRADER, MAKER = 1002, 1003
# One order, the very first.
ONCE = 1004
BTC_MARKET, QUIET_MARKET = 1, 2
LIMIT = 50
# What a page may cost: its rows twice (a buyer's half and a seller's), the ends of ranges, the inner pages of
# indexes.
ROWS_MAX = 2 * LIMIT + 40
PAGES_MAX = 3 * ROWS_MAX

_ORDERS = f"""
INSERT INTO orders
SELECT n, CASE WHEN n = 1 THEN {ONCE} WHEN n % 100 = 0 THEN {TRADER}
       WHEN n < {ORDERS} * 4 / 5 AND n % 10 > 0 THEN {RETIRED_BOT} ELSE 2000 + n % 50 END,
    CASE WHEN n % 1000 = 0 AND n < {ORDERS} / 10 THEN {QUIET_MARKET} ELSE {BTC_MARKET} END,
    CASE WHEN n < {ORDERS} * 4 / 5 AND n % 10 > 0 THEN 'grid-1' ELSE 'o' || n END,
    1, 1, 1, 5000000, 100, 0, 0, 100, 500, 0, 3, 0,
    {BORN_MS} + n * {STEP_MS}::bigint, {BORN_MS} + n * {STEP_MS}::bigint + 5,
    {BORN_MS} + n * {STEP_MS}::bigint
FROM generate_series(1, {ORDERS}) AS n
"""
# The order is the buyer's, MAKER sells: one order of a million lots, filled over all the years.
_TRADES = f"""
INSERT INTO trades
SELECT o.market_id, o.order_id, o.created_ms, o.order_id, 1, 5000000, 100, 100, 500,
    o.order_id, o.user_id, 1, 100000000 + o.order_id / 1000, {MAKER}, 1
FROM orders AS o WHERE o.user_id <> {MAKER}
"""
_MAKERS_ORDERS = f"""
INSERT INTO orders
SELECT 100000000 + n, {MAKER}, {BTC_MARKET}, 'm' || n, 2, 1, 1, 5000000, 100000, 0, 0, 100000, 500, 0, 3, 0,
    {NOW_MS} + n, {NOW_MS} + n, {NOW_MS} + n
FROM generate_series(0, {ORDERS} / 1000) AS n
"""
_ENTRIES = """
INSERT INTO ledger_entries
SELECT o.order_id * 100 + place, o.order_id, o.created_ms, o.user_id, 1 + place % 2, 1, 5, 'TRADE', 'x'
FROM orders AS o, generate_series(0, 1) AS place WHERE o.order_id < 100000000
"""
_TRANSFERS = """
INSERT INTO {table}
SELECT n, CASE WHEN n = 1 THEN 1004 ELSE 1001 END, 1, 5, {more} 1600000000000 + n
FROM generate_series(1, 50000) AS n
"""


async def _fill(connection: Any) -> None:
    for asset_id, code in ((1, "BTC"), (2, "USDT"), (3, "ETH")):
        await connection.execute("INSERT INTO assets VALUES ($1, $2, 8)", asset_id, code)
    for statement in (_ORDERS, _TRADES, _MAKERS_ORDERS, _ENTRIES):
        await connection.execute(statement, timeout=120)
    await connection.execute(_TRANSFERS.format(table="deposits", more=""), timeout=60)
    await connection.execute(_TRANSFERS.format(table="withdrawals", more="'a', 'SETTLED',"), timeout=60)
    # As autovacuum leaves them, and only VACUUM lets an index alone answer.
    await connection.execute(
        "VACUUM (ANALYZE) orders, trades, ledger_entries, deposits, withdrawals", timeout=120
    )


async def _make(dsn: str, name: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(f"CREATE DATABASE {name}", timeout=30)
    finally:
        await connection.close(timeout=10)


async def _prepare(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await migrate(connection)
        await _fill(connection)
    finally:
        await connection.close(timeout=10)


@pytest.fixture(scope="module")
def old_database(background: Background, postgres_dsn: str) -> str:
    """The DSN of a database with five years in its tables; goes with its server."""
    name = f"old_{uuid.uuid4().hex[:12]}"
    background.run(_make(postgres_dsn, name), 60)
    dsn = urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}"))
    background.run(_prepare(dsn), 300)
    return dsn


@pytest.fixture
async def pool(old_database: str) -> AsyncIterator[RecordingPool]:
    """Connections to it."""
    database = await open_pool(Settings(database_dsn=SecretStr(old_database)))
    yield RecordingPool(database)
    await close_pool(database, 5_000)


def _order_page(user_id: int, market_id: int = BTC_MARKET, **given: int) -> OrderPage:
    names = {"order_id_min", "start_ms", "end_ms"}
    return OrderPage(user_id, market_id, **{name: given.get(name) for name in sorted(names)}, limit=LIMIT)


def _trade_page(user_id: int, market_id: int = BTC_MARKET, **given: int) -> TradePage:
    names = {"order_id", "trade_id_min", "start_ms", "end_ms"}
    return TradePage(user_id, market_id, **{name: given.get(name) for name in sorted(names)}, limit=LIMIT)


_DAY_MS = 86_400_000
_WINDOWS: dict[str, dict[str, int]] = {
    "newest": {},
    "since an hour ago": {"start_ms": NOW_MS - 3_600_000},
    "since years ago": {"start_ms": BORN_MS + YEARS_MS // 2},
    "until the first day": {"end_ms": BORN_MS + _DAY_MS},
    "until now": {"end_ms": NOW_MS},
    "one old day": {"start_ms": BORN_MS + YEARS_MS // 3, "end_ms": BORN_MS + YEARS_MS // 3 + _DAY_MS},
    "the last day": {"start_ms": NOW_MS - _DAY_MS, "end_ms": NOW_MS},
    "before all": {"end_ms": BORN_MS - 1},
    "after all": {"start_ms": NOW_MS + 10 * _DAY_MS},
}
_USERS = (RETIRED_BOT, TRADER, MAKER, ONCE, 9_999)


async def _expensive(pool: RecordingPool, name: str) -> list[str]:
    """Of what was fetched: that which cost more than a page."""
    found = []
    async with pool._pool.acquire() as connection:
        for statement, arguments in pool.statements:
            for mode in ("force_custom_plan", "force_generic_plan"):
                cost = await cost_of(connection, statement, arguments, mode)
                if cost.rows > ROWS_MAX or cost.pages > PAGES_MAX:
                    found.append(f"{name}, {mode}: {cost.rows} rows, {cost.pages} pages\n{cost.plan}")
    pool.statements.clear()
    return found


async def test_a_page_of_history_costs_what_it_returns(pool: RecordingPool) -> None:
    history = History(pool, Turns(5), 0, 5.0)  # type: ignore[arg-type]
    found: list[str] = []
    for user_id in _USERS:
        for market_id in (BTC_MARKET, QUIET_MARKET):
            for name, window in _WINDOWS.items():
                await history.orders(_order_page(user_id, market_id, **window))
                found += await _expensive(pool, f"orders of {user_id} in {market_id}, {name}")
                await history.trades(_trade_page(user_id, market_id, **window))
                found += await _expensive(pool, f"trades of {user_id} in {market_id}, {name}")
            for first in (0, ORDERS // 2, ORDERS - 5):
                await history.orders(_order_page(user_id, market_id, order_id_min=first))
                await history.orders(
                    _order_page(user_id, market_id, order_id_min=first, **_WINDOWS["one old day"])
                )
                await history.trades(_trade_page(user_id, market_id, trade_id_min=first))
                found += await _expensive(pool, f"{user_id} in {market_id} from id {first}")
    assert found == []


async def test_trades_of_an_order_cost_what_they_return(pool: RecordingPool) -> None:
    history = History(pool, Turns(5), 0, 5.0)  # type: ignore[arg-type]
    found: list[str] = []
    for user_id in _USERS:
        for order_id in (1, 1_001, ORDERS - 1_000, 100_000_000, 100_000_000 + ORDERS // 1_000, 7 * 10**9):
            await history.trades(_trade_page(user_id, order_id=order_id))
            await history.trades(_trade_page(user_id, order_id=order_id, trade_id_min=ORDERS // 3))
            found += await _expensive(pool, f"trades of {user_id}'s order {order_id}")
    assert found == []


async def test_an_order_by_its_name_costs_one_row(pool: RecordingPool) -> None:
    history = History(pool, Turns(5), 0, 5.0)  # type: ignore[arg-type]
    found: list[str] = []
    for user_id, name in (
        (RETIRED_BOT, "grid-1"),
        (RETIRED_BOT, "never"),
        (TRADER, f"o{ORDERS}"),
        (ONCE, "grid-1"),
    ):
        await history.order_by_client_id(user_id, BTC_MARKET, name)
        found += await _expensive(pool, f"{user_id}'s order {name}")
    assert found == []


async def test_statements_of_an_account_cost_what_they_return(pool: RecordingPool) -> None:
    ledger = Ledger(Database(pool, 5_000), Turns(5))  # type: ignore[arg-type]
    found: list[str] = []
    for user_id in _USERS:
        for first in (0, ORDERS * 60, ORDERS * 100 - 5):
            await ledger.ledger_page(user_id, None, first, LIMIT)
            await ledger.ledger_page(user_id, 2, first, LIMIT)
            await ledger.deposits_page(user_id, first % 60_000, LIMIT)
            await ledger.withdrawals_page(user_id, first % 60_000, LIMIT)
            found += await _expensive(pool, f"{user_id}'s statements from {first}")
    assert found == []


async def test_pages_are_those_that_plain_sql_gives(pool: RecordingPool) -> None:
    """The rows of every page, against the words of the question."""
    history = History(pool, Turns(5), 0, 5.0)  # type: ignore[arg-type]
    async with pool._pool.acquire() as connection:
        for user_id in _USERS:
            for window in _WINDOWS.values():
                orders = [o.order_id for o in await history.orders(_order_page(user_id, **window))]
                assert orders == await _plainly(connection, user_id, "created_ms", window)
                trades = [t.trade_id for t in await history.trades(_trade_page(user_id, **window))]
                assert trades == await _plainly(connection, user_id, "time_ms", window)


async def _plainly(connection: Any, user_id: int, column: str, window: dict[str, int]) -> list[int]:
    is_trade = column == "time_ms"
    mine = "(buyer_user_id = $1 OR seller_user_id = $1)" if is_trade else "user_id = $1"
    key, table = ("trade_id", "trades") if is_trade else ("order_id", "orders")
    rows = await connection.fetch(
        f"SELECT {key} FROM {table} WHERE {mine} AND market_id = $2 AND {column} BETWEEN $3 AND $4 "
        f"ORDER BY {key} {'ASC' if 'start_ms' in window else 'DESC'} LIMIT {LIMIT}",
        user_id, BTC_MARKET, window.get("start_ms", 0), window.get("end_ms", 2**62),
    )  # fmt: skip
    return sorted(row[0] for row in rows)
