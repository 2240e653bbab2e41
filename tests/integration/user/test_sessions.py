"""Sessions as their owner sees and ends them, and the keys that end with them, over two replicas."""

import asyncio

import pytest

from exchange.security.credentials import PostgresCredentials
from services.user.people import sessions as session_rules
from tests.at_work import eventually
from tests.integration.user.conftest import PASSWORD, Exchange, Person, assert_problem

pytestmark = pytest.mark.integration

KEY = {"label": "Web terminal", "permissions": ["READ", "TRADE"], "forSession": True}


async def another_session(exchange: Exchange, person: Person, agent: str = "Firefox on a train") -> Person:
    answer = await exchange.client.post(
        "/v1/sessions", json={"email": person.email, "password": PASSWORD}, headers={"User-Agent": agent}
    )
    assert answer.status_code == 201
    return Person(person.user_id, person.email, answer.json()["accessToken"])


async def session_key(exchange: Exchange, person: Person) -> str:
    answer = await exchange.client.post("/v1/api-keys", json=KEY, headers=person.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["apiKey"])


async def key_names(exchange: Exchange, person: Person) -> list[str]:
    answer = await exchange.client.get("/v1/api-keys", headers=person.headers)
    return [key["apiKey"] for key in answer.json()["apiKeys"]]


def credentials(exchange: Exchange) -> PostgresCredentials:
    return PostgresCredentials.from_resources(exchange.resources)


async def test_a_session_ended_elsewhere_takes_its_key_with_it_at_once(exchange: Exchange) -> None:
    thief = await exchange.signed_in()
    owner = await another_session(exchange, thief)
    key = await session_key(exchange, thief)
    own = await session_key(exchange, owner)
    found = credentials(exchange)
    following = asyncio.create_task(found.run())
    try:
        await eventually(lambda: found._following)
        assert await found.find(key) is not None
        shown = (await exchange.client.get("/v1/sessions", headers=owner.headers)).json()["sessions"]
        assert [one["isCurrent"] for one in shown] == [True, False]
        assert shown[0]["agent"] == "Firefox on a train"
        other = exchange.clients[1]
        ended = await other.delete(f"/v1/sessions/{shown[1]['sessionId']}", headers=owner.headers)
        assert ended.status_code == 204
        # By the channel, not by the seconds that a known key is good for.
        for _ in range(6000):
            if await found.find(key) is None:
                break
            await asyncio.sleep(0.01)
        assert await found.find(key) is None
        assert await found.find(own) is not None
        assert_problem(await exchange.client.get("/v1/me", headers=thief.headers), 401)
        assert await key_names(exchange, owner) == [own]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@pytest.mark.parametrize("way", ["log-out", "others", "too many"])
