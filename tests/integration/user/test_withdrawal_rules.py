"""Withdrawals: only to listed addresses, only so much in a day, and none while the auditor is not content."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from exchange.adapters.redis.client import open_cache
from exchange.contracts.audit_keys import HEARTBEAT_KEY, RED_KEY
from exchange.process.config import Settings, SettingsError
from exchange.security.withdrawal_stop import WithdrawalStop
from services.user.money.withdrawal_limits import WithdrawalLimits, parse_amounts
from tests.integration.user.conftest import Exchange, Person, assert_problem, replica

pytestmark = pytest.mark.integration
DAY_MS = 86_400_000


@asynccontextmanager
async def strict(exchange: Exchange, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a replica with the production settings, but for `changes`."""
    fields = (
        "withdrawal_allow_list", "withdrawal_address_delay_s", "withdrawal_daily_count_max",
        "withdrawal_daily_amounts_max", "auditor_required",
    )  # fmt: skip
    production = {name: Settings.model_fields[name].default for name in fields}
    async with replica(exchange, **production | {"auditor_required": False} | changes) as client:
        yield client


async def funded(exchange: Exchange) -> Person:
    person = await exchange.signed_in()
    for asset in ("USDT", "BTC"):
        body = {"asset": asset, "amount": "1000"}
        answer = await exchange.client.post("/v1/deposits", json=body, headers=person.headers)
        assert answer.status_code == 201, answer.text
    return person


async def withdraw(
    client: httpx.AsyncClient, person: Person, amount: str = "1", address: str = "home", asset: str = "USDT"
) -> httpx.Response:
    body = {"asset": asset, "amount": amount, "address": address}
    return await client.post("/v1/withdrawals", json=body, headers=person.headers)


async def list_address(
    client: httpx.AsyncClient, person: Person, address: str = "home", asset: str = "USDT"
) -> httpx.Response:
    body = {"asset": asset, "address": address, "label": "my own"}
    return await client.post("/v1/withdrawal-addresses", json=body, headers=person.headers)


async def available(exchange: Exchange, person: Person) -> list[str]:
    answer = await exchange.client.get("/v1/ledger?asset=USDT", headers=person.headers)
    return [entry["amount"] for entry in answer.json()["entries"]]


def test_production_is_strict_unless_it_is_told_otherwise() -> None:
    settings = Settings()
    assert settings.withdrawal_allow_list
    assert settings.withdrawal_address_delay_s == 86_400
    assert settings.auditor_required
    assert not settings.faucet


async def test_money_goes_only_to_listed_addresses_and_only_after_the_delay(exchange: Exchange) -> None:
    person = await funded(exchange)
    async with strict(exchange) as client:
        refused = await withdraw(client, person)
        assert_problem(refused, 403)
        assert refused.json()["type"] == "urn:exchange:problem:address-not-listed"
        listed = await list_address(client, person)
        assert listed.status_code == 201, listed.text
        shown = listed.json()
        assert shown["usableAt"] - shown["createdAt"] == DAY_MS
        assert shown | {"asset": "USDT", "address": "home", "label": "my own"} == shown
        early = await withdraw(client, person)
        assert_problem(early, 403)
        assert early.json()["type"] == "urn:exchange:problem:address-not-usable-yet"
        assert early.json()["usableAt"] == shown["usableAt"]
        assert await available(exchange, person) == ["1000.00000000"]
        await _let_time_pass(exchange, shown["addressId"])
        assert (await withdraw(client, person)).status_code == 202
        # The list is by asset, and letter by letter.
        assert_problem(await withdraw(client, person, asset="BTC"), 403)
        assert_problem(await withdraw(client, person, address="Home"), 403)


async def test_a_listing_that_was_removed_waits_anew(exchange: Exchange) -> None:
    person = await funded(exchange)
    async with strict(exchange) as client:
        first = (await list_address(client, person)).json()["addressId"]
        await _let_time_pass(exchange, first)
        path = f"/v1/withdrawal-addresses/{first}"
        assert (await client.delete(path, headers=person.headers)).status_code == 204
        assert_problem(await client.delete(path, headers=person.headers), 404)
        assert_problem(await withdraw(client, person), 403)
        second = (await list_address(client, person)).json()
        assert second["addressId"] != first
        early = await withdraw(client, person)
        assert early.json()["type"] == "urn:exchange:problem:address-not-usable-yet"
        shown = await client.get("/v1/withdrawal-addresses", headers=person.headers)
        assert shown.json() == {"withdrawalAddresses": [second]}


