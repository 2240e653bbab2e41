"""Deposits, withdrawals and the ledger, with the real engine and the real projection."""

import asyncio
import time
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import httpx
import pytest

from exchange.contracts import codes
from exchange.contracts.commands import CreditDeposit, PlaceOrder, ReserveWithdrawal
from services.user.component import UserService
from services.user.money import transfers
from tests.at_work import eventually
from tests.integration.user.conftest import Exchange, Person, assert_problem, client_of

pytestmark = pytest.mark.integration


async def deposit(exchange: Exchange, person: Person, asset: str, amount: str) -> httpx.Response:
    body = {"asset": asset, "amount": amount}
    return await exchange.client.post("/v1/deposits", json=body, headers=person.headers)


async def withdraw(exchange: Exchange, person: Person, asset: str, amount: str) -> httpx.Response:
    body = {"asset": asset, "amount": amount, "address": "bc1qexample"}
    return await exchange.client.post("/v1/withdrawals", json=body, headers=person.headers)


async def ledger(client: httpx.AsyncClient, person: Person, **query: str | int) -> list[dict[str, object]]:
    answer = await client.get("/v1/ledger", params=query, headers=person.headers)
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, object]] = answer.json()["entries"]
    return entries


def place(exchange: Exchange, user_id: int, side: int, price_ticks: int, lots: int) -> PlaceOrder:
    command_id = time.time_ns()
    name = f"o{command_id}"
    return PlaceOrder(
        command_id, user_id, 1, name, side, codes.LIMIT, codes.GTC, price_ticks, lots, 0, codes.STP_NONE, 0
    )


