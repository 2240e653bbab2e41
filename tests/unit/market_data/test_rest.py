"""The public REST endpoints: shapes, parameters, errors."""

import functools
from typing import Any

import orjson
import pytest

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import BUY
from tests.conformance import covers
from tests.event_streams import START_MS, RandomTrading
from tests.unit.market_data.services import OfflineService

EMPTY = "00000000"


@functools.cache
def traded() -> tuple[CommandOutcome, ...]:
    """What every test's service is told, decided once."""
    trading = RandomTrading(31)
    trading.run(1_500)
    return tuple(trading.stream.outcomes)


@pytest.fixture
def offline() -> OfflineService:
    offline = OfflineService()
    offline.apply(traded())
    offline.now_ms = offline.state.time_ms + 5_000
    return offline


@covers("GET /ping", "GET /time")
async def test_ping_and_time(offline: OfflineService) -> None:
    assert (await offline.get("/api/v3/ping")).json() == {}
    assert (await offline.get("/api/v3/time")).json() == {"serverTime": offline.now_ms}
    fine = await offline.get("/api/v3/time", **{"X-MBX-TIME-UNIT": "microsecond"})
    assert fine.json() == {"serverTime": offline.now_ms * 1000 + 7}


async def test_exchange_info_says_all_that_clients_need(offline: OfflineService) -> None:
    answer = await offline.get("/api/v3/exchangeInfo")
    info = answer.json()
    assert list(info) == ["timezone", "serverTime", "rateLimits", "exchangeFilters", "symbols"]
    assert [one["symbol"] for one in info["symbols"]] == [
        view.market.symbol for view in offline.state.views.values()
    ]
    market = info["symbols"][0]
    assert [one["filterType"] for one in market["filters"]] == [
        "PRICE_FILTER",
        "LOT_SIZE",
        "MARKET_LOT_SIZE",
        "NOTIONAL",
        "PERCENT_PRICE_BY_SIDE",
        "MAX_NUM_ORDERS",
        "ICEBERG_PARTS",
        "MAX_NUM_ALGO_ORDERS",
        "MAX_NUM_ICEBERG_ORDERS",
        "MAX_NUM_ORDER_LISTS",
        "MAX_NUM_ORDER_AMENDS",
        "TRAILING_DELTA",
    ]
    assert market["orderTypes"] == [
        *("LIMIT", "LIMIT_MAKER", "MARKET"),
        *("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
    ]
    assert market["permissionSets"] == [["SPOT"]]
    assert market["permissions"] == []
    assert market["status"] in ("TRADING", "CANCEL_ONLY", "HALT")
    assert {name for name, value in market.items() if isinstance(value, bool)} == {
        "icebergAllowed",
        "ocoAllowed",
        "otoAllowed",
        "opoAllowed",
        "quoteOrderQtyMarketAllowed",
        "allowTrailingStop",
        "cancelReplaceAllowed",
        "amendAllowed",
        "pegInstructionsAllowed",
        "isSpotTradingAllowed",
        "isMarginTradingAllowed",
    }


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("symbol=BTCUSDT", ["BTCUSDT"]),
        ("symbols=%5B%22ETHUSDT%22,%22BTCUSDT%22%5D", ["ETHUSDT", "BTCUSDT"]),
        ('symbols=["ETHUSDT"]', ["ETHUSDT"]),
        ("permissions=MARGIN", []),
        ("symbolStatus=BREAK", []),
    ],
)
async def test_exchange_info_shows_the_symbols_asked_for(
    offline: OfflineService, query: str, symbols: list[str]
) -> None:
    info = (await offline.get(f"/api/v3/exchangeInfo?{query}")).json()
    assert [one["symbol"] for one in info["symbols"]] == symbols


@covers("GET /depth")
async def test_depth_is_the_book_at_the_last_event(offline: OfflineService) -> None:
    view = offline.state.by_symbol["BTCUSDT"]
    for number in range(3):
        view.book.change(BUY, 4_000_000 - number, 1 + number)
    for _ in range(2):
        depth = (await offline.get("/api/v3/depth?symbol=BTCUSDT&limit=5")).json()
        assert list(depth) == ["lastUpdateId", "bids", "asks"]
        assert depth["lastUpdateId"] == offline.state.seq
        best = view.book.bids.best()
        assert best is not None
        assert depth["bids"][0] == [view.market.price(best[0]), view.market.quantity(best[1])]
        assert len(depth["bids"]) == min(5, len(view.book.bids))
        offline.state.seq += 1
    assert best is not None
    view.book.change(BUY, best[0], 1)
    depth = (await offline.get("/api/v3/depth?symbol=BTCUSDT&limit=5")).json()
    assert depth["bids"][0][1] == view.market.quantity(best[1] + 1)


