"""/v1/admin: who is let in, what his role allows, what is done and written down; many markets at once."""

import base64
import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.types import Receive, Scope, Send

from exchange.contracts import codes
from exchange.security.one_time_codes import totp_code
from exchange.trading.markets_file import MARKETS_PER_PORTION, parse_markets, portions
from loadtest.replay.market_files import many_markets
from services.operator.admin import AdminApi
from services.operator.administrators import new_factor, new_token
from services.operator.asking import ORDER_SIZE_BYTES_MAX
from services.operator.orders import (
    ActivateTheRules,
    AddAdministrator,
    AddMarkets,
    AdjustBalance,
    FreezeAccount,
    ListAdministrators,
    ListMarkets,
    Order,
    RenewFactor,
    RevokeAdministrator,
    SetMode,
    ShowAccount,
    SkipOne,
)
from services.operator.second_factors import SESSION_LIFETIME_MS
from tests.integration.operator.test_orders import Room, resources, room, settings

__all__ = ["resources", "room", "settings"]

pytestmark = pytest.mark.integration
LOOKS = (ListMarkets(), ShowAccount("1"))
ORDERS = (SetMode("BTCUSDT", "halt"), FreezeAccount("1"), AdjustBalance("1", "BTC", "1"), AddMarkets(""))
NEVER = (
    AddAdministrator("x", "ADMIN", "0" * 64, "A" * 32), RenewFactor("olga", "A" * 32),
    ListAdministrators(), RevokeAdministrator("olga"),
    ActivateTheRules(1), SkipOne(1, 0, "00"),
)  # fmt: skip


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """The user service, which must never see what is below /v1/admin."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Desk:
    """A client of the admin API with sessions of two roles; `now_ms` is the time of its door."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.tokens: dict[str, str] = {}
        self.secrets: dict[str, bytes] = {}
        self.sessions: dict[str, str] = {}
        self.now_ms = 1_800_000_000_000
        app = AdminApi(behind, room.resources, lambda: {"engine": None, "order": "away"}, lambda: self.now_ms)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://admin")

    async def let_in(self, name: str, role: str) -> None:
        token, token_hash = new_token()
        assert hashlib.sha256(token.encode()).hexdigest() == token_hash
        secret, uri = new_factor(name)
        assert f"secret={secret}" in uri
        assert (await self.room.order(AddAdministrator(name, role, token_hash, secret))).is_done
        self.tokens[name], self.secrets[name] = token, base64.b32decode(secret)
        self.sessions[name] = (await self.begin(name)).json()["session"]

    def code(self, name: str) -> str:
        return totp_code(self.secrets[name], self.now_ms // 30_000)

    async def begin(self, name: str, code: str | None = None, token: str | None = None) -> httpx.Response:
        header = {"Authorization": f"Bearer {self.tokens[name] if token is None else token}"}
        body = {"code": self.code(name) if code is None else code}
        return await self.client.post("/v1/admin/sessions", json=body, headers=header)

    async def order(self, name: str, order: Order, reason: str = "a test") -> httpx.Response:
        body: Any = {"order": msgspec.to_builtins(order), "reason": reason}
        header = {"Authorization": f"Bearer {self.sessions[name]}"}
        answer = await self.client.post("/v1/admin/orders", json=body, headers=header)
        await self.room.running.until(lambda: self.room.ledger.last_seq == self.room.engine.stream.seq)
        return answer


@pytest.fixture
async def desk(room: Room) -> AsyncIterator[Desk]:
    desk = Desk(room)
    await desk.let_in("olga", "ADMIN")
    await desk.let_in("victor", "VIEWER")
    yield desk
    await desk.client.aclose()


async def test_a_token_alone_looks_at_nothing_and_orders_nothing(desk: Desk) -> None:
    desk.sessions["olga"] = desk.tokens["olga"]
    for order in (ListMarkets(), SetMode("BTCUSDT", "halt")):
        assert (await desk.order("olga", order)).status_code == 401, order
    assert desk.room.mode_of(1) == codes.MODE_TRADING


async def test_a_code_is_good_once_and_six_are_tried_a_minute(desk: Desk) -> None:
    used = await desk.begin("olga")
    assert used.status_code == 401, "the code of her first session"
    assert "wait for the next" in used.json()["lines"][0]
    desk.now_ms += 30_000
    assert (await desk.begin("olga", token=desk.tokens["victor"])).status_code == 401, "another's code"
    right = await desk.begin("olga")
    assert (right.status_code, right.json()["role"]) == (200, "ADMIN")
    desk.now_ms += 60_000
    for wrong in ("000000", "x", "", "1" * 900):
        assert (await desk.begin("victor", wrong)).status_code == 401
    assert [act for act, _ in await desk.room.acts()][-4:] == ["operator-code-refused"] * 4
    statuses = [(await desk.begin("victor", "000000")).status_code for _ in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert (await desk.begin("victor")).status_code == 429, "also a right one, then"
    desk.now_ms += 60_000
    assert (await desk.begin("victor")).status_code == 200
    last, detail = (await desk.room.acts())[-1]
    assert (last, detail) == ("operator-session", {"who": "victor", "role": "VIEWER"})


async def test_a_session_ends_by_its_time_by_its_owner_and_with_his_right(desk: Desk) -> None:
    header = {"Authorization": f"Bearer {desk.sessions['olga']}"}
    assert (await desk.client.delete("/v1/admin/sessions", headers=header)).status_code == 200
    assert (await desk.order("olga", ListMarkets())).status_code == 401
    assert (await desk.order("victor", ListMarkets())).status_code == 200, "another's lives on"
    desk.now_ms += SESSION_LIFETIME_MS
    assert (await desk.order("victor", ListMarkets())).status_code == 401
    desk.sessions["olga"] = (await desk.begin("olga")).json()["session"]
    assert (await desk.order("olga", ListMarkets())).status_code == 200
    secret, _ = new_factor("olga")
    assert (await desk.room.order(RenewFactor("olga", secret))).is_done
    assert (await desk.order("olga", ListMarkets())).status_code == 401, "with her old authenticator"
    assert (await desk.begin("olga")).status_code == 401
    desk.secrets["olga"] = base64.b32decode(secret)
    for _ in range(12):
        desk.now_ms += 30_000
        assert (await desk.begin("olga")).status_code == 200
    async with desk.room.resources.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM administrator_sessions") == 10


async def test_what_a_gateway_brings_reaches_no_operator_unless_the_settings_say_so(desk: Desk) -> None:
    for header in ({"X-Forwarded-For": "1.2.3.4"}, {"Forwarded": "for=1.2.3.4"}):
        for path in (
            "/operator/",
            "/operator",
            "/operator/page.js",
            "/v1/admin/orders",
            "/v1/admin/sessions",
        ):
            answer = await desk.client.post(
                path, headers=header | {"Authorization": f"Bearer {desk.sessions['olga']}"}
            )
            assert answer.status_code == 204, "the service's own answer, as for any path"
    settings = desk.room.resources.settings.model_copy(update={"admin_by_gateway": True})
    app = AdminApi(behind, replace(desk.room.resources, settings=settings), dict)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://admin") as client:
        answer = await client.get("/operator/", headers={"X-Forwarded-For": "1.2.3.4"})
    assert answer.status_code == 200


async def test_the_page_is_three_files_under_a_strict_policy(desk: Desk) -> None:
    for path, kind in (("", "text/html"), ("page.js", "text/javascript"), ("page.css", "text/css")):
        answer = await desk.client.get(f"/operator/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        )
        assert "unsafe" not in policy
        head = await desk.client.head(f"/operator/{path}")
        assert (head.status_code, head.content) == (200, b"")
    assert (await desk.client.get("/operator")).headers["location"] == "/operator/"
    assert (await desk.client.get("/operator/x")).status_code == 404
    assert (await desk.client.post("/operator/")).status_code == 405


async def test_health_is_that_of_the_whole_for_who_is_logged_in(desk: Desk) -> None:
    header = {"Authorization": f"Bearer {desk.sessions['victor']}"}
    assert (await desk.client.get("/v1/admin/health")).status_code == 401
    answer = await desk.client.get("/v1/admin/health", headers=header)
    assert answer.json()["lines"] == ["engine: ok", "order: away"]


async def test_nobody_is_let_in_without_a_token_of_his_own(desk: Desk) -> None:
    for header in (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": "Bearer " + "A" * 43},
        {"Authorization": "Basic"},
    ):
        answer = await desk.client.post("/v1/admin/orders", json={}, headers=header)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert (await desk.client.get("/v1/accounts/me")).status_code == 204, "all else is the service's"
    await desk.room.order(RevokeAdministrator("olga"))
    assert (await desk.order("olga", ListMarkets())).status_code == 401


async def test_a_role_allows_what_it_allows(desk: Desk) -> None:
    sent = len(desk.room.engine.commands)
    for order in ORDERS:
        assert (await desk.order("victor", order)).status_code == 403
    for forbidden in NEVER:
        for name in desk.tokens:
            assert (await desk.order(name, forbidden)).status_code == 403
    assert len(desk.room.engine.commands) == sent
    assert (await desk.order("victor", LOOKS[0])).json()["lines"][0] == "BTCUSDT: trading"


async def test_what_is_ordered_is_done_and_written_down_under_the_token_s_name(desk: Desk) -> None:
    answer = await desk.order("olga", SetMode("BTCUSDT", "cancel-only"), "a price that jumps")
    assert answer.status_code == 200
    assert desk.room.mode_of(1) == codes.MODE_CANCEL_ONLY
    (_, asked), (act, _) = (await desk.room.acts())[-2:]
    assert (asked["who"], asked["reason"], act) == ("olga (/v1/admin)", "a price that jumps", "operator-done")
    refused = await desk.order("olga", SetMode("DOGEUSDT", "halt"))
    assert refused.status_code == 409
    assert (await desk.order("olga", SetMode("BTCUSDT", "halt"), "  ")).status_code == 400
    forged = {"order": {"type": "SetMode", "symbol": "ALL", "word": "halt"}, "reason": "x", "who": "victor"}
    header = {"Authorization": f"Bearer {desk.sessions['olga']}"}
    assert (await desk.client.post("/v1/admin/orders", json=forged, headers=header)).status_code == 400


async def test_no_token_is_written_anywhere(desk: Desk) -> None:
    async with desk.room.resources.database.acquire() as connection:
        tables = [
            row["name"] for row in await connection.fetch(
                "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
            )
        ]  # fmt: skip
        assert "administrators" in tables
        for table in tables:
            rows = await connection.fetch(f"SELECT t::text AS text FROM {table} t LIMIT 1000")
            never = [*desk.tokens.values(), *desk.sessions.values()]
            never += [
                form
                for secret in desk.secrets.values()
                for form in (secret.hex(), base64.b32encode(secret).decode())
            ]
            for token in never:
                assert not [row for row in rows if token in row["text"]], table


async def test_a_balance_is_corrected_both_ways(desk: Desk) -> None:
    user_id = await desk.room.sign_up("alice@example.com")
    assert (await desk.order("olga", AdjustBalance("alice@example.com", "BTC", "1.5"))).status_code == 200
    taken = await desk.order("olga", AdjustBalance(str(user_id), "BTC", "-0.5"))
    assert taken.status_code == 200
    account = desk.room.engine.stream.engine.accounts
    assert account.available(user_id, 1) == 100_000_000
    for amount in ("0", "-0", "", "1e3", "--1", "+-1", "0.000000001", "x"):
        answer = await desk.order("olga", AdjustBalance(str(user_id), "BTC", amount))
        assert answer.status_code == 409, amount
    assert (await desk.order("olga", AdjustBalance(str(user_id), "DOGE", "1"))).status_code == 409
    too_much = await desk.order("olga", AdjustBalance(str(user_id), "BTC", "-2"))
    assert "INSUFFICIENT" in too_much.json()["lines"][0]


async def test_an_order_is_bounded_and_nonsense_is_told(desk: Desk) -> None:
    header = {"Authorization": f"Bearer {desk.sessions['olga']}"}
    for body in (b"", b"x", b"[]", b'{"order": 1, "reason": "x"}', b"\xff"):
        answer = await desk.client.post("/v1/admin/orders", content=body, headers=header)
        assert answer.status_code == 400, body
    large = await desk.client.post(
        "/v1/admin/orders", content=b"x" * (ORDER_SIZE_BYTES_MAX + 1), headers=header
    )
    assert large.status_code == 413
    assert (await desk.client.get("/v1/admin/orders", headers=header)).status_code == 404


async def test_three_hundred_markets_are_added_in_portions_that_fit(desk: Desk) -> None:
    text = many_markets(300, 100)
    parts = portions(text)
    assert len(parts) == 300 // MARKETS_PER_PORTION
    assert max(len(part) for part in parts) < 40_000
    assert [m for part in parts for m in parse_markets(part).markets] == list(parse_markets(text).markets)
    for part in parts:
        answer = await desk.order("olga", AddMarkets(part))
        assert answer.status_code == 200, answer.text
    assert len(desk.room.engine.stream.engine.markets) == 300
    assert portions(many_markets(3, 3)) == [many_markets(3, 3)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--url", "http://127.0.0.1:9", "markets", "list"], "ADMIN_TOKEN is empty"),
        (["admins", "add", "x", "--reason", "y", "--socket", "z"], "No such option"),
    ],
)
def test_the_command_says_what_is_missing(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.operator", *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert said in done.stderr
