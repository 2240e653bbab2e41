"""accountSnapshot over a real ledger: what there was at the ends of days, and what it costs to know."""

import time
from typing import Any

import pytest

from exchange.trading.intervals import DAY_MS
from services.order.wallet import store
from services.order.wallet.days import STATEMENT
from tests.contract.test_order_history import ledger_exchange, trade
from tests.integration.query_costs import cost_of
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order

__all__ = ["ledger_exchange"]

pytestmark = pytest.mark.integration


async def snapshots(exchange: OrderExchange, user_id: int, **parameters: object) -> list[dict[str, Any]]:
    answer = await exchange.request("GET", "/sapi/v1/accountSnapshot", user_id, type="SPOT", **parameters)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["code"], body["msg"]) == (200, "")
    found: list[dict[str, Any]] = body["snapshotVos"]
    return found


def balances(day: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {row["asset"]: (row["free"], row["locked"]) for row in day["data"]["balances"]}


async def test_days_gone_by_are_reckoned_from_the_ledger(
    ledger_exchange: OrderExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deposits long ago, a trade the day before yesterday, an order today."""
    exchange, today = ledger_exchange, time.time_ns() // 1_000_000 // DAY_MS
    await trade(exchange, 1)
    await snapshots(exchange, BOB)
    async with exchange.resources.database.acquire() as connection:
        await connection.execute(
            "UPDATE ledger_entries SET time_ms = $1 WHERE time_ms >= $2",
            (today - 2) * DAY_MS + 1,
            (today - 1) * DAY_MS,
        )
    await exchange.request("POST", "/order", BOB, **limit_order("BUY", "40000", "0.1"))
    found = await snapshots(exchange, BOB)
    assert [day["updateTime"] for day in found] == [(today - n) * DAY_MS - 1_000 for n in range(6, -1, -1)]
    assert {day["type"] for day in found} == {"spot"}
    before, since = balances(found[3]), balances(found[-1])
    assert before == {"BTC": ("10.00000000", "0.00000000"), "USDT": ("1000000.00000000", "0.00000000")}
    assert since == {"BTC": ("10.09990000", "0.00000000"), "USDT": ("995000.00000000", "0.00000000")}
    assert [balances(day) for day in found] == [before] * 5 + [since] * 2
    assert len(await snapshots(exchange, BOB, limit=30)) == 30
    assert await snapshots(exchange, BOB, startTime=today * DAY_MS) == []
    for kind in ("MARGIN", "FUTURES"):
        answer = await exchange.request("GET", "/sapi/v1/accountSnapshot", BOB, type=kind)
        assert answer.json()["snapshotVos"] == []
    # No more than so many entries: what lies before them is not told, rather than told wrong.
    for most, told in ((3, (1, 0)), (2, ())):
        monkeypatch.setattr(store, "ENTRIES_LOOKED_AT_MAX", most)
        days = [day["updateTime"] for day in await snapshots(exchange, BOB)]
        assert days == [(today - n) * DAY_MS - 1_000 for n in told]


async def test_it_reads_its_own_newest_entries_alone(ledger_exchange: OrderExchange) -> None:
    await trade(ledger_exchange, 20)
    await snapshots(ledger_exchange, ALICE)
    async with ledger_exchange.resources.database.acquire() as connection:
        await connection.execute("ANALYZE")
        for mode in ("force_custom_plan", "force_generic_plan"):
            cost = await cost_of(connection, STATEMENT, (ALICE, 0, 10), mode)  # type: ignore[arg-type]
            assert cost.rows <= 60, cost.plan
        entries = "SELECT count(*) FROM ledger_entries WHERE user_id = $1"
        assert await connection.fetchval(entries, ALICE) > 100, "or there was nothing to leave alone"