@covers("GET /trades", "GET /historicalTrades", "GET /aggTrades")
async def test_trades_and_aggregate_trades_add_up(offline: OfflineService) -> None:
    trades = (await offline.get("/api/v3/trades?symbol=BTCUSDT&limit=1000")).json()
    assert list(trades[0]) == ["id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"]
    assert [one["id"] for one in trades] == list(range(1, len(trades) + 1))
    joined = (await offline.get("/api/v3/aggTrades?symbol=BTCUSDT&limit=1000")).json()
    assert list(joined[0]) == ["a", "p", "q", "f", "l", "T", "m", "M"]
    assert sum(one["l"] - one["f"] + 1 for one in joined) == len(trades)
    some = (await offline.get("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=10&limit=3")).json()
    assert some == trades[9:12]
    middle = joined[40]
    later = (await offline.get(f"/api/v3/aggTrades?symbol=BTCUSDT&fromId={middle['a']}&limit=5")).json()
    assert later == joined[40:45]
    ranged = await offline.get(
        f"/api/v3/aggTrades?symbol=BTCUSDT&startTime={middle['T']}&endTime={joined[50]['T']}"
    )
    assert ranged.json() == [one for one in joined if middle["T"] <= one["T"] <= joined[50]["T"]]
    until = await offline.get(f"/api/v3/aggTrades?symbol=BTCUSDT&endTime={middle['T']}&limit=4")
    assert until.json() == [one for one in joined if one["T"] <= middle["T"]][-4:]


@covers("GET /klines", "GET /uiKlines")
async def test_klines_are_rows_of_twelve(offline: OfflineService) -> None:
    trades = (await offline.get("/api/v3/trades?symbol=BTCUSDT&limit=1000")).json()
    for path in ("klines", "uiKlines"):
        rows = (await offline.get(f"/api/v3/{path}?symbol=BTCUSDT&interval=1s")).json()
        assert all(len(row) == 12 for row in rows)
        assert sum(row[8] for row in rows) == len(trades)
        assert all(row[6] == row[0] + 999 for row in rows)
        assert rows[0][1] == trades[0]["price"]
        assert rows[-1][4] == trades[-1]["price"]
        assert rows[-1][11] == "0"
    fine = await offline.get(
        "/api/v3/klines?symbol=BTCUSDT&interval=1M&timeZone=%2B08:00", **{"X-MBX-TIME-UNIT": "MICROSECOND"}
    )
    (month,) = fine.json()
    assert month[0] % 1_000_000 == 0
    assert month[6] % 1_000_000 == 999_999
    for unit, last in (("MILLISECOND", 86_399_999), ("MICROSECOND", 86_399_999_999)):
        day = await offline.get("/api/v3/ticker/tradingDay?symbol=BTCUSDT", **{"X-MBX-TIME-UNIT": unit})
        assert day.json()["closeTime"] - day.json()["openTime"] == last
    micro = await offline.get(f"/api/v3/klines?symbol=BTCUSDT&interval=1s&startTime={rows[1][0]}000&limit=1")
    assert micro.json() == [rows[1]]


FULL_DAY = (
    "symbol priceChange priceChangePercent weightedAvgPrice prevClosePrice lastPrice lastQty bidPrice bidQty "
    "askPrice askQty openPrice highPrice lowPrice volume quoteVolume openTime closeTime firstId lastId count"
)
FULL = (
    "symbol priceChange priceChangePercent weightedAvgPrice openPrice highPrice lowPrice lastPrice volume "
    "quoteVolume openTime closeTime firstId lastId count"
)
MINI = (
    "symbol openPrice highPrice lowPrice lastPrice volume quoteVolume openTime closeTime firstId lastId count"
)


@covers(
    "GET /ticker/24hr",
    "GET /ticker",
    "GET /ticker/tradingDay",
    "GET /ticker/price",
    "GET /ticker/bookTicker",
    "GET /avgPrice",
)
@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("/ticker/24hr?symbol=BTCUSDT", FULL_DAY),
        ("/ticker/24hr?symbol=BTCUSDT&type=FULL", FULL_DAY),
        ("/ticker/24hr?symbol=BTCUSDT&type=MINI", MINI),
        ("/ticker?symbol=BTCUSDT", FULL),
        ("/ticker?symbol=BTCUSDT&windowSize=7d&type=MINI", MINI),
        ("/ticker/tradingDay?symbol=BTCUSDT&timeZone=8", FULL),
        ("/ticker/tradingDay?symbol=BTCUSDT&type=MINI", MINI),
        ("/ticker/price?symbol=BTCUSDT", "symbol price"),
        ("/ticker/bookTicker?symbol=BTCUSDT", "symbol bidPrice bidQty askPrice askQty"),
        ("/avgPrice?symbol=BTCUSDT", "mins price closeTime"),
    ],
)
async def test_tickers_have_binances_keys(offline: OfflineService, query: str, keys: str) -> None:
    answer = await offline.get(f"/api/v3{query}")
    assert answer.status_code == 200, answer.text
    row = answer.json()
    assert list(row) == keys.split()
    trades = (await offline.get("/api/v3/trades?symbol=BTCUSDT&limit=1000")).json()
    if "count" in row:
        assert row["count"] == len(trades)
        assert row["lastPrice"] == trades[-1]["price"]
        assert row["highPrice"] == max((one["price"] for one in trades), key=float)


