"""Promises of what people choose about their notices, of mail that was said yes to, and of webhooks' keys."""

import json

import httpx
import pytest

from exchange.contracts.notice_topics import DEFAULT_WAYS, TOPICS, webhook_secret_place
from exchange.security.key_ring import KeyRing
from services.notifier.freeze_links import FreezeLinks
from services.notifier.notices import ACTS, FREEZABLE, act_notice
from services.user.people import notice_choices
from tests.integration.user.conftest import Exchange, Person, assert_problem, replica
from tests.integration.user.test_second_factor import kind_of, switched_on

pytestmark = pytest.mark.integration
URL = "https://bot.example.com/notices"


async def call(
    exchange: Exchange, person: Person, method: str, path: str, body: object = None
) -> httpx.Response:
    return await exchange.client.request(method, f"/v1/notices{path}", json=body, headers=person.headers)


async def shown(exchange: Exchange, person: Person) -> dict[str, object]:
    answer = await call(exchange, person, "GET", "")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def acts(exchange: Exchange, person: Person) -> list[tuple[str, dict[str, object]]]:
    rows = await exchange.resources.database.fetch(
        "SELECT act, detail::text AS detail FROM audit_log WHERE user_id = $1 ORDER BY id", person.user_id
    )
    return [(row["act"], json.loads(row["detail"])) for row in rows]


async def test_choices_hold_topic_by_topic_and_are_written_down(exchange: Exchange) -> None:
    person, other = await exchange.signed_in(), await exchange.signed_in()
    before = await shown(exchange, person)
    assert [choice["topic"] for choice in before["choices"]] == list(TOPICS)  # type: ignore[attr-defined]
    wanted = {"topic": "FILLS", "mail": True, "webhook": False, "browser": False}
    refused: tuple[dict[str, object], ...] = (
        {"choices": []},
        {"choices": [wanted, wanted]},
        {"choices": [{**wanted, "topic": "ALL"}]},
        {"choices": [{**wanted, "mail": "yes"}]},
        {"choices": [{"topic": "FILLS", "mail": True}]},
    )
    for body in refused:
        assert_problem(await call(exchange, person, "PUT", "/choices", body), 422)
    assert await shown(exchange, person) == before
    assert (await call(exchange, person, "PUT", "/choices", {"choices": [wanted]})).status_code == 204
    after = await shown(exchange, person)
    defaults = [{"topic": topic, **ways._asdict()} for topic, ways in DEFAULT_WAYS.items()]
    assert after["choices"] == [wanted, *defaults[1:]]
    assert (await shown(exchange, other))["choices"] == defaults
    assert (await acts(exchange, person))[-1] == (
        "notices-changed",
        {"FILLS": {"mail": True, "webhook": False, "browser": False}},
    )


