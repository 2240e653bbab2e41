"""exchangeInfo has every field that clients index, each of its kind."""

import pytest

from tests.conformance import covers
from tests.event_streams import RandomTrading
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
