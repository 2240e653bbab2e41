"""A small client of the exchange's own public API, for programs that trade on it like anybody else."""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from exchange.wall_clock import clock_ms

__all__ = ["HOUSE_ROLES", "AccountStore", "ApiError", "TradingAccount", "house_addresses"]

# The market maker's accounts.
HOUSE_ROLES: Final = ("market-maker", "market-taker")

_BAD_KEY = -2015
_RETRY_AFTER_S_MAX = 60


class ApiError(Exception):
    """The exchange answered with an error. `retry_after_s` is what it asked for, 0 for nothing."""

    def __init__(self, status: int, code: int, message: str, retry_after_s: int) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


class AccountStore:
    """A file, readable by its owner only, with the secret that names the accounts, and their API keys.

    A later run on the same file uses the same accounts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._state = {"secret": secrets.token_hex(32), "keys": {}}
            self._write()

    def login(self, role: str) -> dict[str, str]:
        """E-mail address and password of a role, derived from the secret."""
        digest = hmac.new(bytes.fromhex(self._state["secret"]), role.encode(), hashlib.sha256).hexdigest()
        return {"email": f"{role}-{digest[:12]}@example.com", "password": digest[12:44]}

    def key(self, role: str) -> tuple[str, str] | None:
        """API key and secret key of a role, if it has them."""
        pair = self._state["keys"].get(role)
        return None if pair is None else (pair[0], pair[1])

    def keep_key(self, role: str, api_key: str, secret_key: str) -> None:
        """Remember a role's key."""
        self._state["keys"][role] = [api_key, secret_key]
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self._state, file)
        os.replace(temporary, self._path)


def house_addresses(store_file: Path) -> frozenset[str]:
    """The e-mail addresses of the market maker's accounts; the file is made if need be. Raises OSError."""
    store = AccountStore(store_file)
    return frozenset(store.login(role)["email"] for role in HOUSE_ROLES)


@dataclass
class TradingAccount:
    """One role's account. `open` before anything else; every call raises ApiError or httpx.HTTPError."""

    client: httpx.AsyncClient
    store: AccountStore
    role: str
    _api_key: str = ""
    _secret_key: str = ""
    _access_token: str = ""

    async def open(self) -> None:
        """Sign up or log in, and make an API key unless the kept one still works."""
        login = self.store.login(self.role)
        try:
            await self._post("/v1/users", login)
        except ApiError as error:
            # The account is there from an earlier run; a wrong guess shows at the log-in that follows.
            if error.status >= 500 or error.status == 429:
                raise
        session = await self._post("/v1/sessions", login)
        self._access_token = str(session["accessToken"])
        kept = self.store.key(self.role)
        if kept is not None:
            self._api_key, self._secret_key = kept
            try:
                await self.signed("GET", "/api/v3/account", {"omitZeroBalances": "true"})
                return
            except ApiError as error:
                if error.code != _BAD_KEY:
                    raise
        key = await self._post("/v1/api-keys", {"label": self.role, "permissions": ["READ", "TRADE"]})
        self._api_key, self._secret_key = str(key["apiKey"]), str(key["secretKey"])
        self.store.keep_key(self.role, self._api_key, self._secret_key)

    async def deposit(self, asset: str, amount: str) -> None:
        """Take money from the faucet."""
        await self._post("/v1/deposits", {"asset": asset, "amount": amount})

    async def signed(self, method: str, path: str, parameters: Mapping[str, str]) -> Any:
        """The answer to a signed request."""
        query = urlencode({**parameters, "timestamp": str(clock_ms())})
        signature = hmac.new(self._secret_key.encode(), query.encode(), hashlib.sha256).hexdigest()
        url = f"{path}?{query}&signature={signature}"
        return _answer(await self.client.request(method, url, headers={"X-MBX-APIKEY": self._api_key}))

    async def _post(self, path: str, body: Mapping[str, object]) -> Any:
        headers = {"Authorization": f"Bearer {self._access_token}"} if self._access_token else {}
        return _answer(await self.client.post(path, json=body, headers=headers))


def _answer(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json()
    try:
        body = response.json()
        code, message = int(body.get("code", 0)), str(body.get("msg", ""))
    except (ValueError, AttributeError, TypeError):
        code, message = 0, response.text[:200]
    raise ApiError(response.status_code, code, message, _retry_after_s(response))


def _retry_after_s(response: httpx.Response) -> int:
    text = response.headers.get("Retry-After", "")
    return min(int(text), _RETRY_AFTER_S_MAX) if text.isascii() and text.isdigit() else 0
