"""exchangeInfo has every field that clients index, each of its kind."""

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import SetTradingMode
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_kinds import ASSET, EXCHANGE, FILTER_KINDS, MARKET
from tests.conformance import covers
from tests.event_streams import EngineStream, RandomTrading
from tests.unit.engine.test_filters import some_values
from tests.unit.market_data.services import OfflineService


@pytest.fixture
def offline() -> OfflineService:
    offline = OfflineService()
    trading = RandomTrading(31)
    trading.run(20)
    offline.apply(trading.stream.outcomes)
    return offline


@covers(
    "GET /exchangeInfo",
    "field timezone",
    "field serverTime",
    "field rateLimits",
    "field exchangeFilters",
    "field sors",
    "field symbols",
    "field symbol",
    "field status",
    "field baseAsset",
    "field baseAssetPrecision",
    "field quoteAsset",
    "field quotePrecision",
    "field quoteAssetPrecision",
    "field baseCommissionPrecision",
    "field quoteCommissionPrecision",
    "field orderTypes",
    "field icebergAllowed",
    "field ocoAllowed",
    "field otoAllowed",
    "field opoAllowed",
    "field quoteOrderQtyMarketAllowed",
    "field allowTrailingStop",
    "field cancelReplaceAllowed",
    "field amendAllowed",
    "field pegInstructionsAllowed",
    "field isSpotTradingAllowed",
    "field isMarginTradingAllowed",
    "field filters",
    "field permissions",
    "field permissionSets",
    "field defaultSelfTradePreventionMode",
    "field allowedSelfTradePreventionModes",
)
async def test_exchange_info_has_every_documented_field(offline: OfflineService) -> None:
    info = (await offline.get("/api/v3/exchangeInfo")).json()
    assert (info["timezone"], info["serverTime"]) == ("UTC", offline.now_ms)
    # `sors` is for exchanges that route.
    assert info.keys() == {"timezone", "serverTime", "rateLimits", "exchangeFilters", "symbols"}
    assert [(one["rateLimitType"], one["limit"]) for one in info["rateLimits"]] == [
        ("REQUEST_WEIGHT", 6_000),
        ("ORDERS", 100),
        ("ORDERS", 200_000),
        ("RAW_REQUESTS", 300_000),
    ]
    text, number = (
        ("symbol", "status", "baseAsset", "quoteAsset", "defaultSelfTradePreventionMode"),
        (
            "baseAssetPrecision",
            "quotePrecision",
            "quoteAssetPrecision",
            "baseCommissionPrecision",
            "quoteCommissionPrecision",
        ),
    )
    flags = (
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
    )
    lists = ("orderTypes", "filters", "permissions", "permissionSets", "allowedSelfTradePreventionModes")
    for market in info["symbols"]:
        kinds = {
            name: kind
            for names, kind in ((text, str), (number, int), (flags, bool), (lists, list))
            for name in names
        }
        assert {name: type(value) for name, value in market.items()} == kinds
        assert market["symbol"] == market["baseAsset"] + market["quoteAsset"]


def changed_exchange(*changes: SetFilter | SetTradingMode) -> OfflineService:
    """A service on an exchange whose filters were changed."""
    offline, stream = OfflineService(), EngineStream()
    stream.apply(*changes)
    offline.apply(stream.outcomes)
    return offline


@pytest.mark.parametrize("kind", list(FILTER_KINDS))
async def test_exchange_info_tells_every_filter_as_it_is_now(kind: int) -> None:
    """Before and after, at once: nothing of the answer that was made before stays."""
    of = FILTER_KINDS[kind]
    market_id = 1 if of.scope == MARKET else 0
    asset_id = 3 if of.scope == ASSET else 0
    command = SetFilter(1, kind, market_id, asset_id, *(*some_values(kind), 0, 0, 0, 0)[:4])
    offline = OfflineService()
    stream = EngineStream()
    offline.apply(stream.outcomes)
    before = (await offline.get("/api/v3/exchangeInfo")).json()
    count = len(stream.outcomes)
    stream.apply(command)
    offline.apply(stream.outcomes[count:])
    after = (await offline.get("/api/v3/exchangeInfo")).json()
    (btcusdt, ethusdt), (old, other) = after["symbols"][:2], before["symbols"][:2]
    assert ethusdt == other
    if of.scope == ASSET:
        # An asset's limit is told by myFilters alone (binance-spot-api 2.2).
        assert after["symbols"] == before["symbols"]
        return
    shapes = after["exchangeFilters"] if of.scope == EXCHANGE else btcusdt["filters"]
    (shape,) = [one for one in shapes if one["filterType"] == of.name]
    assert shape not in old["filters"]
    assert shape.keys() - {"filterType", "avgPriceMins"} == {name for name, _ in of.fields}
    assert btcusdt["filters"][0]["filterType"] == "PRICE_FILTER"
    others = [one for one in btcusdt["filters"] if one["filterType"] != of.name]
    # What a market does not say of its own follows the range that it has now.
    follows = {"MARKET_LOT_SIZE"} if of.name == "LOT_SIZE" else set()
    assert [one for one in others if one["filterType"] not in follows] == [
        one for one in old["filters"] if one["filterType"] not in {of.name, *follows}
    ]


async def test_a_market_that_has_ended_is_at_the_end_of_its_day() -> None:
    offline = changed_exchange(SetTradingMode(1, 1, codes.MODE_RETIRED))
    info = (await offline.get("/api/v3/exchangeInfo?symbolStatus=END_OF_DAY")).json()
    assert [(one["symbol"], one["status"]) for one in info["symbols"]] == [("BTCUSDT", "END_OF_DAY")]
