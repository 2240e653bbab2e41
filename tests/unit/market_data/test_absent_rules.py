"""What no market has is told as documented; public data may be read by browsers; statuses of markets."""

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import SetTradingMode
from tests.conformance import covers
from tests.event_streams import RandomTrading
from tests.unit.market_data.services import OfflineService

NO_REFERENCE = {"code": -2043, "msg": "This symbol doesn't have a reference price."}


@pytest.fixture
def trading() -> RandomTrading:
    trading = RandomTrading(31)
    trading.run(300)
    return trading


@pytest.fixture
def offline(trading: RandomTrading) -> OfflineService:
    offline = OfflineService()
    offline.apply(trading.stream.outcomes)
    offline.now_ms = offline.state.time_ms + 5_000
    return offline


@covers("GET /executionRules", "GET /historicalBlockTrades")
@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("executionRules", {"symbolRules": []}),
        ("executionRules?symbol=BTCUSDT", {"symbolRules": []}),
        ('executionRules?symbols=["BTCUSDT","ETHUSDT"]', {"symbolRules": []}),
        ("executionRules?symbolStatus=TRADING", {"symbolRules": []}),
        ("historicalBlockTrades?symbol=BTCUSDT&fromId=1&limit=5", []),
    ],
)
async def test_there_are_none(offline: OfflineService, query: str, answer: object) -> None:
    found = await offline.get(f"/api/v3/{query}")
    assert (found.status_code, found.json()) == (200, answer)


@covers("GET /referencePrice", "GET /referencePrice/calculation", "-2043")
@pytest.mark.parametrize("path", ["referencePrice", "referencePrice/calculation"])
async def test_no_market_has_a_reference_price(offline: OfflineService, path: str) -> None:
    found = await offline.get(f"/api/v3/{path}?symbol=BTCUSDT")
    assert (found.status_code, found.json()) == (400, NO_REFERENCE)


@covers("-1102", "-1121", "-1122", "-1128")
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("executionRules?symbol=BTCUSDT&symbolStatus=TRADING", -1128),
        ("executionRules?symbol=NOSUCH", -1121),
        ("executionRules?symbolStatus=OPEN", -1122),
        ("referencePrice", -1102),
        ("referencePrice?symbol=NOSUCH", -1121),
        ("historicalBlockTrades?symbol=BTCUSDT", -1102),
        ("historicalBlockTrades?fromId=1", -1102),
    ],
)
async def test_requests_are_checked_all_the_same(offline: OfflineService, query: str, code: int) -> None:
    found = await offline.get(f"/api/v3/{query}")
    assert (found.status_code, found.json()["code"]) == (400, code)


async def test_weights_are_the_documented_ones(offline: OfflineService) -> None:
    used = 0
    for query, weight in (
        ("executionRules", 40),
        ("executionRules?symbol=BTCUSDT", 2),
        ('executionRules?symbols=["BTCUSDT","ETHUSDT"]', 4),
        ("referencePrice?symbol=BTCUSDT", 2),
        ("historicalBlockTrades?symbol=BTCUSDT&fromId=1", 25),
    ):
        used += weight
        answer = await offline.get(f"/api/v3/{query}")
        assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) == used, query


@pytest.mark.parametrize("query", ["time", "depth?symbol=BTCUSDT", "depth?symbol=NOSUCH", "nothing"])
async def test_browsers_may_read_what_is_public(offline: OfflineService, query: str) -> None:
    found = await offline.request("GET", f"/api/v3/{query}")
    assert found.headers["access-control-allow-origin"] == "*"
    asked = await offline.request("HEAD", f"/api/v3/{query}")
    assert (asked.status_code, asked.content) == (found.status_code, b"")
    assert asked.headers["content-length"] == found.headers["content-length"] == str(len(found.content))


async def test_a_browser_that_asks_first_is_told_that_it_may(offline: OfflineService) -> None:
    answer = await offline.request("OPTIONS", "/api/v3/depth?symbol=BTCUSDT")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert "x-mbx-time-unit" in answer.headers["access-control-allow-headers"]
    assert (await offline.request("POST", "/api/v3/depth")).status_code == 405


ALL_TYPES = [
    *("LIMIT", "LIMIT_MAKER", "MARKET"),
    *("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
]


@covers("field status", "field orderTypes", "-1220")
@pytest.mark.parametrize(
    ("mode", "status", "types"),
    [
        (codes.MODE_TRADING, "TRADING", ALL_TYPES),
        (codes.MODE_POST_ONLY, "BREAK", ["LIMIT_MAKER"]),
        (codes.MODE_CANCEL_ONLY, "CANCEL_ONLY", ALL_TYPES),
        (codes.MODE_HALTED, "HALT", ALL_TYPES),
    ],
)
async def test_a_market_is_found_by_the_status_that_it_shows(
    offline: OfflineService, trading: RandomTrading, mode: int, status: str, types: list[str]
) -> None:
    """A bot that reads TRADING may place any type of order: so a market that takes few is on a BREAK."""
    offline.apply(trading.stream.apply(SetTradingMode(0, 1, mode), SetTradingMode(0, 2, codes.MODE_TRADING)))
    found = (await offline.get(f"/api/v3/exchangeInfo?symbol=BTCUSDT&symbolStatus={status}")).json()
    (shown,) = found["symbols"]
    assert (shown["status"], shown["orderTypes"]) == (status, types)
    rows = (await offline.get(f"/api/v3/ticker/price?symbolStatus={status}")).json()
    assert "BTCUSDT" in [row["symbol"] for row in rows]
    other = "HALT" if status != "HALT" else "TRADING"
    refused = await offline.get(f"/api/v3/ticker/price?symbol=BTCUSDT&symbolStatus={other}")
    assert (refused.status_code, refused.json()["code"]) == (400, -1220)