async def test_mail_comes_only_after_its_address_said_yes_by_a_link(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    assert (await shown(exchange, person))["mail"] == {"address": person.email, "confirmedAt": None}
    assert_problem(await call(exchange, person, "DELETE", "/mail"), 409)
    assert (await call(exchange, person, "POST", "/mail")).status_code == 202
    assert (await acts(exchange, person))[-1] == ("notice-mail-asked", {})
    notice = act_notice("notice-mail-asked", 1, person.user_id, 1, "::1", {})
    (linked,) = await FreezeLinks(exchange.resources.database, 5_000, "https://t.example/").add([notice])
    url = linked.fields["mailUrl"]
    assert url in linked.text
    assert url.startswith("https://t.example/terminal/#mail=")
    token = {"token": url.partition("#mail=")[2]}
    for wrong in ("A" * 43, "x", token["token"] + "x"):
        answer = await exchange.client.post("/v1/notices/mail/confirmations", json={"token": wrong})
        assert kind_of(answer) == "mail-link-refused"
    yes = await exchange.client.post("/v1/notices/mail/confirmations", json=token)
    assert yes.status_code == 204
    assert (await exchange.client.post("/v1/notices/mail/confirmations", json=token)).status_code == 403
    confirmed = (await shown(exchange, person))["mail"]["confirmedAt"]  # type: ignore[index]
    assert isinstance(confirmed, int)
    assert (await call(exchange, person, "DELETE", "/mail")).status_code == 204
    assert (await shown(exchange, person))["mail"] == {"address": person.email, "confirmedAt": None}
    assert [act for act, _ in await acts(exchange, person)][-2:] == [
        "notice-mail-confirmed",
        "notice-mail-ended",
    ]


async def test_links_for_mail_and_tests_of_webhooks_are_few(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await exchange.signed_in()
    async with replica(exchange, rate_limits=True) as client:
        for path, count_max in (
            ("/mail", notice_choices.MAILS_MAX),
            ("/webhook/tests", notice_choices.TESTS_MAX),
        ):
            if path != "/mail":
                await call(exchange, person, "PUT", "/webhook", {"url": URL})
            statuses = [
                (await client.post(f"/v1/notices{path}", headers=person.headers)).status_code
                for _ in range(count_max + 1)
            ]
            assert statuses == [202] * count_max + [429]


async def test_a_webhook_s_key_is_told_once_and_kept_sealed(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    for url in (
        "http://bot.example.com/",
        "https://10.0.0.1/",
        "https://127.0.0.1/",
        "https://u:p@example.com/",
    ):
        assert kind_of(await call(exchange, person, "PUT", "/webhook", {"url": url})) == "webhook-refused"
    assert_problem(await call(exchange, person, "POST", "/webhook/tests"), 409)
    made = await call(exchange, person, "PUT", "/webhook", {"url": URL})
    assert made.status_code == 201
    secret = made.json()["secret"]
    database = exchange.resources.database
    sealed = await database.fetchval("SELECT secret_encrypted FROM webhooks")
    ring = KeyRing.from_resources(exchange.resources)
    assert await ring.open(sealed, webhook_secret_place(person.user_id)) == secret.encode()
    seen = await shown(exchange, person)
    assert secret not in json.dumps(seen)
    assert seen["webhook"]["url"] == URL  # type: ignore[index]
    assert (await call(exchange, person, "POST", "/webhook/tests")).status_code == 202
    body = json.loads(await database.fetchval("SELECT body FROM webhook_deliveries"))
    assert (body["kind"], body["userId"], body["text"]) == ("TEST", person.user_id, "This is a test.")
    # Another place gets another key, and nothing of what waited.
    again = await call(exchange, person, "PUT", "/webhook", {"url": URL + "/2"})
    assert again.json()["secret"] != secret
    assert await database.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
    assert (await call(exchange, person, "DELETE", "/webhook")).status_code == 204
    assert_problem(await call(exchange, person, "DELETE", "/webhook"), 409)
    told = await acts(exchange, person)
    assert [act for act, _ in told][-3:] == ["webhook-set", "webhook-set", "webhook-removed"]
    assert secret not in json.dumps(told)


async def test_a_webhook_needs_the_second_factor_where_there_is_one(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    authenticator = await switched_on(exchange, person)
    refused = await call(exchange, person, "PUT", "/webhook", {"url": URL})
    assert kind_of(refused) == "second-factor-needed"
    body = {"url": URL, "totp": authenticator.code()}
    assert (await call(exchange, person, "PUT", "/webhook", body)).status_code == 201


def test_every_change_is_told_with_the_link_that_freezes_but_for_what_goes_by_mail_alone() -> None:
    for act in ("notices-changed", "webhook-set", "webhook-removed", "notice-mail-confirmed"):
        notice = act_notice(act, 1, 1, 1, "192.0.2.7", {"url": URL})
        assert notice.kind in FREEZABLE
        assert "192.0.2.7" in notice.text
        assert (URL in notice.text) == (act == "webhook-set")
    assert {"notice-mail-asked", "notice-mail-ended"} <= set(ACTS)
