"""What a test asks of its exchange beside the public API: paths below /bench, in this process alone."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.serving.house import House, HouseError
from exchange.contracts import codes
from exchange.http.bodies import BodyRefusedError, send_whole, whole_body
from exchange.process.components import Resources
from exchange.wall_clock import clock_ms
from local.assembly import AssembledExchange
from local.bad_days.door import BadDays
from local.replay.feeding import Plan, Replay
from local.replay.files import symbols
from local.replay.prints import FileError
from services.user.component import UserService
from services.user.money.transfers import AmountError, UnknownAssetError
from services.user.tables.accounts import AccountStore
from services.user.tables.database import Database

__all__ = ["Accounts", "BenchDoor"]

_BODY_SIZE_BYTES_MAX: Final = 65_536
# Everybody's, and its hash: there is nothing to keep secret, and a hash costs as much as an account.
_PASSWORD: Final = "correct horse battery"
_PASSWORD_HASH: Final = (
    "$argon2id$v=19$m=19456,t=2,p=1$d6offzx4bG7qbuOIG3NO9A$pdC8mcbbaWOdXnSDyiw90xPItcQ8NxdfYHA4bFvIRMA"
)
_PERMISSIONS: Final = frozenset({"READ", "TRADE", "WITHDRAW"})
_MODES: Final = {
    "halt": codes.MODE_HALTED,
    "cancel-only": codes.MODE_CANCEL_ONLY,
    "post-only": codes.MODE_POST_ONLY,
    "reopen": codes.MODE_TRADING,
}
_REFUSALS: Final = (
    HouseError,
    FileError,
    OSError,
    UnknownAssetError,
    AmountError,
    msgspec.MsgspecError,
    KeyError,
    ValueError,
)


class Accounts:
    """Opens accounts as the user service does, all with one password."""

    def __init__(self, resources: Resources, user: UserService) -> None:
        deadline_ms = resources.settings.database_deadline_ms
        self._store = AccountStore(Database(resources.database, deadline_ms))
        self._user = user

    async def open(self, money: dict[str, str]) -> tuple[int, str]:
        """A new account with money; its number and e-mail address. Raises UnknownAssetError, AmountError."""
        for code in money:
            self._user.transfers.asset(code)
        email = f"bench-{secrets.token_hex(6)}@example.com"
        user_id = await self._store.add_user(email, _PASSWORD_HASH, clock_ms(), "127.0.0.1")
        deposits = (self._user.transfers.deposit(user_id, code, much) for code, much in money.items())
        await asyncio.gather(*deposits)
        return user_id, email

    async def open_with_key(self, money: dict[str, str], permissions: list[str]) -> dict[str, object]:
        """As the client's `Account` wants it."""
        if not set(permissions) <= _PERMISSIONS:
            raise ValueError(f"permissions are among {', '.join(sorted(_PERMISSIONS))}")
        user_id, email = await self.open(money)
        pair = await self._user.accounts.create_api_key(user_id, "bench", permissions, (), None, "127.0.0.1")
        return {
            "user_id": user_id,
            "api_key": pair.api_key,
            "secret_key": pair.secret_key,
            "email": email,
            "password": _PASSWORD,
        }


class BenchDoor:
    """ASGI wrapper: /bench/... is answered here, all else by the exchange."""

    def __init__(
        self, exchange: AssembledExchange, resources: Resources, house: House, accounts: Accounts
    ) -> None:
        self._exchange = exchange
        self._resources = resources
        self._house = house
        self._accounts = accounts
        self._doors: dict[tuple[str, str], Callable[[dict[str, Any]], Awaitable[object]]] = {
            ("POST", "/bench/accounts"): self._account,
            ("POST", "/bench/walk"): self._walk,
            ("POST", "/bench/empty"): self._empty,
            ("POST", "/bench/mode"): self._mode,
            ("POST", "/bench/clean"): self._clean,
            ("POST", "/bench/replay"): self._replay,
            ("GET", "/bench/clock"): self._clock,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] != "http" or not scope["path"].startswith("/bench/"):
            app: ASGIApp = self._exchange.app
            await app(scope, receive, send)
            return
        door = self._doors.get((scope["method"], scope["path"]))
        try:
            if door is None:
                raise HouseError("no such door")
            text = await whole_body(receive, _BODY_SIZE_BYTES_MAX)
            status, body = 200, await door(msgspec.json.decode(text or b"{}", type=dict[str, Any]))
        except BodyRefusedError as error:
            status, body = error.status, {"error": str(error)}
        except _REFUSALS as error:
            status, body = 400, {"error": f"{type(error).__name__}: {error}"}
        await send_whole(send, status, msgspec.json.encode(body))

    async def _account(self, body: dict[str, Any]) -> object:
        made = await self._accounts.open_with_key(dict(body["money"]), list(body["permissions"]))
        await self._caught_up()
        return made

    async def _walk(self, body: dict[str, Any]) -> object:
        await self._house.walk(str(body["symbol"]), str(body["price"]), int(body["steps"]))
        return {}

    async def _empty(self, body: dict[str, Any]) -> object:
        await self._house.empty(str(body["symbol"]))
        return {}

    async def _mode(self, body: dict[str, Any]) -> object:
        await self._house.set_mode(str(body["symbol"]), _MODES[body["mode"]])
        return {}

    async def _clean(self, _: dict[str, Any]) -> object:
        if isinstance(self._exchange.app, BadDays):
            self._exchange.app.plan.call_off()
        await self._house.clean()
        return {}

    async def _replay(self, body: dict[str, Any]) -> object:
        files = [Path(str(file)) for file in body["files"]]
        for symbol in sorted(symbols(files)):
            await self._house.empty(symbol)
        plan = Plan(files, float(body["speed"]), int(body["seed"]), int(body["levels"]))
        found = await Replay(plan, self._exchange, self._resources).run(lambda _: None)
        await self._caught_up()
        return msgspec.to_builtins(found)

    async def _clock(self, _: dict[str, Any]) -> object:
        state = self._exchange.market_data.markets.state
        return {"engineMs": state.time_ms, "seq": state.seq, "pid": os.getpid()}

    async def _caught_up(self) -> None:
        """Deposits were decided: until the order service's view has them, too."""
        state, view = self._exchange.market_data.markets.state, self._exchange.order.engine.view
        seq = state.seq
        async with asyncio.timeout(5.0):
            while view.seq < seq:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
