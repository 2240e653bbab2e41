"""Promises of webhooks and choices over real PostgreSQL, and a program that listens on this machine."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec
import pytest

from exchange.adapters.webhooks.sender import HttpWebhookSender
from exchange.contracts.notice_topics import (
    FILLS,
    LOGINS,
    WEBHOOK_GIVEN_UP_MAX,
    WEBHOOK_WAITING_MAX,
    webhook_secret_place,
)
from exchange.ports.messages import MessageError, NewMessage
from exchange.process.components import Resources
from exchange.security import audit_log
from exchange.security.audit_log import Act
from exchange.security.key_ring import KeyRing
from local.notices import notice_components
from services.notifier.notices import DEPOSIT, FILL, PASSWORD_CHANGED, Notice
from services.notifier.outlet import Outlet
from services.notifier.ways import webhook_deliveries
from services.notifier.ways.chosen import Chosen, ChosenWays
from services.notifier.ways.webhook_deliveries import RETRY_DELAYS_MS, WebhookDeliveries
from services.notifier.ways.webhook_worker import WebhookWorker
from tests.at_work import running
from tests.integration.notifier.test_mails import eventually_begun
from tests.notices import login_notice, reset_notice

pytestmark = pytest.mark.integration
SECRET = b"0123456789abcdef"
ALICE, BOB = 1001, 1002


@dataclass
class Program:
    """Somebody's program: keeps what comes and answers as told."""

    port: int = 0
    status: str = "204 No Content"
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/notices"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            self.bodies.append(await reader.readexactly(int(headers["content-length"])))
            self.heads.append(headers | {"request": head[0]})
            answer = f"HTTP/1.1 {self.status}\r\nLocation: {self.url}/other\r\nContent-Length: 0\r\n\r\n"
            writer.write(answer.encode())
        except asyncio.IncompleteReadError:
            # Somebody who speaks TLS to it, and has gone.
            self.gone.set()
        finally:
            writer.close()


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    program = Program()
    server = await asyncio.start_server(program.take, "127.0.0.1", 0)
    program.port = server.sockets[0].getsockname()[1]
    async with server:
        yield program


@pytest.fixture
async def sender() -> AsyncIterator[HttpWebhookSender]:
    sender = HttpWebhookSender(5_000, loopback=True)
    yield sender
    await sender.close()


async def hooked(resources: Resources, user_id: int, url: str) -> None:
    sealed = await KeyRing.from_resources(resources).seal(SECRET, webhook_secret_place(user_id))
    await resources.database.execute(
        "INSERT INTO users (user_id, email, created_ms) OVERRIDING SYSTEM VALUE VALUES ($1, $2, 1)",
        user_id,
        f"{user_id}@example.com",
    )
    await resources.database.execute(
        "INSERT INTO webhooks (user_id, url, secret_encrypted, made_ms) VALUES ($1, $2, $3, 1)",
        *(user_id, url, sealed),
    )


async def waiting(resources: Resources) -> int:
    return int(await resources.database.fetchval("SELECT count(*) FROM webhook_deliveries"))


async def until(resources: Resources, query: str) -> None:
    async with asyncio.timeout(20):
        while not await resources.database.fetchval(query):
            await asyncio.sleep(0.05)


def worker_of(resources: Resources, sender: HttpWebhookSender) -> WebhookWorker:
    deliveries = WebhookDeliveries(resources.database, 5_000)
    return WebhookWorker(deliveries, sender, KeyRing.from_resources(resources))


async def test_a_notice_arrives_once_signed_and_in_order(
    resources: Resources, program: Program, sender: HttpWebhookSender
) -> None:
    await hooked(resources, ALICE, program.url)
    deliveries = WebhookDeliveries(resources.database, 5_000)
    notices = [login_notice(number, ALICE, number, "192.0.2.7") for number in range(1, 8)]
    await deliveries.add(notices)
    # What is put again waits once.
    await deliveries.add(notices)
    async with running(worker_of(resources, sender)):
        await until(resources, "SELECT count(*) = 0 FROM webhook_deliveries")
    assert [msgspec.json.decode(body)["noticeId"] for body in program.bodies] == [
        one.notice_id for one in notices
    ]
    for head, body in zip(program.heads, program.bodies, strict=True):
        signed = f"{head['exchange-timestamp']}.{body.decode()}".encode()
        wanted = hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
        assert head["exchange-signature"] == f"v1={wanted}"
        assert head["exchange-notice-id"] == json.loads(body)["noticeId"]
        assert head["request"] == "POST /notices HTTP/1.1"
    assert await resources.database.fetchval("SELECT last_result FROM webhooks") == "answered 204"