@pytest.mark.parametrize("path", ["24hr", "price", "bookTicker"])
async def test_tickers_without_a_symbol_are_arrays_of_all(offline: OfflineService, path: str) -> None:
    rows = (await offline.get(f"/api/v3/ticker/{path}")).json()
    assert [row["symbol"] for row in rows] == list(offline.state.by_symbol)
    listed = (await offline.get(f'/api/v3/ticker/{path}?symbols=["ETHUSDT"]')).json()
    assert [row["symbol"] for row in listed] == ["ETHUSDT"]


async def test_a_market_without_trades_has_zeros(offline: OfflineService) -> None:
    symbol = list(offline.state.by_symbol)[2]
    day = (await offline.get(f"/api/v3/ticker/24hr?symbol={symbol}")).json()
    assert day["lastPrice"] == f"0.{EMPTY}"
    assert (day["count"], day["firstId"], day["lastId"]) == (0, -1, -1)
    assert (await offline.get(f"/api/v3/avgPrice?symbol={symbol}")).json()["price"] == f"0.{EMPTY}"
    assert (await offline.get(f"/api/v3/klines?symbol={symbol}&interval=1d")).json() == []
    assert (await offline.get(f"/api/v3/trades?symbol={symbol}")).json() == []
    assert (await offline.get(f"/api/v3/aggTrades?symbol={symbol}&startTime={START_MS}")).json() == []


MANDATORY = "Mandatory parameter '%s' was not sent, was empty/null, or malformed."
UNREAD = "Not all sent parameters were read; read '%d' parameter(s) but was sent '%d'."


@covers(
    "-1020",
    "-1100",
    "-1101",
    "-1102",
    "-1104",
    "-1105",
    "-1108",
    "-1120",
    "-1121",
    "-1122",
    "-1128",
    "-1130",
    "-1139",
    "-1151",
    "-1220",
)
@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("/depth", -1102, MANDATORY % "symbol"),
        ("/depth?symbol=", -1102, MANDATORY % "symbol"),
        ("/depth?symbol=NOPE", -1121, "Invalid symbol."),
        ("/depth?symbol=btcusdt", -1100, None),
        ("/depth?symbol=BTC%C3%9CSDT", -1100, None),
        ("/depth?symbol=%FF", -1100, None),
        ("/depth?symbol=BTCUSDT&limit=x", -1100, None),
        ("/depth?symbol=BTCUSDT&limit=1e3", -1100, None),
        ("/depth?symbol=BTCUSDT&limit=", -1105, "Parameter 'limit' was empty."),
        ("/depth?symbol=BTCUSDT&limit=0", -1130, "Data sent for parameter 'limit' is not valid."),
        ("/depth?symbol=BTCUSDT&limit=99999999999999999999", -1108, "Parameter 'limit' overflowed."),
        ("/depth?symbol=BTCUSDT&a=1", -1104, UNREAD % (1, 2)),
        ("/depth?symbol=BTCUSDT&symbol=BTCUSDT", -1101, None),
        ("/ping?a=1", -1101, "Too many parameters; expected '0' and received '1'."),
        ("/depth?symbol=BTCUSDT&symbolStatus=OPEN", -1122, "Invalid symbolStatus."),
        ("/depth?symbol=BTCUSDT&symbolStatus=BREAK", -1220, None),
        ("/klines?symbol=BTCUSDT", -1102, MANDATORY % "interval"),
        ("/klines?symbol=BTCUSDT&interval=1D", -1120, "Invalid interval."),
        ("/klines?symbol=BTCUSDT&interval=1d&timeZone=15", -1130, None),
        (
            "/aggTrades?symbol=BTCUSDT&fromId=1&startTime=1",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        ("/ticker/24hr?symbol=BTCUSDT&type=BIG", -1139, "Invalid ticker type."),
        ("/ticker/24hr?symbol=BTCUSDT&symbols=[]", -1128, None),
        ("/ticker/24hr?symbols=BTCUSDT", -1100, None),
        ("/ticker/24hr?symbols=[1]", -1100, None),
        ('/ticker/24hr?symbols=["BTCUSDT","BTCUSDT"]', -1151, None),
        ('/ticker/24hr?symbols=["NOPE"]', -1121, "Invalid symbol."),
        ("/ticker", -1102, "Param 'symbol' or 'symbols' must be sent, but both were empty/null!"),
        ("/ticker?symbol=BTCUSDT&windowSize=8d", -1130, None),
        ("/exchangeInfo?symbol=BTCUSDT&permissions=SPOT", -1128, None),
        ("/exchangeInfo?showPermissionSets=maybe", -1130, None),
        ("/nothing", -1020, "This operation is not supported."),
    ],
)
async def test_bad_requests_get_binances_codes_and_texts(
    offline: OfflineService, query: str, code: int, message: str | None
) -> None:
    answer = await offline.get(f"/api/v3{query}")
    body: dict[str, Any] = answer.json()
    assert 400 <= answer.status_code < 500
    assert list(body) == ["code", "msg"]
    assert body["code"] == code
    if message is not None:
        assert body["msg"] == message


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("depth", 5_000),
        ("trades", 1_000),
        ("historicalTrades", 1_000),
        ("aggTrades", 1_000),
        ("klines", 1_000),
    ],
)
async def test_a_page_larger_than_the_largest_is_the_largest(
    offline: OfflineService, path: str, most: int
) -> None:
    query = f"/api/v3/{path}?symbol=BTCUSDT" + ("&interval=1s" if path == "klines" else "")
    largest, larger = [await offline.get(f"{query}&limit={limit}") for limit in (most, most + 1)]
    assert (larger.status_code, larger.json()) == (200, largest.json())


