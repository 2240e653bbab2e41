"""/v1/admin: who is let in, what his role allows, what is done and written down; many markets at once."""

import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.types import Receive, Scope, Send

from exchange.contracts import codes
from exchange.trading.markets_file import MARKETS_PER_PORTION, parse_markets, portions
from loadtest.replay.market_files import many_markets
from services.operator.admin import AdminApi
from services.operator.administrators import new_token
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
    RevokeAdministrator,
    SetMode,
    ShowAccount,
    SkipOne,
)
from tests.integration.operator.test_orders import Room, resources, room, settings

__all__ = ["resources", "room", "settings"]

pytestmark = pytest.mark.integration
LOOKS = (ListMarkets(), ShowAccount("1"))
ORDERS = (SetMode("BTCUSDT", "halt"), FreezeAccount("1"), AdjustBalance("1", "BTC", "1"), AddMarkets(""))
NEVER = (
    AddAdministrator("x", "ADMIN", "0" * 64), ListAdministrators(), RevokeAdministrator("olga"),
    ActivateTheRules(1), SkipOne(1, 0, "00"),
)  # fmt: skip


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """The user service, which must never see what is below /v1/admin."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Desk:
    """A client of the admin API with tokens of two roles."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.tokens: dict[str, str] = {}
        transport = httpx.ASGITransport(AdminApi(behind, room.resources))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://admin")

    async def let_in(self, name: str, role: str) -> None:
        token, token_hash = new_token()
        assert hashlib.sha256(token.encode()).hexdigest() == token_hash
        assert (await self.room.order(AddAdministrator(name, role, token_hash))).is_done
        self.tokens[name] = token

    async def order(self, name: str, order: Order, reason: str = "a test") -> httpx.Response:
        body: Any = {"order": msgspec.to_builtins(order), "reason": reason}
        header = {"Authorization": f"Bearer {self.tokens[name]}"}
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
    for order in NEVER:
        for name in desk.tokens:
            assert (await desk.order(name, order)).status_code == 403
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
    header = {"Authorization": f"Bearer {desk.tokens['olga']}"}
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
            for token in desk.tokens.values():
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
    header = {"Authorization": f"Bearer {desk.tokens['olga']}"}
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
