"""One account of the exchange, seen only through its public API.

Tests sign up, fund and check accounts with it; the trading itself is done by the clients under test.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlencode

import httpx

__all__ = ["Credentials", "Trader", "TraderError", "signed_query"]

REQUEST_DEADLINE_S = 20.0
LEDGER_PAGE = 500
# How long a read is asked for again that the exchange cannot answer now.
READABLE_S = 30.0


class TraderError(AssertionError):
    """The exchange refused something that the test takes for granted."""


@dataclass(frozen=True)
class Credentials:
    """What a client needs to act for an account."""

    user_id: int
    email: str
    password: str
    access_token: str
    api_key: str
    secret_key: str = field(repr=False)


def signed_query(credentials: Credentials, parameters: Mapping[str, str | int]) -> str:
    """The query text with timestamp and HMAC signature (binance-spot-api 1)."""
    query = urlencode({**parameters, "timestamp": int(time.time() * 1000)})
    signature = hmac.new(credentials.secret_key.encode(), query.encode(), hashlib.sha256).hexdigest()
    return f"{query}&signature={signature}"


class Trader:
    """An account with an API key that may read and trade."""

    def __init__(self, url: str, client: httpx.Client, credentials: Credentials) -> None:
        self.url = url
        self.credentials = credentials
        self._client = client

    @classmethod
    def sign_up(cls, url: str, *, deposits: Mapping[str, str] | None = None) -> Self:
        """Create an account with a random name, a key for it, and fund it from the faucet."""
        client = httpx.Client(base_url=url, timeout=REQUEST_DEADLINE_S, trust_env=False)
        try:
            trader = cls(url, client, _open_account(client))
            for asset, amount in (deposits or {}).items():
                trader.deposit(asset, amount)
        except BaseException:
            client.close()
            raise
        return trader

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def deposit(self, asset: str, amount: str) -> None:
        """Take money from the faucet."""
        _post(self._client, "/v1/deposits", {"asset": asset, "amount": amount}, self._bearer)

    def sign_in(self) -> None:
        """Open a new session: those before may be lost with the cache that kept them."""
        login = {"email": self.credentials.email, "password": self.credentials.password}
        token = _post(self._client, "/v1/sessions", login)["accessToken"]
        self.credentials = replace(self.credentials, access_token=token)

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credentials.access_token}"}

    def signed(self, method: str, path: str, **parameters: str | int) -> httpx.Response:
        """A signed request with everything in the query. Any answer is returned as it is."""
        url = f"{path}?{signed_query(self.credentials, parameters)}"
        return self._client.request(method, url, headers={"X-MBX-APIKEY": self.credentials.api_key})

    def ask(self, method: str, path: str, **parameters: str | int) -> Any:
        """The JSON of a signed request that must succeed.

        What cannot be read now, on a machine that is busy or from a ledger that lags, is asked for again, as
        the answer (503, -1001) bids: a test is of what is read.
        """
        give_up = time.monotonic() + READABLE_S
        response = self.signed(method, path, **parameters)
        while method == "GET" and response.status_code == 503 and time.monotonic() < give_up:
            time.sleep(0.1)
            response = self.signed(method, path, **parameters)
        if response.status_code != 200:
            raise TraderError(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return response.json()

    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Asset -> (free, locked), zero ones left out."""
        account = self.ask("GET", "/api/v3/account")
        pairs = {b["asset"]: (Decimal(b["free"]), Decimal(b["locked"])) for b in account["balances"]}
        return {asset: pair for asset, pair in pairs.items() if any(pair)}

    def orders(self, symbol: str) -> dict[str, dict[str, Any]]:
        """Every order ever placed in a market, by client order id."""
        return {
            order["clientOrderId"]: order for order in self._pages("/api/v3/allOrders", symbol, "orderId")
        }

    def trades(self, symbol: str) -> list[dict[str, Any]]:
        """Every own trade in a market, oldest first."""
        return self._pages("/api/v3/myTrades", symbol, "id")

    def _pages(self, path: str, symbol: str, key: str) -> list[dict[str, Any]]:
        """All rows of a list that is paged by id, from the first one on."""
        cursor = {"orderId": "orderId", "id": "fromId"}[key]
        rows: list[dict[str, Any]] = []
        start = 0
        while True:
            page = self.ask("GET", path, symbol=symbol, limit=1000, **{cursor: start})
            rows.extend(page)
            if len(page) < 1000:
                return rows
            start = page[-1][key] + 1

    def ledger(self, asset: str) -> list[dict[str, Any]]:
        """Every ledger entry of the account in one asset, in order."""
        rows: list[dict[str, Any]] = []
        seen: set[int] = set()
        start = 0
        while True:
            parameters: dict[str, str | int] = {"asset": asset, "fromId": start, "limit": LEDGER_PAGE}
            response = self._client.get("/v1/ledger", params=parameters, headers=self._bearer)
            if response.status_code != 200:
                raise TraderError(f"GET /v1/ledger: {response.status_code} {response.text[:300]}")
            # fromId may include the entry itself or start behind it: take either.
            page = [row for row in response.json()["entries"] if row["entryId"] not in seen]
            if not page:
                return sorted(rows, key=lambda row: int(row["entryId"]))
            rows.extend(page)
            seen.update(row["entryId"] for row in page)
            start = max(seen)

    def cancel_everything(self) -> None:
        """Leave no open order behind, in any market."""
        for symbol in {order["symbol"] for order in self.ask("GET", "/api/v3/openOrders")}:
            self.ask("DELETE", "/api/v3/openOrders", symbol=symbol)


def _open_account(client: httpx.Client) -> Credentials:
    login = {"email": f"trader-{secrets.token_hex(8)}@example.com", "password": secrets.token_urlsafe(16)}
    user = _post(client, "/v1/users", login)
    session = _post(client, "/v1/sessions", login)
    bearer = {"Authorization": f"Bearer {session['accessToken']}"}
    key = _post(client, "/v1/api-keys", {"label": "tests", "permissions": ["READ", "TRADE"]}, bearer)
    return Credentials(
        user_id=user["userId"],
        email=login["email"],
        password=login["password"],
        access_token=session["accessToken"],
        api_key=key["apiKey"],
        secret_key=key["secretKey"],
    )


def _post(
    client: httpx.Client, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    response = client.post(path, json=body, headers=headers)
    if response.status_code != 201:
        raise TraderError(f"POST {path}: {response.status_code} {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    return answer
