"""The owner's brake on withdrawals: a link freezes at once, only the password ends it, and later."""

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest

from exchange.adapters.files.objects import FolderStore
from exchange.contracts.events import WithdrawalReserved
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots
from services.notifier.acts import ActFollower
from services.notifier.freeze_links import LIFETIME_MS, FreezeLinks
from services.notifier.notices import Notice, NoticeMaker
from services.notifier.outlet import Outlet
from services.operator.accounts import freeze_account
from services.projections.ledger.reconcile import reconcile
from services.projections.withdrawals import POLL_INTERVAL_S, WithdrawalSettler
from tests.at_work import eventually
from tests.event_streams import EventStream
from tests.integration.user.conftest import (
    PASSWORD,
    Exchange,
    Person,
    assert_problem,
    replica,
)

pytestmark = pytest.mark.integration
URL = "https://exchange.example"
NOTICE = Notice("act.1", 1001, "API_KEY_MADE", 1, {}, "An API key was made.")
SOME_ROUNDS_S = 4 * POLL_INTERVAL_S


async def funded(exchange: Exchange) -> Person:
    person = await exchange.signed_in()
    body = {"asset": "USDT", "amount": "1000"}
    answer = await exchange.client.post("/v1/deposits", json=body, headers=person.headers)
    assert answer.status_code == 201, answer.text
    return person


async def withdraw(exchange: Exchange, person: Person) -> httpx.Response:
    body = {"asset": "USDT", "amount": "1", "address": "home"}
    return await exchange.client.post("/v1/withdrawals", json=body, headers=person.headers)


async def link_of(exchange: Exchange, person: Person) -> str:
    """The token of a notice's link, made by the notifier's own code."""
    links = FreezeLinks(exchange.resources.database, 5_000, URL + "/")
    (notice,) = await links.add([replace_user(NOTICE, person.user_id)])
    url = notice.fields["freezeUrl"]
    assert url.startswith(f"{URL}/terminal/#freeze=")
    assert url in notice.text
    return url.partition("#freeze=")[2]


def replace_user(notice: Notice, user_id: int) -> Notice:
    return Notice(notice.notice_id, user_id, notice.kind, notice.time, notice.fields, notice.text)


