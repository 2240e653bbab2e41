"""The function that every region answers public reads with: API Gateway's events, rows of a history."""

import asyncio
import json
from typing import Any

import pytest

from exchange.process.config import Settings
from services.market_history.aws_lambda import main as function
from tests.event_streams import START_MS
from tests.integration.market_history.conftest import SHARDS
from tests.integration.market_history.trading import Tape, follow

pytestmark = pytest.mark.integration


async def ask(path: str, **parameters: object) -> tuple[int, Any, dict[str, str]]:
    """Status, body and headers of a call as AWS makes it: in a process where no event loop runs."""
    event = {
        "version": "2.0",
        "routeKey": f"GET {path}",
        "queryStringParameters": {name: str(value) for name, value in parameters.items()},
    }
    answer = await asyncio.to_thread(function.read, event, None)
    return answer["statusCode"], json.loads(answer["body"]), answer["headers"]


@pytest.fixture
async def tape(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Tape:
    """A history that was written, and is what the function's environment names."""
    made = Tape(seed=31)
    await made.grow(120)
    await follow(settings, made.log, made.seq)
    monkeypatch.setenv("EXCHANGE_MARKET_HISTORY", settings.market_history)
    monkeypatch.setenv("EXCHANGE_MARKET_HISTORY_SHARDS", str(SHARDS))
    monkeypatch.setenv("EXCHANGE_MARKET_HISTORY_DEADLINE_MS", "120000")
    return made


async def test_trades_and_candles_of_this_region_and_how_far_its_copy_goes(tape: Tape) -> None:
    for symbol, trades in tape.trades.items():
        status, rows, headers = await ask("/api/v3/historicalTrades", symbol=symbol, limit=7)
        assert status == 200
        assert [(row["id"], row["time"], row["isBuyerMaker"]) for row in rows] == [
            (trade.id, trade.time_ms, trade.buyer_is_maker) for trade in trades[-7:]
        ]
        # The newest there is: whoever asks sees how far this region is behind the leading one.
        assert headers["Exchange-As-Of"] == str(trades[-1].time_ms)
        _, first, _ = await ask("/api/v3/historicalTrades", symbol=symbol, limit=3, fromId=1)
        assert [row["id"] for row in first] == [1, 2, 3]
        end_ms = tape.now_ms
        span = {"startTime": START_MS - 60_000, "endTime": end_ms, "limit": 1_000}
        _, candles, _ = await ask("/api/v3/klines", symbol=symbol, interval="1m", **span)
        assert sum(candle[8] for candle in candles) == len(trades)
        assert (candles[0][1], candles[-1][4]) == (first[0]["price"], rows[-1]["price"])
        assert all(candle[0] % 60_000 == 0 and candle[6] == candle[0] + 59_999 for candle in candles)


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("/api/v3/klines", {"interval": "1m"}, -1102),
        ("/api/v3/klines", {"symbol": "BTCUSDT"}, -1102),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("/api/v3/klines", {"symbol": "NONE", "interval": "1m"}, -1121),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": "x"}, -1100),
        ("/api/v3/historicalTrades", {"symbol": "BTCUSDT", "limit": "0"}, -1130),
    ],
)
async def test_what_is_asked_wrongly_is_answered_as_everywhere(
    tape: Tape, path: str, parameters: dict[str, str], code: int
) -> None:
    status, body, headers = await ask(path, **parameters)
    assert (status, body["code"]) == (400, code)
    assert headers["Cache-Control"] == "no-store"


async def test_a_history_that_is_away_is_no_empty_one(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_MARKET_HISTORY", "dynamodb:none-candles,none-trades")
    monkeypatch.setenv("EXCHANGE_MARKET_HISTORY_DEADLINE_MS", "2000")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "t")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "t")
    status, body, _ = await ask("/api/v3/klines", symbol="BTCUSDT", interval="1m")
    assert (status, body["code"]) == (503, -1000)