async def test_a_query_with_more_bytes_than_are_read_is_told_so(offline: OfflineService) -> None:
    answer = await offline.get(f"/api/v3/depth?symbol=BTCUSDT&limit={'1' * 32_768}")
    text = "Too many parameters sent for this endpoint; at most 32768 bytes are read."
    assert (answer.status_code, answer.json()) == (414, {"code": -1101, "msg": text})


async def test_who_charges_for_another_in_this_process_pays_nothing_here(offline: OfflineService) -> None:
    """The WebSocket API of `make run` has charged whoever asks it, and asks the service itself."""
    rest = offline.service.rest
    before = (await offline.get("/api/v3/ping")).headers["X-MBX-USED-WEIGHT-1M"]
    status, body = await rest.get("/depth", {"symbol": "BTCUSDT", "limit": "5000"}, 1)
    assert (status, list(orjson.loads(body))) == (200, ["lastUpdateId", "bids", "asks"])
    status, body = await rest.get("/ticker/price", {"symbols": '["NOPE"]'}, 1)
    assert (status, orjson.loads(body)) == (400, {"code": -1121, "msg": "Invalid symbol."})
    status, body = await rest.get("/time", {}, 1_000)
    assert orjson.loads(body)["serverTime"] // 1_000 == offline.now_ms
    after = (await offline.get("/api/v3/ping")).headers["X-MBX-USED-WEIGHT-1M"]
    assert int(after) == int(before) + 1


@covers("-1194")
async def test_a_bad_time_unit_is_refused(offline: OfflineService) -> None:
    answer = await offline.get("/api/v3/time", **{"X-MBX-TIME-UNIT": "HOUR"})
    assert answer.json()["code"] == -1194


@pytest.mark.parametrize("path", ["/api/v1/ping", "/api/v3", "/sapi/v1/nothing", "/nothing"])
async def test_unknown_routes_answer_in_binances_way(offline: OfflineService, path: str) -> None:
    answer = await offline.get(path)
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "msg"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/fapi/v1/exchangeInfo", {"symbols": []}),
        ("/dapi/v1/exchangeInfo", {"symbols": []}),
    ],
)
async def test_stubs_let_clients_start(offline: OfflineService, path: str, expected: object) -> None:
    assert (await offline.get(path)).json() == expected


async def test_weights_add_up_in_the_header_and_start_anew_each_minute(offline: OfflineService) -> None:
    first = await offline.get("/api/v3/depth?symbol=BTCUSDT&limit=500")
    second = await offline.get("/api/v3/exchangeInfo")
    used = [int(answer.headers["X-MBX-USED-WEIGHT-1M"]) for answer in (first, second)]
    assert used == [25, 45]
    offline.now_ms += 60_000
    assert (await offline.get("/api/v3/ping")).headers["X-MBX-USED-WEIGHT-1M"] == "1"


@covers("-1003")
async def test_an_address_beyond_its_weight_is_told_when_to_come_back(offline: OfflineService) -> None:
    answers = [await offline.get("/api/v3/depth?symbol=BTCUSDT&limit=5000") for _ in range(25)]
    assert {answer.status_code for answer in answers[:24]} == {200}
    assert (answers[24].status_code, answers[24].json()["code"]) == (429, -1003)
    assert 1 <= int(answers[24].headers["Retry-After"]) <= 60
    offline.now_ms += 60_000
    assert (await offline.get("/api/v3/ping")).status_code == 200
