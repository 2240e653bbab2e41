"""`make aged` at the smallest scale: it fills, serves, asks and reports."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from exchange.process.config import Settings
from loadtest.aged import asking
from loadtest.aged.__main__ import SERVICES, measure
from loadtest.aged.filling import begin_exchange, fill
from loadtest.aged.plans import Statement, plan_of, statements_of
from loadtest.aged.shape import STEPS_MS, Scale

pytestmark = pytest.mark.integration

TRADES = 3_000
# The longest pages have 1,000 rows, of which myTrades reads two halves; a few more for their bounds.
ROWS_MAX = 2_100


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: PostgreSQL may run as another user."""
    made = Path(tempfile.mkdtemp(prefix="exchange-aged-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.slow
async def test_an_aged_exchange_is_filled_served_asked_and_reported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "REPEATS", 1)
    told: list[str] = []
    scale = Scale(TRADES, time.time_ns() // 1_000_000)
    report = await measure(scale, folder, tmp_path, "aged-test", told.append)
    assert any("3,000 of 3,000 trades" in text for text in told)
    whole = json.loads(report.with_suffix(".json").read_text())
    assert set(whole["services"]) == set(SERVICES)
    assert all(service["ready_bytes"] > 2**20 for service in whole["services"].values())
    assert whole["filled"]["rows"]["trades"] == TRADES
    assert len(whole["requests"]) >= 20
    for request in whole["requests"]:
        assert request["bytes"] > 0
        assert sum(plan["rows"] for plan in request["plans"]) <= ROWS_MAX, request
    asked = {request["name"]: request for request in whole["requests"]}
    for name in ("allOrders, newest 500", "myTrades of an old order", "ledger, from the first entry"):
        assert sum(plan["rows"] for plan in asked[name]["plans"]) > 0, name
    text = report.read_text()
    assert all(f"| {name} |" in text for name in asked)
    assert report.with_suffix(".svg").stat().st_size > 1_000


async def test_the_rows_are_such_as_the_exchange_writes(
    folder: Path, database_dsn: str, valkey_url: str
) -> None:
    settings = Settings(
        database_dsn=SecretStr(database_dsn), cache_url=SecretStr(valkey_url), data_dir=folder
    )
    await begin_exchange(settings, folder / "log")
    scale = Scale(TRADES, time.time_ns() // 1_000_000)
    filled = await fill(settings.database_dsn, scale, lambda _: None)
    assert filled.rows["ledger_entries"] == 8 * TRADES
    connection = await asyncpg.connect(database_dsn)
    try:
        for question, answer in (
            ("SELECT count(*) FROM (SELECT seq FROM ledger_entries GROUP BY seq, asset_id "
             "HAVING sum(amount_atoms) <> 0) AS wrong", 0),
            ("SELECT count(*) FROM (SELECT "
             "time_ms < lag(time_ms) OVER (PARTITION BY market_id ORDER BY trade_id) "
             "OR trade_id <> 1 + coalesce(lag(trade_id) OVER (PARTITION BY market_id ORDER BY trade_id), 0) "
             "AS is_wrong FROM trades) AS t WHERE is_wrong", 0),
            ("SELECT count(*) FROM (SELECT created_ms < lag(created_ms) OVER (ORDER BY order_id) AS is_wrong "
             "FROM orders) AS o WHERE is_wrong", 0),
            ("SELECT count(*) FROM trades AS t JOIN orders AS b ON b.order_id = buyer_order_id "
             "JOIN orders AS s ON s.order_id = seller_order_id WHERE b.user_id = buyer_user_id "
             "AND s.user_id = seller_user_id AND b.side = 1 AND s.side = 2", TRADES),
            ("SELECT sum(last_id - first_id + 1)::bigint FROM candles", len(STEPS_MS) * TRADES),
            ("SELECT count(*) FROM pg_index WHERE NOT indisvalid", 0),
        ):  # fmt: skip
            assert await connection.fetchval(question) == answer, question
        indexes = await connection.fetch("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
        assert {"orders_by_time", "orders_open", "trades_by_seller_order"} <= {row[0] for row in indexes}
    finally:
        await connection.close()


async def test_statements_of_a_log_are_planned_with_their_parameters(database_dsn: str) -> None:
    log = (
        "\x1eLOG:  duration: 0.1 ms  parse <unnamed>: SELECT $1::text, $2::int\n"
        "\x1eLOG:  duration: 0.1 ms  bind <unnamed>: SELECT $1::text, $2::int\n"
        "\x1eDETAIL:  Parameters: $1 = 'it''s', $2 = '5'\n"
        "\x1eLOG:  duration: 0.2 ms  execute <unnamed>: SELECT $1::text,\n\t$2::int\n"
        "\x1eDETAIL:  Parameters: $1 = 'it''s', $2 = NULL\n"
        "\x1eLOG:  duration: 0.2 ms  execute <unnamed>: SELECT 1\n"
        "2026-11-29 16:00:00 UTC [7] LOG:  checkpoint starting\n"
        "\x1eLOG:  duration: 0.2 ms  statement: SELECT relname FROM pg_class\n"
        "2026-11-29 16:00:00 UTC [7] LOG:  received SIGHUP\n"
    )
    found = statements_of(log)
    assert found == [
        Statement("SELECT $1::text, $2::int", ("'it''s'", "NULL")),
        Statement("SELECT relname FROM pg_class", ()),
    ]
    connection = await asyncpg.connect(database_dsn)
    try:
        nothing, scan = [await plan_of(connection, statement) for statement in found]
    finally:
        await connection.close()
    assert (nothing.rows, nothing.reads) == (0, ())
    assert scan.rows > 100
    assert scan.reads == ("seq scan pg_class",)