async def test_a_list_has_no_repeats_and_an_end(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    answers = await asyncio.gather(*(list_address(exchange.client, person) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    await exchange.resources.database.execute(
        "INSERT INTO withdrawal_addresses (user_id, asset_id, address, label, created_ms, usable_ms) "
        "SELECT $1, 1, 'a' || n, 'x', 0, 0 FROM generate_series(1, 98) n",
        person.user_id,
    )
    assert (await list_address(exchange.client, person, "hundredth")).status_code == 201
    full = await list_address(exchange.client, person, "one-too-many")
    assert_problem(full, 409)
    assert full.json()["type"] == "urn:exchange:problem:too-many-addresses"


@pytest.mark.parametrize("path", ["0", "-1", "x", "9223372036854775808", "1.5"])
async def test_an_address_id_that_is_none_is_refused(exchange: Exchange, path: str) -> None:
    person = await exchange.signed_in()
    answer = await exchange.client.delete(f"/v1/withdrawal-addresses/{path}", headers=person.headers)
    assert_problem(answer, 422)


async def test_no_more_than_the_days_count_leaves_even_when_asked_for_at_once(exchange: Exchange) -> None:
    person, other = await funded(exchange), await funded(exchange)
    async with strict(exchange, withdrawal_allow_list=False, withdrawal_daily_count_max=3) as client:
        answers = await asyncio.gather(*(withdraw(client, person) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 5
        for answer in answers:
            if answer.status_code == 429:
                assert_problem(answer, 429)
        # The limit is by user and by asset, and over a day.
        assert (await withdraw(client, other)).status_code == 202
        assert (await withdraw(client, person, asset="BTC")).status_code == 202
        await exchange.resources.database.execute(
            "UPDATE withdrawal_requests SET time_ms = time_ms - $1", DAY_MS
        )
        assert (await withdraw(client, person)).status_code == 202


async def test_no_more_than_the_days_amount_leaves(exchange: Exchange) -> None:
    person = await funded(exchange)
    changes = {"withdrawal_allow_list": False, "withdrawal_daily_amounts_max": "USDT=100"}
    async with strict(exchange, **changes) as client:
        assert (await withdraw(client, person, "60.5")).status_code == 202
        refused = await withdraw(client, person, "39.50000001")
        assert_problem(refused, 429)
        assert "100 USDT" in refused.json()["detail"]
        assert (await withdraw(client, person, "39.5")).status_code == 202
        assert_problem(await withdraw(client, person, "0.00000001"), 429)
        # Without an entry, and without one for all others, nothing leaves.
        assert_problem(await withdraw(client, person, "0.00000001", asset="BTC"), 429)


async def test_what_the_engine_refused_does_not_count(exchange: Exchange) -> None:
    person = await funded(exchange)
    changes = {"withdrawal_allow_list": False, "withdrawal_daily_count_max": 1}
    async with strict(exchange, **changes) as client:
        for _ in range(3):
            assert_problem(await withdraw(client, person, "2000"), 409)
        assert (await withdraw(client, person)).status_code == 202
        assert_problem(await withdraw(client, person), 429)


async def test_nothing_leaves_while_the_auditor_is_red_or_silent(exchange: Exchange) -> None:
    person = await funded(exchange)
    cache = exchange.resources.cache
    now_ms = time.time_ns() // 1_000_000

    async def beat(time_ms: object, **changes: object) -> None:
        value = {"time_ms": time_ms, "seq": 7, "state": "auditing", "lag_ms": 0, "lag_records": 0}
        await cache.set(HEARTBEAT_KEY, json.dumps({**value, "compared_age_ms": 0, **changes}))

    async with strict(exchange, withdrawal_allow_list=False, auditor_required=True) as client:

        async def assert_stopped() -> None:
            stopped = await withdraw(client, person)
            assert_problem(stopped, 503)
            assert stopped.json()["type"] == "urn:exchange:problem:withdrawals-stopped"

        await assert_stopped()
        for value in (now_ms - 61_000, now_ms + 70_000, 0, -1, "now", None):
            await beat(value)
            await assert_stopped()
        for text in ("", "nonsense", "[]", "{}"):
            await cache.set(HEARTBEAT_KEY, text)
            await assert_stopped()
        # Fresh, and yet nobody has looked at what happened last.
        for changes in (
            {"state": "replaying"},
            {"state": "red"},
            {"lag_ms": 3_600_000, "lag_records": 1_000_000},
            {"compared_age_ms": None},
            {"compared_age_ms": 3_600_000},
        ):
            await beat(now_ms - 5_000, **changes)
            await assert_stopped()
        await beat(now_ms - 5_000)
        assert (await withdraw(client, person)).status_code == 202
        await cache.set(RED_KEY, json.dumps({"why": "a test"}))
        await assert_stopped()
    # Red counts also where no auditor is required.
    assert_problem(await withdraw(exchange.client, person), 503)
    await cache.delete(RED_KEY)
    assert (await withdraw(exchange.client, person)).status_code == 202
    assert (await available(exchange, person)).count("-1.00000000") == 2


async def test_without_the_cache_withdrawals_are_stopped() -> None:
    cache = open_cache(Settings(cache_url=SecretStr("redis://127.0.0.1:1/0")))
    stop = WithdrawalStop(cache, auditor_required=False, deadline_ms=500)
    assert await stop.reason() == "the auditor's word cannot be read"
    await cache.aclose()


def test_limits_are_read_from_the_settings() -> None:
    assert parse_amounts("") == {}
    assert parse_amounts("BTC=10, *=5") == {"BTC": 10, "*": 5}
    limits = WithdrawalLimits(1, {"BTC": 10, "*": 5})
    assert limits.amount_atoms_max("BTC", 8) == 10 * 10**8
    assert limits.amount_atoms_max("ETH", 18) == 5 * 10**18
    assert WithdrawalLimits(1, {"BTC": 10}).amount_atoms_max("ETH", 8) == 0


@pytest.mark.parametrize("text", ["BTC", "BTC=", "=1", "BTC=-1", "BTC=1.5", "BTC=1,BTC=2", "BTC=" + "9" * 19])
def test_limits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_amounts(text)


async def _let_time_pass(exchange: Exchange, address_id: int) -> None:
    await exchange.resources.database.execute(
        "UPDATE withdrawal_addresses SET created_ms = created_ms - $1, usable_ms = usable_ms - $1 "
        "WHERE address_id = $2",
        DAY_MS,
        address_id,
    )
