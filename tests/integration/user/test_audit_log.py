"""The audit log holds every act, and its verifier finds whatever was done to it afterwards."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping

import pytest

from exchange.process.components import Resources
from exchange.security import audit_log
from exchange.security.audit_log import EMPTY_HASH, Act, AuditFault, AuditHead
from tests.integration.user.conftest import PASSWORD, Exchange, assert_problem

pytestmark = pytest.mark.integration


async def verified(
    resources: Resources, expected: AuditHead | None = None
) -> tuple[AuditHead, list[AuditFault]]:
    async with resources.database.acquire() as connection:
        return await audit_log.verify(connection, expected)


async def write(resources: Resources, act: str, detail: Mapping[str, object] | None = None) -> None:
    async with resources.database.acquire() as connection, connection.transaction():
        await audit_log.append(connection, Act(act, 1001, "10.0.0.1", 17, detail or {}))


async def acts_of(resources: Resources) -> list[tuple[str, int | None]]:
    rows = await resources.database.fetch("SELECT act, user_id FROM audit_log ORDER BY id")
    return [(row["act"], row["user_id"]) for row in rows]


async def test_every_act_is_written_down_with_who_and_from_where(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    client, me = exchange.client, person.headers

    async def post(
        path: str, status: int, headers: Mapping[str, str] = me, **body: object
    ) -> dict[str, object]:
        answer = await client.post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        found: dict[str, object] = answer.json()
        return found

    await post("/v1/sessions", 401, {}, email=person.email, password="wrong password")
    await post("/v1/sessions", 401, {}, email="nobody@example.com", password="wrong password")
    key = await post("/v1/api-keys", 201, label="x", permissions=["READ"], ipAllowList=["10.0.0.0/8"])
    await post("/v1/api-keys", 422, label="x", permissions=["ALL"])
    await client.delete(f"/v1/api-keys/{key['apiKey']}", headers=me)
    await client.delete(f"/v1/api-keys/{key['apiKey']}", headers=me)
    address = await post("/v1/withdrawal-addresses", 201, asset="BTC", address="home", label="x")
    await client.delete(f"/v1/withdrawal-addresses/{address['addressId']}", headers=me)
    await post("/v1/deposits", 201, asset="BTC", amount="1")
    await post("/v1/withdrawals", 202, asset="BTC", amount="0.5", address="home")
    await post("/v1/withdrawals", 409, asset="BTC", amount="5", address="home")
    await client.delete("/v1/sessions/current", headers=me)
    assert await acts_of(exchange.resources) == [
        ("sign-up", person.user_id),
        ("log-in", person.user_id),
        ("log-in-failed", person.user_id),
        ("log-in-failed", None),
        ("key-made", person.user_id),
        ("key-revoked", person.user_id),
        ("address-added", person.user_id),
        ("address-removed", person.user_id),
        ("withdrawal-asked", person.user_id),
        # The engine has the last word: let through, then refused.
        ("withdrawal-asked", person.user_id),
        ("withdrawal-refused", person.user_id),
        ("log-out", person.user_id),
    ]
    rows = await exchange.resources.database.fetch("SELECT ip, detail FROM audit_log")
    assert {row["ip"] for row in rows} == {"127.0.0.1"}
    details = " ".join(row["detail"] for row in rows)
    for secret in (PASSWORD, "wrong password", person.token, str(key["apiKey"]), str(key["secretKey"])):
        assert secret not in details
    head, faults = await verified(exchange.resources)
    assert (head.id, faults) == (12, [])


async def test_an_act_that_cannot_be_written_down_does_not_happen(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    database = exchange.resources.database
    await database.execute("ALTER TABLE audit_log RENAME TO audit_log_away")
    login = {"email": "new@example.com", "password": PASSWORD}
    assert_problem(await exchange.client.post("/v1/users", json=login), 503)
    login["email"] = person.email
    assert_problem(await exchange.client.post("/v1/sessions", json=login), 503)
    body = {"label": "x", "permissions": ["READ"]}
    assert_problem(await exchange.client.post("/v1/api-keys", json=body, headers=person.headers), 503)
    assert await database.fetchval("SELECT count(*) FROM users") == 1
    assert await database.fetchval("SELECT count(*) FROM api_keys") == 0


async def test_writers_at_the_same_moment_make_one_chain(resources: Resources) -> None:
    await asyncio.gather(*(write(resources, f"act {n}") for n in range(60)))
    head, faults = await verified(resources)
    assert (head.id, faults) == (60, [])


async def test_an_empty_log_is_intact(resources: Resources) -> None:
    assert await verified(resources) == (AuditHead(0, EMPTY_HASH), [])


@pytest.mark.parametrize(
    ("plant", "row"),
    [
        ("UPDATE audit_log SET act = 'log-in' WHERE id = 4", 4),
        ("UPDATE audit_log SET user_id = 1002 WHERE id = 4", 4),
        ("UPDATE audit_log SET user_id = NULL WHERE id = 4", 4),
        ("UPDATE audit_log SET ip = '10.0.0.2' WHERE id = 4", 4),
        ("UPDATE audit_log SET time_ms = time_ms + 1 WHERE id = 4", 4),
        ("""UPDATE audit_log SET detail = '{"n":4 }' WHERE id = 4""", 4),
        ("UPDATE audit_log SET hash = sha256('x') WHERE id = 4", 4),
        ("UPDATE audit_log SET previous_hash = sha256('x') WHERE id = 4", 4),
        ("DELETE FROM audit_log WHERE id = 1", 2),
        ("DELETE FROM audit_log WHERE id = 4", 5),
        ("DELETE FROM audit_log WHERE id BETWEEN 3 AND 5", 6),
        ("DELETE FROM audit_log WHERE id = 7", 6),
        ("DELETE FROM audit_log WHERE id > 2", 2),
        ("DELETE FROM audit_log", 0),
        ("DELETE FROM audit_log WHERE id = 4; UPDATE audit_log SET id = id - 1 WHERE id > 4", 4),
        ("UPDATE audit_log SET id = 9 - id + 100; UPDATE audit_log SET id = id - 101", 1),
        (
            "UPDATE audit_log SET id = 99 WHERE id = 3; UPDATE audit_log SET id = 3 WHERE id = 4; "
            "UPDATE audit_log SET id = 4 WHERE id = 99",
            3,
        ),
        (
            "INSERT INTO audit_log SELECT 8, time_ms, user_id, ip, act, detail, previous_hash, hash "
            "FROM audit_log WHERE id = 7",
            8,
        ),
        ("UPDATE audit_log_head SET id = 6", 7),
    ],
)
async def test_the_verifier_finds_what_was_planted(resources: Resources, plant: str, row: int) -> None:
    for n in range(1, 8):
        await write(resources, "act", {"n": n})
    assert (await verified(resources))[1] == []
    await resources.database.execute(plant)
    faults = (await verified(resources))[1]
    assert faults
    assert min(fault.id for fault in faults) == row, faults


async def test_a_chain_that_was_made_anew_is_not_the_one_that_was_told(resources: Resources) -> None:
    for n in range(1, 4):
        await write(resources, "act", {"n": n})
    told, _ = await verified(resources)
    for n in range(4, 6):
        await write(resources, "act", {"n": n})
    assert (await verified(resources, told))[1] == []
    await resources.database.execute("TRUNCATE audit_log, audit_log_head")
    for n in (1, 2):
        await write(resources, "act", {"n": n})
    assert (await verified(resources))[1] == []
    assert [fault.id for fault in (await verified(resources, told))[1]] == [3]
    await write(resources, "act", {"n": "another"})
    assert [fault.id for fault in (await verified(resources, told))[1]] == [3]


async def test_the_command_line_tells_intact_from_broken(resources: Resources) -> None:
    await write(resources, "act", {"n": 1})

    async def command(*arguments: str) -> tuple[int | None, str]:
        dsn = resources.settings.database_dsn.get_secret_value()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.audit_log.main", *arguments),
            env=os.environ | {"EXCHANGE_DATABASE_DSN": dsn, "NO_COLOR": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, output.decode()

    code, output = await command("verify")
    head = (await verified(resources))[0]
    assert (code, output) == (0, f"intact {head}\n")
    await write(resources, "act", {"n": 2})
    assert (await command("verify", "--expect", str(head)))[0] == 0
    await resources.database.execute("UPDATE audit_log SET detail = '{}' WHERE id = 1")
    code, output = await command("verify")
    assert code == 1
    assert output == "row 1: it was changed\n"
    assert (await command("verify", "--expect", "nonsense"))[0] == 2


async def test_details_are_json_that_reads_as_it_was_written(resources: Resources) -> None:
    detail = {"b": '\u00e9 " \\ ', "a": [1, None, True]}
    await write(resources, "act", detail)
    stored = await resources.database.fetchval("SELECT detail FROM audit_log")
    assert json.loads(stored) == detail
    assert (await verified(resources))[1] == []