async def test_no_key_outlives_its_session(
    exchange: Exchange, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await exchange.signed_in()
    key = await session_key(exchange, person)
    assert await credentials(exchange).find(key) is not None
    if way == "log-out":
        await exchange.client.delete("/v1/sessions/current", headers=person.headers)
    elif way == "others":
        newer = await another_session(exchange, person)
        answer = await exchange.client.delete("/v1/sessions", headers=newer.headers)
        assert answer.json() == {"ended": 1}
    else:
        for replica in exchange.replicas:
            monkeypatch.setattr("services.user.people.sessions.SESSIONS_PER_USER_MAX", 1)
            assert replica is not None
        await another_session(exchange, person)
    assert await credentials(exchange).find(key) is None


async def test_a_session_that_the_cache_has_lost_takes_its_key_with_it(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await exchange.signed_in()
    alive = await another_session(exchange, person)
    key, other = await session_key(exchange, person), await session_key(exchange, alive)
    lost = await exchange.client.get("/v1/sessions", headers=alive.headers)
    assert len(lost.json()["sessions"]) == 2
    names = [name async for name in exchange.resources.cache.scan_iter(f"sessions:{{{person.user_id}}}:*")]
    owned = session_rules._hash(person.token)
    (gone,) = [name for name in names if owned.encode() in name]
    await exchange.resources.cache.delete(gone)
    monkeypatch.setattr("services.user.people.logins.SWEEP_AGE_MS_MIN", -1_000)
    assert await exchange.replicas[0].logins.sweep() >= 1
    assert await credentials(exchange).find(key) is None
    assert await credentials(exchange).find(other) is not None


async def test_a_key_is_refused_when_its_sessions_time_is_over_whoever_sweeps(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    key = await session_key(exchange, person)
    async with exchange.resources.database.acquire() as connection:
        await connection.execute(
            "UPDATE login_sessions SET begun_ms = 1, expires_ms = 2 WHERE user_id = $1", person.user_id
        )
    assert await credentials(exchange).find(key) is None


async def test_a_session_has_one_key_and_it_takes_no_place_of_the_others(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.user.people.accounts.API_KEYS_PER_USER_MAX", 1)
    person = await exchange.signed_in()
    first = await session_key(exchange, person)
    second = await session_key(exchange, person)
    assert await credentials(exchange).find(first) is None
    kept = {"label": "bot", "permissions": ["READ"]}
    made = await exchange.client.post("/v1/api-keys", json=kept, headers=person.headers)
    assert made.status_code == 201
    assert_problem(await exchange.client.post("/v1/api-keys", json=kept, headers=person.headers), 409)
    third = await session_key(exchange, person)
    assert await key_names(exchange, person) == [made.json()["apiKey"], third]
    assert await credentials(exchange).find(second) is None


async def test_a_sessions_key_cannot_withdraw(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    wanted = {**KEY, "permissions": ["READ", "WITHDRAW"]}
    assert_problem(await exchange.client.post("/v1/api-keys", json=wanted, headers=person.headers), 422)


async def test_nobody_ends_or_sees_sessions_of_others(exchange: Exchange) -> None:
    one, other = await exchange.signed_in(), await exchange.signed_in()
    shown = (await exchange.client.get("/v1/sessions", headers=one.headers)).json()["sessions"]
    answer = await exchange.client.delete(f"/v1/sessions/{shown[0]['sessionId']}", headers=other.headers)
    assert_problem(answer, 404)
    assert (await exchange.client.get("/v1/me", headers=one.headers)).status_code == 200
    assert (await exchange.client.delete("/v1/sessions", headers=other.headers)).json() == {"ended": 0}
    assert (await exchange.client.get("/v1/me", headers=one.headers)).status_code == 200


async def test_an_owner_sees_when_a_key_was_last_used(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    key = await session_key(exchange, person)

    async def last_used() -> int | None:
        answer = await exchange.client.get("/v1/api-keys", headers=person.headers)
        return answer.json()["apiKeys"][0]["lastUsedAt"]  # type: ignore[no-any-return]

    assert await last_used() is None
    found = credentials(exchange)
    assert await found.find(key) is not None
    for _ in range(6000):
        if await last_used() is not None:
            break
        await asyncio.sleep(0.01)
    assert await last_used() is not None


async def test_the_log_of_an_account_is_its_owners_newest_first(exchange: Exchange) -> None:
    person, other = await exchange.signed_in(), await exchange.signed_in()
    await exchange.client.post("/v1/sessions", json={"email": person.email, "password": "not this one, no"})
    events = (await exchange.client.get("/v1/security-events", headers=person.headers)).json()["events"]
    assert [event["act"] for event in events] == ["log-in-failed", "log-in", "sign-up"]
    page = await exchange.client.get(
        f"/v1/security-events?limit=1&beforeId={events[0]['eventId']}", headers=person.headers
    )
    assert [event["act"] for event in page.json()["events"]] == ["log-in"]
    theirs = (await exchange.client.get("/v1/security-events", headers=other.headers)).json()["events"]
    assert not {event["eventId"] for event in theirs} & {event["eventId"] for event in events}