@pytest.mark.parametrize("status", ["302 Found", "500 Internal Server Error", "404 Not Found"])
async def test_what_is_no_yes_is_tried_later_and_at_last_given_up(
    resources: Resources, program: Program, sender: HttpWebhookSender, status: str
) -> None:
    program.status = status
    await hooked(resources, ALICE, program.url)
    deliveries = WebhookDeliveries(resources.database, 5_000)
    await deliveries.add([login_notice(1, ALICE, 1, "::1"), login_notice(2, ALICE, 1, "::1")])
    async with running(worker_of(resources, sender)):
        for tried in range(1, len(RETRY_DELAYS_MS) + 1):
            await until(resources, f"SELECT max(attempts) = {tried} FROM webhook_deliveries")
            rows = await resources.database.fetch(
                "SELECT attempts, due_ms FROM webhook_deliveries ORDER BY 1"
            )
            assert [row["attempts"] for row in rows] == [0, tried], "the second waits with the first"
            assert rows[0]["due_ms"] > 1, "and as long"
            assert len(program.bodies) == tried, "no redirect was followed"
            await resources.database.execute("UPDATE webhook_deliveries SET due_ms = 1 WHERE attempts > 0")
        await until(resources, "SELECT count(*) = 1 FROM webhook_deliveries")
    assert await resources.database.fetchval("SELECT given_up FROM webhooks") == 1
    assert await waiting(resources) == 1


async def test_after_so_many_given_up_nothing_is_sent_until_it_is_set_anew(
    resources: Resources, program: Program, sender: HttpWebhookSender
) -> None:
    await hooked(resources, ALICE, program.url)
    deliveries = WebhookDeliveries(resources.database, 5_000)
    await deliveries.add([login_notice(1, ALICE, 1, "::1")])
    await resources.database.execute("UPDATE webhooks SET given_up = $1", WEBHOOK_GIVEN_UP_MAX)
    async with running(worker_of(resources, sender)):
        await until(resources, "SELECT count(*) = 0 FROM webhook_deliveries")
    assert program.bodies == []
    assert await ChosenWays(resources.database, 5_000).of([login_notice(2, ALICE, 1, "::1")]) == [
        Chosen(None, False, True)
    ]


