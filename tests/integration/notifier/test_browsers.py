"""Promises to browsers: who is connected gets his notices, nobody else does, and who is gone is forgotten.

Browsers come with tokens of real issuers through the function that AWS runs, accounts are made by the user
service's own code. The register is DynamoDB (an emulator over HTTP). The emulator's API Gateway never says
that a connection is gone, so a small server plays the management API.
"""

import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from prometheus_client import REGISTRY

from exchange.adapters.chosen.notice_channels import browsers
from exchange.ports.messages import MessageError
from exchange.process.components import Resources
from exchange.process.config import Settings, SettingsError
from exchange.security.identity.tokens import owner_of, read
from services.notifier.notices import Notice
from services.notifier.outlet import WAITING_MAX, BrowserPush
from services.notifier.owners import LIFETIME_S, OWNERS_OF_USER_MAX, Owners
from services.user.people.identities import verified_email
from services.user.tables.database import Database
from services.user.tables.identities import Identity, IdentityStore, Login
from tests.integration.notifier.conftest import Estate, connects
from tests.integration.projections.conftest import Running
from tests.integration.user.issuers import AUDIENCE, MoodyIssuer, running
from tests.notices import login_notice

pytestmark = pytest.mark.integration

# Long enough for a slow machine, short enough to be waited for.
DEADLINE_MS = 2_000


class Management:
    """API Gateway's management API: `open` connections take frames, others are 410 Gone."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.broken: set[str] = set()
        self.frames: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stage, _, connection_id = unquote(self.path).partition("/@connections/")
                assert stage == "/live"
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = 200 if connection_id in outer.open else 410
                if connection_id in outer.broken:
                    status = 500
                if status == 200:
                    outer.frames.append((connection_id, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/live"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def notices(self, connection_id: str) -> list[Notice]:
        return [Notice.decode(body) for to, body in self.frames if to == connection_id]


@pytest.fixture
def management() -> Iterator[Management]:
    made = Management()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


class House:
    """Issuers that the functions believe, accounts that their tokens open, and the push to browsers."""

    def __init__(self, resources: Resources, table: str, management_url: str) -> None:
        windows = browsers(Settings(notices_connections_table=table, notices_connections_url=management_url))
        assert windows is not None
        self.windows = windows
        self.push = BrowserPush(*windows, Owners(resources.database, DEADLINE_MS))
        self._identities = IdentityStore(Database(resources.database, 5_000), link_by_email=False)

    async def signs_in(self, token: str) -> int:
        """Show an id token to the user service for the first time: the account that it opens."""
        claims = read(token).claims
        identity = Identity(claims.iss, claims.sub, verified_email(claims))
        user_id = await self._identities.log_in(identity, Login(secrets.token_bytes(32), 1), 1, "::1")
        assert user_id is not None
        return user_id

    async def close(self) -> None:
        for channel in self.windows:
            await channel.close()


@pytest.fixture
async def issuers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[MoodyIssuer]]:
    """Two regions' pools."""
    async with running() as one, running() as other:
        monkeypatch.setenv("JWT_ISSUERS", f"{one.url},{other.url}")
        monkeypatch.setenv("JWT_AUDIENCE", AUDIENCE)
        yield [one, other]