async def freeze(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/v1/withdrawal-freezes", json={"token": token})


async def unfreeze(client: httpx.AsyncClient, person: Person, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/v1/withdrawal-unfreezes", json={"password": password}, headers=person.headers)


async def freezes(exchange: Exchange, person: Person) -> list[dict[str, object]]:
    answer = await exchange.client.get("/v1/withdrawal-freezes", headers=person.headers)
    return list(answer.json()["withdrawalFreezes"])


async def acts(exchange: Exchange) -> list[str]:
    async with exchange.resources.database.acquire() as connection:
        return [row["act"] for row in await connection.fetch("SELECT act FROM audit_log ORDER BY id")]


async def statuses(exchange: Exchange, person: Person) -> list[str]:
    answer = await exchange.client.get("/v1/withdrawals?fromId=0", headers=person.headers)
    return [row["status"] for row in answer.json()["withdrawals"]]


async def test_a_link_freezes_without_a_log_in_and_only_that_account(exchange: Exchange) -> None:
    owner, other = await funded(exchange), await funded(exchange)
    token = await link_of(exchange, owner)
    assert await freezes(exchange, owner) == []
    answer = await freeze(exchange.client, token)
    assert answer.status_code == 201
    assert set(answer.json()) == {"frozenAt"}, "whose account it is, is not told"
    for client in exchange.clients:
        body = {"asset": "USDT", "amount": "1", "address": "home"}
        refused = await client.post("/v1/withdrawals", json=body, headers=owner.headers)
        assert_problem(refused, 403)
        assert refused.json()["type"] == "urn:exchange:problem:withdrawals-frozen"
    assert (await withdraw(exchange, other)).status_code == 202
    (shown,) = await freezes(exchange, owner)
    assert (shown["source"], shown["endsAt"]) == ("OWNER", None)
    assert await freezes(exchange, other) == []
    assert "withdrawals-frozen" in await acts(exchange)
    async with exchange.resources.database.acquire() as connection:
        stored = await connection.fetchval("SELECT token_hash FROM withdrawal_freeze_tokens")
    assert token.encode() not in stored


async def test_looking_at_the_link_does_nothing(exchange: Exchange) -> None:
    """Mail scanners follow links by GET and HEAD, with whatever they find in them."""
    owner = await funded(exchange)
    token = await link_of(exchange, owner)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
        for path in (f"/v1/withdrawal-freezes?token={token}", f"/v1/withdrawal-freezes/{token}"):
            await exchange.client.request(method, path)
            await exchange.client.request(method, path, headers=owner.headers)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    await exchange.client.post("/v1/withdrawal-freezes", content=f"token={token}", headers=form)
    await exchange.client.post(f"/v1/withdrawal-freezes?token={token}")
    assert await freezes(exchange, owner) == []
    assert (await withdraw(exchange, owner)).status_code == 202


async def test_guesses_and_old_links_are_refused_alike(exchange: Exchange) -> None:
    owner = await funded(exchange)
    token = await link_of(exchange, owner)
    old = await link_of(exchange, owner)
    async with exchange.resources.database.acquire() as connection:
        await connection.execute(
            "UPDATE withdrawal_freeze_tokens SET expires_ms = expires_ms - $1 - 1 "
            "WHERE token_hash = sha256(convert_to($2, 'UTF8'))",
            LIFETIME_MS,
            old,
        )
    guesses = [
        old, token[:-1], token + "A", token.swapcase(), secrets.token_urlsafe(32), "x", " " + token,
    ]  # fmt: skip
    said = set()
    for guess in guesses:
        answer = await freeze(exchange.client, guess)
        assert_problem(answer, 403)
        said.add(answer.text)
    assert len(said) == 1, "one answer for every wrong link"
    for body in ({}, {"token": 7}, {"token": None}, {"token": ""}, {"token": token, "userId": 1}):
        assert_problem(await exchange.client.post("/v1/withdrawal-freezes", json=body), 422)
    assert await freezes(exchange, owner) == []


async def test_guesses_are_counted_by_address(exchange: Exchange) -> None:
    async with replica(exchange, rate_limits=True) as client:
        answers = [(await freeze(client, secrets.token_urlsafe(32))).status_code for _ in range(70)]
    assert answers[:60] == [403] * 60
    assert set(answers[60:]) == {429}


async def test_a_used_link_freezes_once(exchange: Exchange) -> None:
    owner = await funded(exchange)
    token = await link_of(exchange, owner)
    first = await freeze(exchange.client, token)
    assert (await freeze(exchange.client, token)).json() == first.json(), "a second click is no failure"
    async with replica(exchange, withdrawal_unfreeze_delay_s=0) as client:
        assert (await unfreeze(client, owner)).status_code == 202
    assert (await withdraw(exchange, owner)).status_code == 202
    assert_problem(await freeze(exchange.client, token), 403)
    assert (await withdraw(exchange, owner)).status_code == 202
    assert (await acts(exchange)).count("withdrawals-frozen") == 1
    # Another notice's link is another.
    assert (await freeze(exchange.client, await link_of(exchange, owner))).status_code == 201
    assert_problem(await withdraw(exchange, owner), 403)


async def test_only_the_password_ends_a_freeze_and_only_after_the_wait(exchange: Exchange) -> None:
    owner, thief = await funded(exchange), await funded(exchange)
    assert (await freeze(exchange.client, await link_of(exchange, owner))).status_code == 201
    token = await link_of(exchange, owner)
    # A link's token is no key to anything else, a session alone not either, nor another's password.
    for headers in ({}, {"Authorization": f"Bearer {token}"}):
        answer = await exchange.client.post(
            "/v1/withdrawal-unfreezes", json={"password": PASSWORD}, headers=headers
        )
        assert_problem(answer, 401)
    assert_problem(await unfreeze(exchange.client, owner, "not the password"), 401)
    assert_problem(await unfreeze(exchange.client, thief), 409)
    (shown,) = await freezes(exchange, owner)
    assert shown["endsAt"] is None
    asked = await unfreeze(exchange.client, owner)
    assert asked.status_code == 202
    again = await unfreeze(exchange.client, owner)
    assert again.json() == asked.json(), "asking again makes it neither longer nor shorter"
    (shown,) = await freezes(exchange, owner)
    assert shown["endsAt"] == asked.json()["endsAt"]
    assert int(str(shown["endsAt"])) - int(str(shown["frozenAt"])) >= 86_400_000
    assert_problem(await withdraw(exchange, owner), 403)
    # The owner sees the notice of it, and pulls the brake again.
    assert (await freeze(exchange.client, token)).status_code == 201
    assert [row["endsAt"] for row in await freezes(exchange, owner)] == [None]
    wanted = ["withdrawals-unfreeze-failed", "withdrawals-unfreeze-asked", "withdrawals-frozen"]
    assert [act for act in await acts(exchange) if act in wanted] == [
        "withdrawals-frozen", "withdrawals-unfreeze-failed", "withdrawals-unfreeze-asked",
        "withdrawals-frozen",
    ]  # fmt: skip


async def test_a_stolen_session_guesses_few_passwords(exchange: Exchange) -> None:
    owner = await funded(exchange)
    assert (await freeze(exchange.client, await link_of(exchange, owner))).status_code == 201
    async with replica(exchange, rate_limits=True) as client:
        tries = [(await unfreeze(client, owner, f"guess number {n}")).status_code for n in range(7)]
        assert tries == [401] * 5 + [429] * 2
        assert_problem(await unfreeze(client, owner), 429)


async def test_who_has_no_password_cannot_end_it(exchange: Exchange) -> None:
    owner = await funded(exchange)
    assert (await freeze(exchange.client, await link_of(exchange, owner))).status_code == 201
    async with exchange.resources.database.acquire() as connection:
        await connection.execute("UPDATE users SET password_hash = NULL WHERE user_id = $1", owner.user_id)
    assert_problem(await unfreeze(exchange.client, owner), 401)


async def test_an_operators_freeze_is_not_the_owners_to_end(exchange: Exchange) -> None:
    owner = await funded(exchange)
    async with exchange.resources.database.acquire() as connection, connection.transaction():
        await freeze_account(connection, owner.user_id, 1)
    assert_problem(await withdraw(exchange, owner), 403)
    assert_problem(await unfreeze(exchange.client, owner), 409)
    assert [row["source"] for row in await freezes(exchange, owner)] == ["OPERATOR"]


async def test_what_is_reserved_is_held_until_it_is_unfrozen(exchange: Exchange) -> None:
    """The settler of a deployed exchange, one that is stopped while the owner's mail arrives."""
    owner, other = await funded(exchange), await funded(exchange)
    assert (await withdraw(exchange, owner)).status_code == 202
    assert (await withdraw(exchange, other)).status_code == 202
    assert (await freeze(exchange.client, await link_of(exchange, owner))).status_code == 201
    settler = WithdrawalSettler(exchange.resources)
    await exchange.running.start(settler)
    async with asyncio.timeout(20):
        while await statuses(exchange, other) != ["SETTLED"]:
            await asyncio.sleep(0.02)
    await asyncio.sleep(SOME_ROUNDS_S)
    assert await statuses(exchange, owner) == ["RESERVED"]
    async with replica(exchange, withdrawal_unfreeze_delay_s=0) as client:
        assert (await unfreeze(client, owner)).status_code == 202
    async with asyncio.timeout(20):
        while await statuses(exchange, owner) != ["SETTLED"]:
            await asyncio.sleep(0.02)
    async with exchange.resources.database.acquire() as connection:
        assert await reconcile(connection) == []


async def test_a_freeze_is_confirmed_when_nothing_leaves_any_more(exchange: Exchange) -> None:
    """Also when it comes while the settler's order is on its way: then the freeze waits for that one."""
    owner = await funded(exchange)
    assert (await withdraw(exchange, owner)).status_code == 202
    token = await link_of(exchange, owner)
    await exchange.running.stop(exchange.engine)
    settler = WithdrawalSettler(exchange.resources)
    sent = await exchange.resources.command_log.end_offset()
    await exchange.running.start(settler)
    async with asyncio.timeout(20):
        while await exchange.resources.command_log.end_offset() == sent:
            await asyncio.sleep(0.01)
    freezing = asyncio.create_task(freeze(exchange.client, token))
    await asyncio.sleep(0.3)
    assert not freezing.done()
    engine = EngineRunner(
        exchange.resources.command_log,
        exchange.resources.event_log,
        Snapshots(FolderStore(exchange.resources.settings.data_dir / "fresh")),
        shard_number=0,
        snapshot_every_commands=1_000_000,
    )
    await exchange.running.start(engine)
    assert (await freezing).status_code == 201
    assert not engine.shard.engine.withdrawals, "what was on its way has left before the answer"
    sent = await exchange.resources.command_log.end_offset()
    await asyncio.sleep(SOME_ROUNDS_S)
    assert await exchange.sent_since(sent) == []


async def test_what_is_held_can_be_taken_back_exactly_once(exchange: Exchange) -> None:
    owner, other = await funded(exchange), await funded(exchange)
    withdrawal_id = (await withdraw(exchange, owner)).json()["withdrawalId"]
    assert (await freeze(exchange.client, await link_of(exchange, owner))).status_code == 201
    settler = WithdrawalSettler(exchange.resources)
    await exchange.running.start(settler)
    path = f"/v1/withdrawals/{withdrawal_id}"
    assert_problem(await exchange.client.delete(path), 401)
    assert_problem(await exchange.client.delete(path, headers=other.headers), 404)
    assert_problem(await exchange.client.delete("/v1/withdrawals/987654", headers=owner.headers), 404)
    taken = await asyncio.gather(
        *(client.delete(path, headers=owner.headers) for client in exchange.clients for _ in range(3))
    )
    assert sorted(answer.status_code for answer in taken) == [200, *[422] * 5]
    (done,) = [answer.json() for answer in taken if answer.status_code == 200]
    assert done == {
        "withdrawalId": withdrawal_id, "asset": "USDT", "amount": "1.00000000", "status": "RELEASED"
    }  # fmt: skip
    engine = exchange.engine.shard.engine
    await eventually(lambda: exchange.ledger.last_seq == engine.seq)
    assert await statuses(exchange, owner) == ["RELEASED"]
    assert withdrawal_id not in engine.withdrawals
    async with exchange.resources.database.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT available_atoms, held_atoms FROM balances WHERE user_id = $1", owner.user_id
        )
        assert row is not None
        assert tuple(row) == (1_000 * 10**8, 0)
        assert await reconcile(connection) == []
        assert await connection.fetchval("SELECT refused FROM withdrawal_requests WHERE user_id = $1",
                                         owner.user_id)  # fmt: skip
    assert (await acts(exchange)).count("withdrawal-cancelled") == 1


async def test_what_is_paid_cannot_be_taken_back(exchange: Exchange) -> None:
    owner = await funded(exchange)
    settler = WithdrawalSettler(exchange.resources)
    await exchange.running.start(settler)
    withdrawal_id = (await withdraw(exchange, owner)).json()["withdrawalId"]
    async with asyncio.timeout(20):
        while await statuses(exchange, owner) != ["SETTLED"]:
            await asyncio.sleep(0.02)
    answer = await exchange.client.delete(f"/v1/withdrawals/{withdrawal_id}", headers=owner.headers)
    assert_problem(answer, 422)
    assert "not held any more" in answer.json()["detail"]


class Told:
    """A queue that keeps what it is given."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    async def put(self, messages: Sequence[object]) -> None:
        self.notices += [Notice.decode(message.body) for message in messages]  # type: ignore[attr-defined]


async def test_the_owner_is_told_with_a_link_that_works(exchange: Exchange) -> None:
    """Of a key, an address, a log-in, and of the end of a freeze: from the audit log to the brake."""
    settings = exchange.resources.settings.model_copy(update={"public_url": URL})
    told = Told()
    follower = ActFollower(replace(exchange.resources, settings=settings), Outlet(told, None))  # type: ignore[arg-type]
    await exchange.running.start(follower)
    await eventually(lambda: follower.last_id is not None)
    owner = await funded(exchange)
    key = {"label": "x", "permissions": ["READ"]}
    assert (await exchange.client.post("/v1/api-keys", json=key, headers=owner.headers)).status_code == 201
    address = {"asset": "USDT", "address": "thief", "label": "x"}
    listed = await exchange.client.post("/v1/withdrawal-addresses", json=address, headers=owner.headers)
    assert listed.status_code == 201
    await eventually(lambda: {"API_KEY_MADE", "ADDRESS_ADDED", "LOGIN"} <= {n.kind for n in told.notices})
    tokens = [json.loads(n.encode())["fields"]["freezeUrl"].partition("=")[2] for n in told.notices]
    assert len(set(tokens)) == len(tokens) == 3
    assert (await freeze(exchange.client, tokens[0])).status_code == 201
    assert (await unfreeze(exchange.client, owner)).status_code == 202
    await eventually(lambda: told.notices[-1].kind == "WITHDRAWALS_UNFREEZING")
    assert [n.kind for n in told.notices[3:]] == ["WITHDRAWALS_FROZEN", "WITHDRAWALS_UNFREEZING"]
    assert "freezeUrl" not in told.notices[3].fields
    assert {n.user_id for n in told.notices} == {owner.user_id}
    last = told.notices[-1].fields["freezeUrl"].partition("=")[2]
    assert (await freeze(exchange.client, last)).status_code == 201
    assert [row["endsAt"] for row in await freezes(exchange, owner)] == [None]


async def test_links_are_made_for_reservations_too_and_expired_ones_go(exchange: Exchange) -> None:
    database = exchange.resources.database
    maker = NoticeMaker(0)
    maker.add_asset(1, "BTC", 8)
    notices = maker.notices_of(EventStream().append(WithdrawalReserved(1001, 1, 5, 8, "bc1")))
    async with database.acquire() as connection:
        await connection.execute(
            "INSERT INTO withdrawal_freeze_tokens (token_hash, user_id, expires_ms) VALUES ($1, 1, 1)",
            bytes(32),
        )
    (with_link,) = await FreezeLinks(database, 5_000, URL).add(notices)
    assert "freezeUrl" in with_link.fields
    assert await FreezeLinks(database, 5_000, "").add(notices) == notices
    async with database.acquire() as connection:
        rows = await connection.fetch("SELECT user_id, used_ms FROM withdrawal_freeze_tokens")
    assert [tuple(row) for row in rows] == [(1001, None)]