async def test_a_deposit_is_credited_by_the_engine_and_stands_in_the_history(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    credited = await deposit(exchange, person, "USDT", "1000.5")
    assert credited.status_code == 201, credited.text
    deposit_id = credited.json()["depositId"]
    expected = {"depositId": deposit_id, "asset": "USDT", "amount": "1000.50000000", "status": "CREDITED"}
    assert credited.json() == expected
    history = await exchange.clients[1].get("/v1/deposits", headers=person.headers)
    shown = history.json()["deposits"]
    assert abs(shown[0].pop("time") - time.time() * 1000) < 60_000
    assert shown == [expected]


async def test_a_withdrawal_is_reserved_once_there_is_money(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    await deposit(exchange, person, "BTC", "1")
    reserved = await withdraw(exchange, person, "BTC", "0.4")
    assert reserved.status_code == 202, reserved.text
    expected = {
        "withdrawalId": reserved.json()["withdrawalId"],
        "asset": "BTC",
        "amount": "0.40000000",
        "address": "bc1qexample",
        "status": "RESERVED",
    }
    assert reserved.json() == expected
    assert_problem(await withdraw(exchange, person, "BTC", "0.60000001"), 409)
    history = (await exchange.client.get("/v1/withdrawals", headers=person.headers)).json()["withdrawals"]
    assert [{**row, "time": 0} for row in history] == [{**expected, "time": 0}]
    stranger = await exchange.signed_in()
    assert (await exchange.client.get("/v1/withdrawals", headers=stranger.headers)).json() == {
        "withdrawals": []
    }


async def test_a_hundred_withdrawals_at_once_never_take_more_than_there_is(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    await deposit(exchange, person, "USDT", "10")
    answers = await asyncio.gather(*(withdraw(exchange, person, "USDT", "1") for _ in range(100)))
    assert sorted(answer.status_code for answer in answers) == [202] * 10 + [409] * 90


async def test_the_ledger_sums_to_what_the_engine_says_right_after_each_command(exchange: Exchange) -> None:
    buyer, seller = await exchange.signed_in(), await exchange.signed_in()
    await deposit(exchange, buyer, "USDT", "100000")
    await deposit(exchange, seller, "BTC", "2")
    for _ in range(5):
        await exchange.command(place(exchange, seller.user_id, codes.SELL, 5_000_000, 2_000))
        await exchange.command(place(exchange, buyer.user_id, codes.BUY, 5_000_100, 3_000))
        await withdraw(exchange, buyer, "USDT", "1.5")
        await _until_decided(exchange)
        accounts = exchange.engine.shard.engine.accounts
        for person in (buyer, seller):
            for client in exchange.clients:
                sums: dict[tuple[object, object], Decimal] = defaultdict(Decimal)
                for entry in await ledger(client, person):
                    sums[entry["asset"], entry["bucket"]] += Decimal(str(entry["amount"]))
                for code, asset_id in _asset_ids(exchange).items():
                    balance = accounts.balance(person.user_id, asset_id)
                    available = Decimal(balance.available) / 10**8
                    held = Decimal(balance.held) / 10**8
                    assert sums[code, "AVAILABLE"] == available
                    assert sums[code, "HELD"] == held
    assert any(entry["kind"] == "TRADE" for entry in await ledger(exchange.client, buyer))


async def test_the_ledger_is_paged_in_order_and_shows_only_ones_own(exchange: Exchange) -> None:
    person, stranger = await exchange.signed_in(), await exchange.signed_in()
    for asset in ("USDT", "BTC", "USDT", "BTC", "USDT"):
        await deposit(exchange, person, asset, "3")
    await deposit(exchange, stranger, "USDT", "4")
    entries = await ledger(exchange.client, person)
    assert [entry["asset"] for entry in entries] == ["USDT", "BTC", "USDT", "BTC", "USDT"]
    ids = [int(str(entry["entryId"])) for entry in entries]
    assert ids == sorted(ids)
    assert set(entries[0]) == {"entryId", "time", "asset", "amount", "bucket", "kind", "reference"}
    assert {entry["amount"] for entry in entries} == {"3.00000000"}
    assert {entry["bucket"] for entry in entries} == {"AVAILABLE"}
    usdt = await ledger(exchange.client, person, asset="USDT")
    assert usdt == [entry for entry in entries if entry["asset"] == "USDT"]
    first = await ledger(exchange.client, person, limit=2)
    rest = await ledger(exchange.client, person, fromId=int(str(first[-1]["entryId"])) + 1)
    assert first + rest == entries


async def test_the_ledger_waits_for_the_projection_but_not_for_ever(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, idle = await exchange.signed_in(), await exchange.signed_in()
    await deposit(exchange, person, "USDT", "1")
    assert len(await ledger(exchange.client, person)) == 1
    await exchange.running.stop(exchange.ledger)
    await deposit(exchange, person, "USDT", "2")
    monkeypatch.setattr(transfers, "LEDGER_WAIT_S_MAX", 0.2)
    assert len(await ledger(exchange.client, person)) == 1
    # Longer than a client waits: who did nothing has nothing to wait for, and the others get what comes.
    monkeypatch.setattr(transfers, "LEDGER_WAIT_S_MAX", 600.0)
    assert await ledger(exchange.client, idle) == []
    asking = asyncio.create_task(ledger(exchange.clients[1], person))
    await asyncio.sleep(0.1)
    await exchange.running.start(exchange.ledger)
    assert len(await asking) == 2


async def test_without_a_faucet_deposits_are_forbidden(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    resources = exchange.resources
    closed = UserService(replace(resources, settings=resources.settings.model_copy(update={"faucet": False})))
    await exchange.running.start(closed)
    async with client_of(closed) as client:
        body = {"asset": "USDT", "amount": "1"}
        assert_problem(await client.post("/v1/deposits", json=body, headers=person.headers), 403)


async def test_when_the_engine_is_silent_the_client_learns_the_number_to_look_up(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    await exchange.running.stop(exchange.engine)
    resources = exchange.resources
    hasty = resources.settings.model_copy(update={"command_deadline_ms": 200})
    service = UserService(replace(resources, settings=hasty))
    await exchange.running.start(service)
    async with client_of(service) as client:
        body = {"asset": "USDT", "amount": "1"}
        answer = await client.post("/v1/deposits", json=body, headers=person.headers)
        assert_problem(answer, 504)
        assert answer.json()["depositId"] > 0
        # The list lacks it now and would have it later: whoever believed the list would ask again.
        for path in ("/v1/deposits", "/v1/withdrawals"):
            assert_problem(await client.get(path, headers=person.headers), 503)
        await exchange.running.start(exchange.engine)
        found = (await client.get("/v1/deposits", headers=person.headers)).json()["deposits"]
        assert [row["depositId"] for row in found] == [answer.json()["depositId"]]


async def test_numbers_of_transfers_go_on_after_the_ledger_was_rebuilt(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    database = exchange.resources.database
    used = [(await deposit(exchange, person, "USDT", "1")).json()["depositId"] for _ in range(3)]
    assert len(await ledger(exchange.client, person)) == 3
    await database.execute("ALTER SEQUENCE deposit_ids RESTART")
    service = UserService(exchange.resources)
    await exchange.running.start(service)
    async with client_of(service) as client:
        body = {"asset": "USDT", "amount": "1"}
        answer = await client.post("/v1/deposits", json=body, headers=person.headers)
    assert answer.status_code == 201
    assert answer.json()["depositId"] > max(used)


@pytest.mark.parametrize(
    ("asset", "amount"),
    [
        ("USDT", "0"),
        ("USDT", "0.000000001"),
        ("USDT", "-1"),
        ("USDT", "+1"),
        ("USDT", "1e3"),
        ("USDT", " 1"),
        ("USDT", "1\n"),
        ("USDT", "NaN"),
        ("USDT", ""),
        ("USDT", "1,5"),
        ("USDT", "\u0661"),
        ("USDT", "100000000.00000001"),
        ("USDT", "9" * 20),
        ("USDT", "9" * 400),
        ("NOPE", "1"),
        ("usdt", "1"),
        ("", "1"),
    ],
)
async def test_an_amount_that_is_none_changes_nothing(exchange: Exchange, asset: str, amount: str) -> None:
    person = await exchange.signed_in()
    before = await exchange.resources.command_log.end_offset()
    for ask in (deposit, withdraw):
        answer = await ask(exchange, person, asset, amount)
        if answer.status_code == 409:
            # A good amount, above the faucet's cap only: there is no such money to withdraw.
            assert amount == "100000000.00000001"
            continue
        assert_problem(answer, 422)
        assert answer.json()["errors"]
    sent = await exchange.sent_since(before)
    assert len(sent) <= (amount == "100000000.00000001"), sent
    assert await ledger(exchange.client, person) == []


async def _until_decided(exchange: Exchange) -> None:
    """Until the engine has decided what was sent. It may be farther: its leader's own word counts as well."""
    end = await exchange.resources.command_log.end_offset()
    await eventually(lambda: exchange.engine.shard.next_command_offset >= end)


def _asset_ids(exchange: Exchange) -> dict[str, int]:
    return {code: asset_id for asset_id, code in exchange.engine.shard.engine.asset_codes.items()}


async def test_numbers_go_on_behind_the_log_however_far_behind_it_the_ledger_is(exchange: Exchange) -> None:
    """A fresh `make run` has a past that its ledger has yet to read."""
    person = await exchange.signed_in()
    await exchange.running.stop(exchange.ledger)
    await exchange.command(
        *(CreditDeposit(number, person.user_id, 3, 500_000_000, number) for number in range(1, 6)),
        ReserveWithdrawal(6, person.user_id, 3, 1, 4, "away"),
    )
    await _until_decided(exchange)
    service = UserService(exchange.resources)
    await exchange.running.start(service)
    await eventually(lambda: not any(service.readiness().values()))
    async with client_of(service) as client:
        body: dict[str, str] = {"asset": "USDT", "amount": "1"}
        credited = await client.post("/v1/deposits", json=body, headers=person.headers)
        assert (credited.status_code, credited.json().get("depositId")) == (201, 6), credited.text
        body |= {"address": "bc1qexample"}
        reserved = await client.post("/v1/withdrawals", json=body, headers=person.headers)
        assert (reserved.status_code, reserved.json().get("withdrawalId")) == (202, 5), reserved.text