@pytest.fixture
async def house(
    estate: Estate,
    management: Management,
    resources: Resources,
    cold_functions: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[House]:
    monkeypatch.setenv("CONNECTIONS_TABLE", estate.connections_table)
    made = House(resources, estate.connections_table, management.url)
    yield made
    await made.close()


async def test_a_notice_reaches_all_identities_of_its_account_and_nobody_else(
    house: House, issuers: list[MoodyIssuer], management: Management
) -> None:
    one, other = issuers
    tokens = {
        "ann=": one.tokens("ann@example.com")["idToken"],
        "ann-access=": one.tokens("ann@example.com")["accessToken"],
        "ann-other=": other.tokens("ann@example.com")["idToken"],
        "gone=": one.tokens("ann@example.com")["idToken"],
        "bob=": one.tokens("bob@example.com")["idToken"],
        "anna=": one.tokens("anna@example.com", sub="anna")["idToken"],
        # Opens no account; of the same subject as Anna's, by the other issuer.
        "eve=": other.tokens("eve@example.com", sub="anna")["idToken"],
    }
    ann = await house.signs_in(tokens["ann="])
    assert await house.signs_in(tokens["ann-other="]) == ann
    bob = await house.signs_in(tokens["bob="])
    anna = await house.signs_in(tokens["anna="])
    for connection_id, token in tokens.items():
        await connects(connection_id, token)
    management.open = set(tokens) - {"gone="}
    expected: dict[str, list[Notice]] = {connection_id: [] for connection_id in tokens}
    reached = {ann: ("ann=", "ann-access=", "ann-other="), bob: ("bob=",), anna: ("anna=",)}
    for number, (user_id, connection_ids) in enumerate(reached.items()):
        notice = login_notice(number, user_id, 1, "::1")
        await house.push.push(notice)
        for connection_id in connection_ids:
            expected[connection_id].append(notice)
    assert {connection_id: management.notices(connection_id) for connection_id in tokens} == expected
    claims = read(tokens["gone="]).claims
    left = await house.windows.connections.of_owner(owner_of(claims.iss, claims.sub))
    assert sorted(left) == ["ann-access=", "ann="]


async def test_an_identity_is_reached_soon_after_it_was_linked(
    house: House, issuers: list[MoodyIssuer], management: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (issuer.tokens("ann@example.com")["idToken"] for issuer in issuers)
    ann = await house.signs_in(one)
    await connects("other=", other)
    management.open = {"other="}
    await house.push.push(login_notice(1, ann, 1, "::1"))
    assert await house.signs_in(other) == ann
    await house.push.push(login_notice(2, ann, 1, "::1"))
    assert management.notices("other=") == []
    kept_until_s = time.monotonic() + LIFETIME_S
    monkeypatch.setattr("services.notifier.owners.time", SimpleNamespace(monotonic=lambda: kept_until_s))
    await house.push.push(login_notice(3, ann, 1, "::1"))
    assert [notice.notice_id for notice in management.notices("other=")] == ["login.3"]


async def test_a_database_that_hangs_costs_pushes_and_nothing_else(
    house: House, issuers: list[MoodyIssuer], management: Management, resources: Resources
) -> None:
    tokens = {f"{name}=": issuers[0].tokens(f"{name}@example.com")["idToken"] for name in ("ann", "bob")}
    ann, bob = [await house.signs_in(token) for token in tokens.values()]
    for connection_id, token in tokens.items():
        await connects(connection_id, token)
    management.open = set(tokens)
    running_push = Running([house.push])
    await running_push.start()
    house.push.add(login_notice(1, ann, 1, "::1"))
    await running_push.until(lambda: len(management.notices("ann=")) == 1)
    before = missed()
    async with resources.database.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE identities IN ACCESS EXCLUSIVE MODE")
        house.push.add(login_notice(2, bob, 1, "::1"))
        # Whose identities are known is reached meanwhile.
        house.push.add(login_notice(3, ann, 1, "::1"))
        await running_push.until(lambda: len(management.notices("ann=")) == 2)
        await running_push.until(lambda: missed() == before + 1)
    house.push.add(login_notice(4, bob, 1, "::1"))
    await running_push.until(lambda: len(management.notices("bob=")) == 1)
    assert management.notices("bob=")[0].notice_id == "login.4"
    assert running_push.problems() == {house.push.name: None}
    await running_push.stop()


def missed() -> float:
    name = "exchange_notices_push_missed_total"
    return REGISTRY.get_sample_value(name, {"reason": "failure"}) or 0.0


async def test_answers_about_identities_are_few_and_bounded(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.notifier.owners.USERS_MAX", 3)
    database = resources.database
    user_id = await database.fetchval(
        "INSERT INTO users (email, created_ms) VALUES ('ann@example.com', 1) RETURNING user_id"
    )
    await database.executemany(
        "INSERT INTO identities (issuer, subject, user_id, email, created_ms) "
        "VALUES ('https://a', $1, $2, '', $3)",
        [(f"s{number}", user_id, number) for number in range(OWNERS_OF_USER_MAX + 5)],
    )
    owners = Owners(database, DEADLINE_MS)
    expected = tuple(f"https://a|s{number}" for number in range(OWNERS_OF_USER_MAX))
    assert await owners.of_user(user_id) == expected
    for stranger in range(10_001, 10_011):
        assert await owners.of_user(stranger) == ()
    assert list(owners._kept) == [10_008, 10_009, 10_010]


async def test_a_push_that_fails_keeps_the_connection_and_the_next_notice_comes(
    house: House, issuers: list[MoodyIssuer], management: Management
) -> None:
    token = issuers[0].tokens("ann@example.com")["idToken"]
    ann, push = await house.signs_in(token), house.push
    await connects("a=", token)
    management.open, management.broken = {"a="}, {"a="}
    with pytest.raises(MessageError, match="push"):
        await push.push(login_notice(1, ann, 1, "::1"))
    management.broken = set()
    running_push = Running([push])
    await running_push.start()
    push.add(login_notice(2, ann, 1, "::1"))
    await running_push.until(lambda: len(management.notices("a=")) == 1)
    await running_push.stop()
    assert [notice.notice_id for notice in management.notices("a=")] == ["login.2"]


async def test_when_too_many_wait_the_oldest_are_dropped(house: House) -> None:
    push = house.push
    for number in range(WAITING_MAX + 5):
        push.add(login_notice(number, 1001, 1, "::1"))
    assert push._waiting.qsize() == WAITING_MAX
    assert push._waiting.get_nowait().notice_id == "login.5"


def test_half_of_the_way_to_browsers_is_a_mistake() -> None:
    assert browsers(Settings()) is None
    with pytest.raises(SettingsError, match="both or neither"):
        browsers(Settings(notices_connections_table="t"))
