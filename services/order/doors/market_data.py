"""Market data for the WebSocket API: asked of the market-data service by HTTP GET, passed on as it comes.

One connection a request, closed afterwards: these are rare beside streams, and nothing is shared that a
half-read answer could poison. Bounded in size and in time.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import quote, urlencode, urlsplit

import httptools

from exchange.contracts.errors import unavailable

__all__ = ["MARKET_DATA_PATHS", "MarketDataClient", "MarketDataSource"]

ANSWER_SIZE_BYTES_MAX: Final = 16 * 1024 * 1024
_CHUNK_SIZE_BYTES: Final = 65_536
# Method of the WebSocket API -> path below /api/v3 (binance-spot-api 5 and 2).
MARKET_DATA_PATHS: Final = {
    "exchangeInfo": "/exchangeInfo",
    "depth": "/depth",
    "trades.recent": "/trades",
    "trades.historical": "/historicalTrades",
    "trades.aggregate": "/aggTrades",
    "klines": "/klines",
    "uiKlines": "/uiKlines",
    "avgPrice": "/avgPrice",
    "ticker": "/ticker",
    "ticker.24hr": "/ticker/24hr",
    "ticker.tradingDay": "/ticker/tradingDay",
    "ticker.price": "/ticker/price",
    "ticker.book": "/ticker/bookTicker",
    "executionRules": "/executionRules",
    "referencePrice": "/referencePrice",
    "referencePrice.calculation": "/referencePrice/calculation",
    "blockTrades.historical": "/historicalBlockTrades",
}


class MarketDataSource(Protocol):
    """Who is asked: the service over HTTP, or itself where it is in the same process."""

    async def get(self, path: str, parameters: Mapping[str, str], unit: int) -> tuple[int, bytes]:
        """Status and raw JSON of GET /api/v3{path}; times are multiplied by `unit`. Raises ApiError -1001."""
        ...


class _Answer:
    """What httptools calls back while it reads an answer."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.is_complete = False

    def on_body(self, chunk: bytes) -> None:
        self.body += chunk

    def on_message_complete(self) -> None:
        self.is_complete = True


class MarketDataClient:
    """Asks `base_url` (http or https, without a path)."""

    def __init__(self, base_url: str, deadline_s: float) -> None:
        parts = urlsplit(base_url)
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._deadline_s = deadline_s

    async def get(self, path: str, parameters: Mapping[str, str], unit: int) -> tuple[int, bytes]:
        """Return status and raw JSON of GET /api/v3{path}. Raises ApiError -1001 when there is no answer."""
        target = f"/api/v3{path}"
        if parameters:
            target += "?" + urlencode(parameters, quote_via=quote)
        lines = [f"GET {target} HTTP/1.1", f"Host: {self._host}:{self._port}", "Connection: close"]
        if unit != 1:
            lines.append("X-MBX-TIME-UNIT: MICROSECOND")
        request = "\r\n".join((*lines, "", "")).encode("ascii")
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._exchange(request)
        except (OSError, httptools.HttpParserError):  # TimeoutError is an OSError
            raise unavailable() from None

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._is_tls or None)
        try:
            writer.write(request)
            await writer.drain()
            answer = _Answer()
            parser = httptools.HttpResponseParser(answer)
            while not answer.is_complete:
                chunk = await reader.read(_CHUNK_SIZE_BYTES)
                if not chunk:
                    break
                parser.feed_data(chunk)
                if len(answer.body) > ANSWER_SIZE_BYTES_MAX:
                    raise OSError("the answer is too large")
            if not answer.is_complete or not answer.body:
                raise OSError("the answer is incomplete")
            return parser.get_status_code(), bytes(answer.body)
        finally:
            writer.close()
