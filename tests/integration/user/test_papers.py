"""Reports and statements over the real engine and ledger: all markets, exact times, and sums that agree."""

import csv
import io
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from exchange.contracts.codes import BUY, SELL
from services.user.doors.routes import papers
from tests.at_work import eventually
from tests.integration.user.conftest import Exchange, Person, assert_problem
from tests.integration.user.test_money import place

pytestmark = pytest.mark.integration


async def rows_of(exchange: Exchange, person: Person, path: str) -> list[dict[str, str]]:
    answer = await exchange.client.get(path, headers=person.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def traded(exchange: Exchange) -> tuple[Person, Person]:
    """Two people with money, of whom one has sold half of an order to the other."""
    buyer, seller = await exchange.signed_in(), await exchange.signed_in()
    for person, asset, amount in ((buyer, "USDT", "100000"), (seller, "BTC", "1")):
        body = {"asset": asset, "amount": amount}
        assert (await exchange.client.post("/v1/deposits", json=body, headers=person.headers)).is_success
    for person, side in ((buyer, BUY), (seller, SELL)):
        await exchange.command(place(exchange, person.user_id, side, 5_000_000, 1_000))
    await eventually(lambda: exchange.ledger.last_seq == exchange.engine.shard.engine.seq)
    return buyer, seller


async def test_reports_have_what_happened_within_the_time_and_nothing_else(exchange: Exchange) -> None:
    before_ms = time.time_ns() // 1_000_000 - 60_000
    buyer, seller = await traded(exchange)
    span = f"from={before_ms}&to={before_ms + 600_000}"
    for person, side, asset in ((buyer, "BUY", "BTC"), (seller, "SELL", "USDT")):
        (order,) = await rows_of(exchange, person, f"/v1/reports/orders?{span}")
        assert (order["side"], order["status"], order["type"]) == (side, "FILLED", "LIMIT")
        (fill,) = await rows_of(exchange, person, f"/v1/reports/fills?{span}")
        assert (fill["side"], fill["feeAsset"], fill["orderId"]) == (side, asset, order["orderId"])
        assert Decimal(fill["total"]) == Decimal(order["total"]) > 0
        assert fill["role"] == ("MAKER" if side == "BUY" else "TAKER")
        entries = await rows_of(exchange, person, f"/v1/reports/ledger?{span}")
        page = (await exchange.client.get("/v1/ledger", headers=person.headers)).json()["entries"]
        assert [entry["entryId"] for entry in entries] == [str(entry["entryId"]) for entry in page]
        for kind in ("orders", "fills", "ledger"):
            early = f"/v1/reports/{kind}?from=0&to={before_ms}"
            assert await rows_of(exchange, person, early) == []
            late = f"/v1/reports/{kind}?from={before_ms + 600_000}&to={before_ms + 700_000}"
            assert await rows_of(exchange, person, late) == []


async def test_a_statement_adds_up_to_the_ledger(exchange: Exchange) -> None:
    buyer, _ = await traded(exchange)
    withdrawal = {"asset": "USDT", "amount": "10", "address": "elsewhere"}
    assert (
        await exchange.client.post("/v1/withdrawals", json=withdrawal, headers=buyer.headers)
    ).status_code == 202
    month = datetime.now(UTC).strftime("%Y-%m")
    shown = (await exchange.client.get(f"/v1/statements/{month}", headers=buyer.headers)).json()
    entries = (await exchange.client.get("/v1/ledger?limit=1000", headers=buyer.headers)).json()["entries"]
    for line in shown["lines"]:
        booked = sum(Decimal(entry["amount"]) for entry in entries if entry["asset"] == line["asset"])
        moved = sum(map(Decimal, line["movements"].values()))
        assert Decimal(line["closing"]) == Decimal(line["opening"]) + moved == booked
    assert {line["asset"] for line in shown["lines"]} == {"BTC", "USDT"}
    rows = await rows_of(exchange, buyer, f"/v1/statements/{month}?format=csv")
    assert [row["amount"] for row in rows if row["line"] == "CLOSING"] == [
        line["closing"] for line in shown["lines"]
    ]
    pdf = await exchange.client.get(f"/v1/statements/{month}?format=pdf", headers=buyer.headers)
    assert pdf.headers["content-type"] == "application/pdf"
    assert shown["lines"][0]["closing"].encode() in pdf.content
    # The month after begins where this one ends.
    year, number = map(int, month.split("-"))
    after = f"{year + number // 12}-{number % 12 + 1:02}"
    following = (await exchange.client.get(f"/v1/statements/{after}", headers=buyer.headers)).json()
    assert [line["opening"] for line in following["lines"]] == [line["closing"] for line in shown["lines"]]
    assert all(line["movements"] == {} for line in following["lines"])


async def test_a_file_that_would_be_too_long_is_refused_in_words(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(papers, "ROWS_MAX", 2)
    buyer, _ = await traded(exchange)
    now_ms = time.time_ns() // 1_000_000
    path = f"/v1/reports/ledger?from=0&to={now_ms + 600_000}"
    assert_problem(await exchange.client.get(path, headers=buyer.headers), 422)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/reports/orders",
        "/v1/reports/orders?from=x&to=1",
        "/v1/reports/nothing?from=0&to=1",
        "/v1/statements/2026-13",
        "/v1/statements/1999-01",
        "/v1/statements/2026-11?format=doc",
    ],
)
async def test_what_is_no_report_is_refused(exchange: Exchange, path: str) -> None:
    person = await exchange.signed_in()
    assert_problem(await exchange.client.get(path, headers=person.headers), 422)
    assert_problem(await exchange.client.get(path), 401)