async def test_the_heap_of_one_account_is_bounded_and_is_nobody_else_s(
    resources: Resources, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert WEBHOOK_WAITING_MAX == 1_000
    monkeypatch.setattr(webhook_deliveries, "WEBHOOK_WAITING_MAX", 3)
    for user_id in (ALICE, BOB):
        await hooked(resources, user_id, program.url)
    deliveries = WebhookDeliveries(resources.database, 5_000)
    for number in range(10):
        await deliveries.add([login_notice(number, ALICE, 1, "::1")])
    await deliveries.add([login_notice(10, BOB, 1, "::1")])
    assert await waiting(resources) == 4
    assert set(await deliveries.due([], 5)) == {ALICE, BOB}
    assert await deliveries.due([ALICE], 5) == [BOB]


@pytest.mark.parametrize(
    ("addresses", "loopback"),
    [(["127.0.0.1"], False), (["10.0.0.1"], True), (["8.8.8.8", "169.254.169.254"], True), ([], True)],
)
async def test_a_name_that_leads_inside_is_not_connected_to(
    program: Program, addresses: Sequence[str], loopback: bool
) -> None:
    """Judged is what the name resolves to when it is connected to, whatever it was when it was set."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return list(addresses)

    sender = HttpWebhookSender(5_000, loopback=loopback, resolve=resolve)
    try:
        with pytest.raises(MessageError, match="not public"):
            await sender.post("https://bot.example.com/", "{}", {})
        with pytest.raises(MessageError, match="only https"):
            await sender.post(f"http://localhost:{program.port}/", "{}", {})
    finally:
        await sender.close()
    assert asked == ["bot.example.com"]
    assert program.heads == []


async def test_a_program_that_is_silent_or_away_costs_its_deadline(program: Program) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = HttpWebhookSender(200, loopback=True)
    try:
        with pytest.raises(MessageError, match=r"no answer within 0\.2 s"):
            await sender.post(f"http://127.0.0.1:{port}/", "{}", {})
        server.close()
        await server.wait_closed()
        with pytest.raises(MessageError, match="no answer"):
            await sender.post(f"http://127.0.0.1:{port}/", "{}", {})
        with pytest.raises(MessageError, match="no answer"):
            await sender.post(f"https://127.0.0.1:{program.port}/", "{}", {})
        # Who waits for TLS for ever does not hold the connection: it is closed at the deadline.
        await asyncio.wait_for(program.gone.wait(), 20)
    finally:
        await sender.close()


class Kept:
    """A queue, and browsers, that keep what they are given."""

    def __init__(self) -> None:
        self.messages: list[NewMessage] = []
        self.shown: list[str] = []

    async def put(self, messages: Sequence[NewMessage]) -> None:
        self.messages += messages

    def add(self, notice: Notice) -> None:
        self.shown.append(notice.notice_id)


async def choose(
    resources: Resources, user_id: int, topic: str, *, mail: bool, webhook: bool, browser: bool
) -> None:
    await resources.database.execute(
        "INSERT INTO notice_choices (user_id, topic, mail, webhook, browser) VALUES ($1, $2, $3, $4, $5)",
        *(user_id, topic, mail, webhook, browser),
    )


def notice(number: int, kind: str, user_id: int = ALICE) -> Notice:
    return Notice(f"0.{number}.x", user_id, kind, 1, {}, "Something happened.")


@pytest.mark.parametrize("is_topic_mail", [False, True])
async def test_each_notice_goes_by_the_ways_that_its_owner_chose(
    resources: Resources, program: Program, is_topic_mail: bool
) -> None:
    await hooked(resources, ALICE, program.url)
    await resources.database.execute(
        "INSERT INTO notice_addresses (user_id, address, confirmed_ms) VALUES ($1, 'a@example.com', 1)", ALICE
    )
    await choose(resources, ALICE, FILLS, mail=True, webhook=False, browser=False)
    await choose(resources, ALICE, LOGINS, mail=False, webhook=False, browser=False)
    kept, deliveries = Kept(), WebhookDeliveries(resources.database, 5_000)
    outlet = Outlet(
        kept,  # type: ignore[arg-type]
        kept,  # type: ignore[arg-type]
        frozenset({FILL}) if is_topic_mail else frozenset(),
        ChosenWays(resources.database, 5_000),
        deliveries,
        is_there_mail=not is_topic_mail,
        is_topic_mail=is_topic_mail,
    )
    told = [
        notice(1, FILL),
        login_notice(2, ALICE, 1, "::1"),
        notice(3, DEPOSIT),
        notice(4, PASSWORD_CHANGED),
    ]
    await outlet.send([*told, reset_notice(5, ALICE), notice(6, FILL, BOB)])
    by_mail = {one.message_id for one in kept.messages if Notice.decode(one.body).address}
    to_topic = {one.message_id for one in kept.messages} - by_mail
    if is_topic_mail:
        # A machine of one's own: the folder of mails is the topic, and follows the choice.
        assert to_topic == {"0.1.x", "0.3.x", "0.4.x", "act.5"}
        assert by_mail == set()
    else:
        assert to_topic == {"0.1.x", "login.2", "0.3.x", "0.4.x", "act.5", "0.6.x"}, (
            "subscribers get all, as before"
        )
        assert by_mail == {"0.1.x.mail", "0.3.x.mail", "0.4.x.mail"}
    # What guards the account comes by every way, whatever was chosen; a link for a password by none of them.
    assert kept.shown[:2] == ["0.3.x", "0.4.x"]
    rows = await resources.database.fetch("SELECT notice_id FROM webhook_deliveries ORDER BY 1")
    assert [row["notice_id"] for row in rows] == ["0.3.x", "0.4.x"]


async def test_a_local_exchange_tells_a_program_on_the_same_machine_where_it_was_told_to(
    resources: Resources, program: Program
) -> None:
    settings = resources.settings.model_copy(
        update={"webhook_loopback": True, "public_url": "https://t.example"}
    )
    async with running(*notice_components(replace(resources, settings=settings))):
        await hooked(resources, ALICE, program.url)
        async with resources.database.acquire() as connection:
            await eventually_begun(connection)
            async with connection.transaction():
                await audit_log.append(connection, Act("log-in", ALICE, "192.0.2.7", 5, {}))
        await until(resources, "SELECT last_result = 'answered 204' FROM webhooks")
    (body,) = program.bodies
    told = msgspec.json.decode(body)
    assert (told["kind"], told["userId"], told["fields"]["ip"]) == ("LOGIN", ALICE, "192.0.2.7")
    assert told["fields"]["freezeUrl"].startswith("https://t.example/terminal/#freeze=")
