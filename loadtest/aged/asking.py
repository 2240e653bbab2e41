"""The commonest requests, and how long each takes: one after the other, by HTTP, as a client sends them."""

import hmac
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import httpx

from loadtest.aged.shape import BUSIEST, DAY_MS, Scale

__all__ = ["Account", "Answered", "Request", "ask", "open_account", "requests_for"]

REPEATS: Final = 20
_DEADLINE_S: Final = 60.0


class Account(NamedTuple):
    """The busiest account, as its owner has it."""

    api_key: str
    secret_key: bytes
    token: str


class Request(NamedTuple):
    """`who`: nobody, a key's owner who signs, or a session's."""

    name: str
    service: str
    path: str
    parameters: Mapping[str, object]
    who: str = "nobody"


class Answered(NamedTuple):
    """Times of a request in ms. `first_ms`: when nothing was asked before."""

    first_ms: float
    median_ms: float
    worst_ms: float
    bytes: int


def requests_for(scale: Scale, old_order: int) -> list[Request]:
    """Of the present, and the same of years ago. `old_order`: a filled one of the busiest, in BTCUSDT."""
    now_ms, symbol = scale.now_ms, {"symbol": "BTCUSDT"}
    hour_ago, years_ago = now_ms - 3_600_000, now_ms - 3 * 365 * DAY_MS
    old_trade = max(1, scale.trades // 8)
    day = {"startTime": years_ago, "endTime": years_ago + DAY_MS}

    def market(name: str, path: str, **parameters: object) -> Request:
        return Request(name, "market-data", f"/api/v3/{path}", parameters)

    def signed(name: str, path: str, **parameters: object) -> Request:
        return Request(name, "order", f"/api/v3/{path}", parameters, "key")

    def session(name: str, path: str, **parameters: object) -> Request:
        return Request(name, "user", f"/v1/{path}", parameters, "session")

    return [
        market("exchangeInfo", "exchangeInfo"),
        market("depth, 1,000 levels", "depth", **symbol, limit=1_000),
        market("trades, newest 1,000", "trades", **symbol, limit=1_000),
        market("historicalTrades, of years ago", "historicalTrades", **symbol, fromId=old_trade, limit=1_000),
        market("aggTrades, an hour of years ago", "aggTrades", **symbol, startTime=years_ago, limit=1_000),
        market("klines 1m, newest 1,000", "klines", **symbol, interval="1m", limit=1_000),
        market(
            "klines 5m, 100 days ago", "klines", **symbol, interval="5m", limit=1_000,
            startTime=now_ms - 100 * DAY_MS,
        ),
        market("klines 1m, years ago", "klines", **symbol, interval="1m", limit=1_000, startTime=years_ago),
        market("klines 1d, all years", "klines", **symbol, interval="1d", limit=1_000),
        market("ticker/24hr, all", "ticker/24hr"),
        signed("account", "account"),
        signed("openOrders", "openOrders", **symbol),
        signed("order, of years ago", "order", **symbol, orderId=old_order),
        signed("order by name, that 20 names share", "order", **symbol, origClientOrderId="grid-6"),
        signed("order by a name never used", "order", **symbol, origClientOrderId="never-used"),
        signed("allOrders, newest 500", "allOrders", **symbol),
        signed("allOrders since an hour ago", "allOrders", **symbol, startTime=hour_ago),
        signed("allOrders, a day of years ago", "allOrders", **symbol, **day, limit=1_000),
        signed("myTrades, newest 500", "myTrades", **symbol),
        signed("myTrades since an hour ago", "myTrades", **symbol, startTime=hour_ago),
        signed("myTrades, a day of years ago", "myTrades", **symbol, **day, limit=1_000),
        signed("myTrades from an id of years ago", "myTrades", **symbol, fromId=old_trade, limit=1_000),
        signed("myTrades of an old order", "myTrades", **symbol, orderId=old_order),
        session("ledger, from the first entry", "ledger", limit=500),
        session("ledger of one asset, from the middle", "ledger", asset="BTC", limit=500,
                fromId=scale.trades * 50),
        session("deposits", "deposits"),
        session("withdrawals", "withdrawals"),
    ]  # fmt: skip


def open_account(user_url: str) -> Account:
    """Sign up: the first account of this exchange, the one with the most behind it. Raises RuntimeError."""
    login = {"email": "busiest@example.com", "password": "as old as the exchange"}
    with httpx.Client(base_url=user_url, trust_env=False, timeout=_DEADLINE_S) as client:

        def post(path: str, body: Mapping[str, object], token: str = "") -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = client.post(path, json=body, headers=headers)
            if answer.status_code != 201:
                raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:300]}")
            found: dict[str, Any] = answer.json()
            return found

        user_id = post("/v1/users", login)["userId"]
        if user_id != BUSIEST:
            raise RuntimeError(f"the first account has number {user_id}, not {BUSIEST}")
        token = post("/v1/sessions", login)["accessToken"]
        key = post("/v1/api-keys", {"label": "aged", "permissions": ["READ", "TRADE"]}, token)
    return Account(key["apiKey"], key["secretKey"].encode(), token)


def ask(url: str, request: Request, account: Account, after_first: Callable[[], None]) -> Answered:
    """Ask once, call `after_first`, then REPEATS times more. Raises RuntimeError on no answer."""
    with httpx.Client(base_url=url, trust_env=False, timeout=_DEADLINE_S) as client:
        first = _ask_once(client, request, account)
        after_first()
        times = sorted(_ask_once(client, request, account)[0] for _ in range(REPEATS))
    return Answered(first[0], statistics.median(times), times[-1], first[1])


def _ask_once(client: httpx.Client, request: Request, account: Account) -> tuple[float, int]:
    query, headers = urlencode(request.parameters), {}
    if request.who == "session":
        headers["Authorization"] = f"Bearer {account.token}"
    if request.who == "key":
        query = urlencode({**request.parameters, "timestamp": time.time_ns() // 1_000_000})
        signature = hmac.digest(account.secret_key, query.encode(), "sha256").hex()
        query, headers["X-MBX-APIKEY"] = f"{query}&signature={signature}", account.api_key
    began_s = time.perf_counter()
    answer = client.get(f"{request.path}?{query}", headers=headers)
    took_ms = (time.perf_counter() - began_s) * 1_000
    # An order that is not this account's, or a name that nobody used, is an answer too.
    if answer.status_code != 200 and answer.json().get("code") != -2013:
        raise RuntimeError(f"{request.name}: {answer.status_code} {answer.text[:300]}")
    return took_ms, len(answer.content)
