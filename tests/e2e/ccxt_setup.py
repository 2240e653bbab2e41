"""Settings that point an unmodified ccxt at another host; all else is ccxt's own default."""

from typing import Any
from urllib.parse import urlsplit

import ccxt

from tests.e2e.trader import Credentials

__all__ = ["RESTRICTED_OPTIONS", "ccxt_settings", "moved_urls"]

# What the documentation recommends for a spot-only exchange: fewer start-up calls (binance-spot-api 7.1).
RESTRICTED_OPTIONS: dict[str, Any] = {
    "fetchMarkets": {"types": ["spot"]},
    "fetchMargins": False,
    "fetchCurrencies": False,
}
CALL_DEADLINE_MS = 20_000


def moved_urls(urls: Any, base: str) -> Any:
    """The same paths on another host: `base` for http(s), its WebSocket twin for ws(s). Nested as given."""
    if isinstance(urls, dict):
        return {name: moved_urls(value, base) for name, value in urls.items()}
    parts = urlsplit(urls)
    websocket = parts.scheme in ("ws", "wss")
    origin = base.replace("http", "ws", 1) if websocket else base
    return f"{origin}{parts.path}"


def ccxt_settings(
    base: str, credentials: Credentials | None = None, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Constructor argument for `ccxt.binance` and its relatives."""
    settings: dict[str, Any] = {
        "urls": {"api": moved_urls(ccxt.binance().urls["api"], base)},
        "options": options or {},
        "timeout": CALL_DEADLINE_MS,
    }
    if credentials is not None:
        settings |= {"apiKey": credentials.api_key, "secret": credentials.secret_key}
    return settings
