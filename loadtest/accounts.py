"""Accounts for a load test: made and funded once, before the load, a few at a time."""

import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent.pool
import requests

__all__ = ["TradingKey", "open_account", "open_accounts"]

DEPOSITS = {"BTC": "1000", "ETH": "10000", "USDT": "50000000"}
REQUEST_DEADLINE_S = 30.0
ATTEMPTS = 5
RETRY_PAUSE_S = 1.0


class TradingKey(NamedTuple):
    """What signs a request."""

    api_key: str
    secret_key: bytes


def open_accounts(host: str, count: int, parallel: int, progress: Callable[[int], None]) -> list[TradingKey]:
    """Sign up `count` accounts with a key and money each. Raises RuntimeError when the exchange refuses."""
    pool = gevent.pool.Pool(parallel)
    keys: list[TradingKey] = []
    for key in pool.imap_unordered(open_account, [host] * count):
        keys.append(key)
        progress(len(keys))
    return keys


def open_account(host: str) -> TradingKey:
    """Sign up one account. Raises RuntimeError when the exchange refuses."""
    with requests.Session() as session:
        # Some environments name a proxy; the exchange is reached without.
        session.trust_env = False
        name = secrets.token_hex(8)
        login = {"email": f"load-{name}@example.com", "password": secrets.token_urlsafe(16)}
        _post(session, f"{host}/v1/users", login)
        token = _post(session, f"{host}/v1/sessions", login)["accessToken"]
        session.headers["Authorization"] = f"Bearer {token}"
        wish = {"label": "load test", "permissions": ["READ", "TRADE"]}
        key = _post(session, f"{host}/v1/api-keys", wish)
        for asset, amount in DEPOSITS.items():
            _post(session, f"{host}/v1/deposits", {"asset": asset, "amount": amount})
    return TradingKey(key["apiKey"], key["secretKey"].encode())


def _post(session: requests.Session, url: str, body: dict[str, Any]) -> dict[str, Any]:
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            gevent.sleep(RETRY_PAUSE_S * attempt)
        answer = session.post(url, json=body, timeout=REQUEST_DEADLINE_S)
        if answer.status_code == 201:
            parsed: dict[str, Any] = answer.json()
            return parsed
        problem = f"{url}: {answer.status_code} {answer.text[:300]}"
        if answer.status_code < 500 and answer.status_code != 429:
            break
    raise RuntimeError(problem)
