"""The second factor, and new passwords: what they protect, and what they end."""

import base64
import time

import httpx
import pytest

from exchange.security.one_time_codes import totp_code
from services.notifier.freeze_links import FreezeLinks
from services.notifier.notices import act_notice
from tests.integration.user.conftest import PASSWORD, Exchange, Person, assert_problem

pytestmark = pytest.mark.integration

NEW_PASSWORD = "battery staple correct"
KEY = {"label": "bot", "permissions": ["READ"]}


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, SHA-1, the last six of its eight digits."""
    secret = b"12345678901234567890"
    for at_s, code in ((59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")):
        assert totp_code(secret, at_s // 30) == code


class Authenticator:
    """Gives a code that was not given before, of a step that counts now."""

    def __init__(self, secret: str) -> None:
        self._secret = base64.b32decode(secret)
        self._step = 0

    def code(self) -> str:
        # Of the step before, of now and of the next, each is good once: three in a row without waiting.
        self._step = max(self._step + 1, time.time_ns() // 30_000_000_000 - 1)
        return totp_code(self._secret, self._step)


async def switched_on(exchange: Exchange, person: Person) -> Authenticator:
    begun = await exchange.client.post("/v1/second-factor", headers=person.headers)
    assert begun.status_code == 201
    secret = begun.json()["secret"]
    assert secret in begun.json()["uri"]
    authenticator = Authenticator(secret)
    done = await exchange.client.post(
        "/v1/second-factor/confirmations", json={"totp": authenticator.code()}, headers=person.headers
    )
    assert done.status_code == 204, done.text
    return authenticator


async def log_in(exchange: Exchange, person: Person, password: str = PASSWORD, **more: str) -> httpx.Response:
    body = {"email": person.email, "password": password, **more}
    return await exchange.client.post("/v1/sessions", json=body)


def kind_of(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


async def test_once_it_is_on_a_log_in_needs_a_code_and_each_is_good_once(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    assert (await log_in(exchange, person)).status_code == 201
    authenticator = await switched_on(exchange, person)
    answer = await log_in(exchange, person)
    assert_problem(answer, 403)
    assert kind_of(answer) == "second-factor-needed"
    # Whoever has the password wrong learns nothing of the factor.
    assert_problem(await log_in(exchange, person, "not the password"), 401)
    code = authenticator.code()
    assert (await log_in(exchange, person, totp=code)).status_code == 201
    for wrong in (code, "000000", "abc", "1234567"):
        assert kind_of(await log_in(exchange, person, totp=wrong)) == "second-factor-wrong"
    stored = await exchange.resources.database.fetchval("SELECT secret_encrypted FROM second_factors")
    assert base64.b32decode(base64.b32encode(authenticator._secret)) not in stored


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/api-keys", KEY),
        ("/v1/withdrawals", {"asset": "USDT", "amount": "1", "address": "elsewhere"}),
        ("/v1/withdrawal-addresses", {"asset": "USDT", "address": "elsewhere", "label": "mine"}),
    ],
)
async def test_keys_and_withdrawals_need_it_once_it_is_on(
    exchange: Exchange, path: str, body: dict[str, object]
) -> None:
    person = await exchange.signed_in()
    faucet = {"asset": "USDT", "amount": "10"}
    assert (await exchange.client.post("/v1/deposits", json=faucet, headers=person.headers)).is_success
    # A factor that is begun and not confirmed protects nothing, and locks nobody out.
    assert (await exchange.client.post("/v1/second-factor", headers=person.headers)).status_code == 201
    other = {**body, "address": "somewhere"} if "address" in body else body
    assert (await exchange.client.post(path, json=other, headers=person.headers)).is_success
    authenticator = await switched_on(exchange, person)
    answer = await exchange.client.post(path, json=body, headers=person.headers)
    assert kind_of(answer) == "second-factor-needed"
    with_code = {**body, "totp": authenticator.code()}
    assert (await exchange.client.post(path, json=with_code, headers=person.headers)).is_success
    # A session's own key ends with the session, which has had its code.
    own = {**KEY, "forSession": True}
    assert (await exchange.client.post("/v1/api-keys", json=own, headers=person.headers)).status_code == 201


async def test_it_is_switched_off_by_password_and_code_together(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    authenticator = await switched_on(exchange, person)
    removal = "/v1/second-factor/removals"
    wrong = {"password": "not the password", "totp": authenticator.code()}
    assert_problem(await exchange.client.post(removal, json=wrong, headers=person.headers), 401)
    assert kind_of(
        await exchange.client.post(
            removal, json={"password": PASSWORD, "totp": "000000"}, headers=person.headers
        )
    ) == ("second-factor-wrong")
    assert_problem(await exchange.client.post("/v1/second-factor", headers=person.headers), 409)
    right = {"password": PASSWORD, "totp": authenticator.code()}
    assert (await exchange.client.post(removal, json=right, headers=person.headers)).status_code == 204
    assert (await log_in(exchange, person)).status_code == 201
    events = (await exchange.client.get("/v1/security-events", headers=person.headers)).json()["events"]
    acts = [event["act"] for event in events]
    for act in ("second-factor-on", "second-factor-off", "second-factor-failed", "password-failed"):
        assert act in acts


async def test_a_new_password_ends_all_other_sessions_with_their_keys(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    other = Person(person.user_id, person.email, (await log_in(exchange, person)).json()["accessToken"])
    made = await exchange.client.post("/v1/api-keys", json={**KEY, "forSession": True}, headers=other.headers)
    assert made.status_code == 201
    change = {"currentPassword": "not the password", "newPassword": NEW_PASSWORD}
    assert_problem(await exchange.client.put("/v1/password", json=change, headers=person.headers), 401)
    change["currentPassword"] = PASSWORD
    assert_problem(
        await exchange.client.put(
            "/v1/password", json={**change, "newPassword": " " * 8}, headers=person.headers
        ),
        422,
    )
    assert (await exchange.client.put("/v1/password", json=change, headers=person.headers)).status_code == 204
    assert_problem(await exchange.client.get("/v1/me", headers=other.headers), 401)
    assert (await exchange.client.get("/v1/me", headers=person.headers)).status_code == 200
    listed = await exchange.client.get("/v1/api-keys", headers=person.headers)
    assert listed.json() == {"apiKeys": []}
    assert_problem(await log_in(exchange, person), 401)
    assert (await log_in(exchange, person, NEW_PASSWORD)).status_code == 201


async def reset_link(exchange: Exchange, person: Person) -> str:
    """The token of the link in the mail, made as the notifier makes it."""
    asked = await exchange.client.post("/v1/password-resets", json={"email": person.email})
    assert asked.status_code == 202
    row = await exchange.resources.database.fetchrow(
        "SELECT id, time_ms, ip FROM audit_log WHERE act = 'password-reset-asked' AND user_id = $1 "
        "ORDER BY id DESC LIMIT 1",
        person.user_id,
    )
    assert row is not None
    notice = act_notice("password-reset-asked", row["id"], person.user_id, row["time_ms"], row["ip"], {})
    links = FreezeLinks(exchange.resources.database, 5_000, "https://exchange.example")
    (sent,) = await links.add([notice])
    return sent.fields["resetUrl"].rpartition("#reset=")[2]


async def test_a_link_sets_the_password_once_ends_all_sessions_and_holds_withdrawals(
    exchange: Exchange,
) -> None:
    person = await exchange.signed_in()
    token, second = await reset_link(exchange, person), await reset_link(exchange, person)
    confirm = "/v1/password-resets/confirmations"
    body = {"token": token, "newPassword": NEW_PASSWORD}
    for wrong in ("x", "A" * 43):
        answer = await exchange.client.post(confirm, json={**body, "token": wrong})
        assert kind_of(answer) == "reset-refused"
    assert (await exchange.client.post(confirm, json=body)).status_code == 204
    assert_problem(await exchange.client.get("/v1/me", headers=person.headers), 401)
    for used in (token, second):
        answer = await exchange.client.post(confirm, json={**body, "token": used})
        assert kind_of(answer) == "reset-refused"
    session = await log_in(exchange, person, NEW_PASSWORD)
    owner = Person(person.user_id, person.email, session.json()["accessToken"])
    withdrawal = {"asset": "USDT", "amount": "1", "address": "elsewhere"}
    held = await exchange.client.post("/v1/withdrawals", json=withdrawal, headers=owner.headers)
    assert kind_of(held) == "withdrawals-frozen"
    freezes = (await exchange.client.get("/v1/withdrawal-freezes", headers=owner.headers)).json()
    assert freezes["withdrawalFreezes"][0]["endsAt"] is not None


async def test_a_link_is_not_enough_where_there_is_a_second_factor(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    authenticator = await switched_on(exchange, person)
    body = {"token": await reset_link(exchange, person), "newPassword": NEW_PASSWORD}
    confirm = "/v1/password-resets/confirmations"
    assert kind_of(await exchange.client.post(confirm, json=body)) == "second-factor-needed"
    with_code = {**body, "totp": authenticator.code()}
    assert (await exchange.client.post(confirm, json=with_code)).status_code == 204


async def test_asking_for_a_link_tells_nobody_who_has_an_account(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    answers = [
        await exchange.client.post("/v1/password-resets", json={"email": email})
        for email in (person.email, "nobody@example.com")
    ]
    assert [(answer.status_code, answer.content) for answer in answers] == [(202, b"null")] * 2
    tokens = await exchange.resources.database.fetchval("SELECT count(*) FROM password_reset_tokens")
    assert tokens == 0


async def test_an_owner_freezes_by_the_session(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    frozen = await exchange.client.post("/v1/withdrawal-freezes/own", headers=person.headers)
    assert frozen.status_code == 201
    again = await exchange.client.post("/v1/withdrawal-freezes/own", headers=person.headers)
    assert again.json() == frozen.json()
    withdrawal = {"asset": "USDT", "amount": "1", "address": "elsewhere"}
    answer = await exchange.client.post("/v1/withdrawals", json=withdrawal, headers=person.headers)
    assert kind_of(answer) == "withdrawals-frozen"
