"""What AWS runs behind API Gateway in every region: `read`, candles and trades of the market history.

The tables are copied to the other region by DynamoDB, a second or so behind, so a region where no engine runs
answers too. Each answer says how far the region's copy goes: `Exchange-As-Of` is the time of the market's
newest trade there, in milliseconds; 0 before the first. Settings: EXCHANGE_MARKET_HISTORY and
EXCHANGE_MARKET_HISTORY_SHARDS.
"""

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson

from exchange.adapters.chosen.market_history import open_market_history
from exchange.contracts.errors import ApiError, invalid_data, invalid_symbol
from exchange.http.query_parameters import integer, required, time_ms
from exchange.ports.world import HistoryError
from exchange.process.config import Settings
from exchange.trading.intervals import INTERVALS
from exchange.trading.market import Market
from exchange.trading.shown import kline_rows, trade_rows
from exchange.wall_clock import clock_ms
from services.market_history.reader import ITEMS_MAX, HistoryReader

__all__ = ["read"]

logger = logging.getLogger(__name__)

Event = Mapping[str, Any]
Answer = dict[str, Any]
_LIMIT: Final = 500


def read(event: Event, _context: object) -> Answer:
    """GET /api/v3/klines and /api/v3/historicalTrades. `event`: HTTP API, payload format 2.0."""
    try:
        return asyncio.run(_answer(event["routeKey"], event.get("queryStringParameters") or {}))
    except ApiError as error:
        body = {"code": error.code, "msg": error.message}
        return _said(error.status, orjson.dumps(body), {"Cache-Control": "no-store"})
    except HistoryError as error:
        logger.error("the history: %s", error)
        body = {"code": -1000, "msg": "An unknown error occurred while processing the request."}
        return _said(HTTPStatus.SERVICE_UNAVAILABLE, orjson.dumps(body), {"Cache-Control": "no-store"})


async def _answer(route: str, parameters: Mapping[str, str]) -> Answer:
    settings, now_ms = Settings.load(), clock_ms()
    symbol = required(parameters, "symbol")
    async with open_market_history(settings) as tables:
        reader = HistoryReader(
            tables.candles, tables.trades, shard=settings.shard, key_shards=settings.market_history_shards
        )
        market = await reader.market(symbol)
        if market is None:
            raise invalid_symbol()
        newest = await reader.trades(symbol, start_ms=None, end_ms=now_ms + 1, limit=1)
        ask = _klines if route.endswith("/klines") else _trades
        rows = await ask(reader, market, parameters, now_ms)
    as_of_ms = newest[0].time_ms if newest else 0
    headers = {"Exchange-As-Of": str(as_of_ms), "Cache-Control": "public, max-age=1"}
    return _said(HTTPStatus.OK, orjson.dumps(rows), headers)


async def _klines(
    reader: HistoryReader, market: Market, parameters: Mapping[str, str], now_ms: int
) -> object:
    interval = INTERVALS.get(required(parameters, "interval"))
    if interval is None:
        raise ApiError(-1120, "Invalid interval.")
    candles = await reader.candles(
        market.symbol,
        interval,
        now_ms=now_ms,
        start_ms=time_ms(parameters, "startTime"),
        end_ms=time_ms(parameters, "endTime"),
        limit=_limit(parameters),
    )
    return kline_rows(market, interval, candles)


async def _trades(
    reader: HistoryReader, market: Market, parameters: Mapping[str, str], now_ms: int
) -> object:
    limit, first_id = _limit(parameters), integer(parameters, "fromId")
    if first_id is None:
        found = await reader.trades(market.symbol, start_ms=None, end_ms=now_ms + 1, limit=limit)
    else:
        found = await reader.trades_by_id(market.symbol, first_id, limit)
    return trade_rows(market, found)


def _limit(parameters: Mapping[str, str]) -> int:
    limit = integer(parameters, "limit")
    if limit == 0:
        raise invalid_data("limit")
    return min(limit or _LIMIT, ITEMS_MAX)


def _said(status: int, body: bytes, headers: dict[str, str]) -> Answer:
    always = {"Content-Type": "application/json", "X-Content-Type-Options": "nosniff"}
    return {"statusCode": status, "headers": {**always, **headers}, "body": body.decode()}
