"""What Binance's spot API has, item by item: which test covers it, or why it is not there.

`covers` marks a test with the items that it shows. docs/conformance.md is made of these marks by
`python -m tests.conformance`, and `tests/unit/test_conformance.py` holds the two equal: an item counts as
working when a test of the suite says so, and no item is both covered and left out.

Items: the public documentation of 2026-07, as in `binance-spot-api`, sections 2 to 6.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import pytest

__all__ = ["ABSENT", "ITEMS", "LEFT_OUT", "REFUSED", "UNUSED", "covered", "covers", "document"]

ROOT: Final = Path(__file__).parents[1]
DOCUMENT: Final = ROOT / "docs" / "conformance.md"
Test = TypeVar("Test")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


# Area -> its items. Names are unique over all areas.
ITEMS: Final[dict[str, tuple[str, ...]]] = {
    "REST": _lines("""
        GET /ping
        GET /time
        GET /exchangeInfo
        GET /executionRules
        GET /depth
        GET /trades
        GET /historicalTrades
        GET /historicalBlockTrades
        GET /aggTrades
        GET /klines
        GET /uiKlines
        GET /avgPrice
        GET /ticker/24hr
        GET /ticker/tradingDay
        GET /ticker/price
        GET /ticker/bookTicker
        GET /ticker
        GET /referencePrice
        GET /referencePrice/calculation
        POST /order
        POST /order/test
        GET /order
        DELETE /order
        POST /order/cancelReplace
        DELETE /openOrders
        PUT /order/amend/keepPriority
        POST /order/oco
        POST /orderList/oco
        POST /orderList/oto
        POST /orderList/otoco
        POST /orderList/opo
        POST /orderList/opoco
        DELETE /orderList
        POST /sor/order
        POST /sor/order/test
        GET /account
        GET /openOrders
        GET /allOrders
        GET /orderList
        GET /allOrderList
        GET /openOrderList
        GET /myTrades
        GET /rateLimit/order
        GET /myPreventedMatches
        GET /myAllocations
        GET /account/commission
        GET /order/amendments
        GET /myFilters
    """),
    "WebSocket API": tuple(
        f"ws {name}"
        for name in _words("""
        ping time exchangeInfo executionRules depth trades.recent trades.historical blockTrades.historical
        trades.aggregate klines uiKlines avgPrice ticker.24hr ticker.tradingDay ticker
        ticker.price ticker.book
        referencePrice referencePrice.calculation session.logon session.status session.logout order.place
        order.test order.cancel order.cancelReplace order.amend.keepPriority openOrders.cancelAll
        orderList.place
        orderList.place.oco orderList.place.oto orderList.place.otoco orderList.place.opo
        orderList.place.opoco
        orderList.cancel sor.order.place sor.order.test account.status order.status
        openOrders.status allOrders
        orderList.status openOrderLists.status allOrderLists myTrades account.rateLimits.orders
        myPreventedMatches myAllocations account.commission order.amendments myFilters
        userDataStream.subscribe
        userDataStream.subscribe.signature session.subscriptions userDataStream.unsubscribe
        """)
    ),
    "Market streams": _lines("""
        <symbol>@trade
        <symbol>@aggTrade
        <symbol>@kline_<interval>
        <symbol>@kline_<interval>@+08:00
        <symbol>@miniTicker
        !miniTicker@arr
        <symbol>@ticker
        <symbol>@ticker_<window>
        !ticker_<window>@arr
        <symbol>@bookTicker
        <symbol>@avgPrice
        <symbol>@depth<levels>
        <symbol>@depth
        <symbol>@referencePrice
        <symbol>@blockTrade
    """),
    "Control messages of streams": _words(
        "SUBSCRIBE UNSUBSCRIBE LIST_SUBSCRIPTIONS SET_PROPERTY GET_PROPERTY"
    ),
    "Events": _lines("""
        executionReport
        outboundAccountPosition
        balanceUpdate
        eventStreamTerminated
        listStatus
        externalLockUpdate
        serverShutdown of streams
        serverShutdown of the WebSocket API
    """),
    "Order types": tuple(
        f"type {name}"
        for name in _words("LIMIT MARKET LIMIT_MAKER STOP_LOSS STOP_LOSS_LIMIT TAKE_PROFIT TAKE_PROFIT_LIMIT")
    ),
    "Times in force": ("timeInForce GTC", "timeInForce IOC", "timeInForce FOK"),
    "Parameters of orders": tuple(
        f"parameter {name}"
        for name in _words(
            "quoteOrderQty newOrderRespType cancelRestrictions cancelReplaceMode orderRateLimitExceededMode "
            "icebergQty trailingDelta pegPriceType strategyId"
        )
    ),
    "Order lists": ("OCO", "OTO", "OTOCO", "OPO", "OPOCO"),
    "Filters": tuple(
        f"filter {name}"
        for name in _words("""
        PRICE_FILTER LOT_SIZE MARKET_LOT_SIZE NOTIONAL MIN_NOTIONAL PERCENT_PRICE PERCENT_PRICE_BY_SIDE
        MAX_NUM_ORDERS ICEBERG_PARTS MAX_NUM_ALGO_ORDERS MAX_NUM_ICEBERG_ORDERS MAX_POSITION TRAILING_DELTA
        MAX_NUM_ORDER_AMENDS MAX_NUM_ORDER_LISTS EXCHANGE_MAX_NUM_ORDERS EXCHANGE_MAX_NUM_ALGO_ORDERS
        EXCHANGE_MAX_NUM_ICEBERG_ORDERS EXCHANGE_MAX_NUM_ORDER_LISTS MAX_ASSET
        """)
    ),
    "Self-trade prevention": tuple(
        f"mode {name}" for name in _words("NONE EXPIRE_TAKER EXPIRE_MAKER EXPIRE_BOTH DECREMENT TRANSFER")
    ),
    "Fields of exchangeInfo": tuple(
        f"field {name}"
        for name in _words("""
        timezone serverTime rateLimits exchangeFilters symbols sors symbol status baseAsset baseAssetPrecision
        quoteAsset quotePrecision quoteAssetPrecision baseCommissionPrecision
        quoteCommissionPrecision orderTypes
        icebergAllowed ocoAllowed otoAllowed opoAllowed quoteOrderQtyMarketAllowed allowTrailingStop
        cancelReplaceAllowed amendAllowed pegInstructionsAllowed isSpotTradingAllowed isMarginTradingAllowed
        filters permissions permissionSets defaultSelfTradePreventionMode allowedSelfTradePreventionModes
        """)
    ),
    "Error codes": _words("""
        -1000 -1001 -1002 -1003 -1006 -1007 -1008 -1013 -1014 -1015 -1016 -1020 -1021 -1022 -1034 -1100 -1101
        -1102 -1103 -1104 -1105 -1106 -1108 -1111 -1112 -1114 -1115 -1116 -1117 -1118 -1119 -1120 -1121 -1122
        -1125 -1127 -1128 -1130 -1134 -1135 -1139 -1145 -1151 -1158 -1160 -1165 -1166 -1168 -1194 -1196 -1197
        -1198 -1199 -1210 -1211 -1220 -1222 -1223 -1224 -1225 -2010 -2011 -2013 -2014 -2015 -2016 -2021 -2022
        -2026 -2035 -2036 -2039 -2042 -2043
    """),
    "Keys and encodings": (
        "HMAC keys",
        "Ed25519 keys",
        "RSA keys",
        "JSON",
        "SBE answers",
        "SBE streams",
        "FIX",
    ),
}

# Item -> what a request for it is told, where a test shows that; none of these counts as working.
REFUSED: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("POST /sor/order", "POST /sor/order/test", "ws sor.order.place", "ws sor.order.test"),
        "each market has one book, so there is nothing to route: no `sors` in exchangeInfo",
    ),
    "SBE answers": "SBE is not enabled: 406 for who takes it alone, else JSON; 400 for a socket",
}
# Item -> why an exchange like this one never tells it; a test shows what is told. None counts as working.
ABSENT: Final[dict[str, str]] = {
    "externalLockUpdate": "nothing outside of the exchange locks money; positions tell what is held",
    "field sors": "documented as optional: there where orders are routed",
    **dict.fromkeys(
        ("-1224", "-1225"), "of tags, so of FIX: by JSON what is missing is -1102, what is too much -1104"
    ),
}
# Item -> why nothing of it is there.
LEFT_OUT: Final[dict[str, str]] = {
    "SBE streams": "a host of its own, which there is not; elsewhere a client hears that SBE is off",
    "FIX": "sessions over a port of their own, which there is not",
}
# Codes that Binance itself hardly sends: a better one is sent in their place.
UNUSED: Final[frozenset[str]] = frozenset(
    _words("-1002 -1006 -1014 -1016 -1034 -1103 -1112 -1114 -1118 -1119 -2016 -2026")
)


STATES: Final = ("works", "refused", "absent", "left out", "open", "not needed")


def covers(*items: str) -> pytest.MarkDecorator:
    """Mark a test with the items that it shows. Raises AssertionError for a name that is none."""
    known = {item for names in ITEMS.values() for item in names}
    assert known.issuperset(items), f"no such item: {sorted(set(items) - known)}"
    return pytest.mark.covers(*items)


def _marks(path: Path) -> Iterator[tuple[str, str]]:
    """(item, name of the test) for each mark in the decorators of a file's tests, and in `pytestmark`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{path.relative_to(ROOT)}::{node.name}"
            for decorator in node.decorator_list:
                for call in ast.walk(decorator):
                    if (
                        isinstance(call, ast.Call)
                        and isinstance(call.func, ast.Name)
                        and call.func.id == "covers"
                    ):
                        for argument in call.args:
                            assert isinstance(argument, ast.Constant), f"{name}: `covers` takes plain texts"
                            yield str(argument.value), name


def covered() -> dict[str, list[str]]:
    """Item -> the tests that cover it, as the files under tests/ say."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "covers(" in path.read_text(encoding="utf-8"):
            for item, test in _marks(path):
                tests = found.setdefault(item, [])
                if test not in tests:
                    tests.append(test)
    return found


def _status(item: str, tests: list[str]) -> tuple[str, str]:
    """An item's state in a word, and why it is so or what shows it."""
    links = ", ".join(f"`{test}`" for test in tests)
    if item in UNUSED:
        return "not needed", "Binance hardly sends it"
    if item in LEFT_OUT:
        return "left out", LEFT_OUT[item]
    for state, reasons in (("refused", REFUSED), ("absent", ABSENT)):
        if item in reasons:
            return state, f"{reasons[item]}; {links or '**no test**'}"
    return ("works", links) if tests else ("open", "**no test covers it**")


def document() -> str:
    """docs/conformance.md as the tests are."""
    tests = covered()
    counts: dict[str, dict[str, int]] = {}
    tables: list[str] = []
    for area, items in ITEMS.items():
        rows = [(item, *_status(item, tests.get(item, []))) for item in items]
        count = counts[area] = dict.fromkeys(STATES, 0)
        for _, status, _ in rows:
            count[status] += 1
        lines = [f"| `{item}` | {status} | {text} |" for item, status, text in rows]
        tables.append("\n".join([f"## {area}", "", "| item | state | shown by |", "|---|---|---|", *lines]))
    sums = {status: sum(count[status] for count in counts.values()) for status in counts["REST"]}
    total = sum(map(len, ITEMS.values()))
    head = [
        "# Conformance with Binance's spot API",
        "",
        "Made by `python -m tests.conformance` from the marks of the tests (`tests/conformance.py`); a test",
        "holds the two equal. An item works when a test that covers it passes; what is refused is refused in",
        "Binance's own words; what is absent is so by the documentation, where there is nothing to tell.",
        f"A test shows either. **{sums['works']} of {total} items work.**",
        "The public documentation is that of 2026-07.",
        "",
        f"| area | items | {' | '.join(STATES)} |",
        f"|---|---|{'---|' * len(STATES)}",
        *(
            f"| {area} | {' | '.join(str(n) for n in (len(ITEMS[area]), *count.values()))} |"
            for area, count in counts.items()
        ),
        f"| **sum** | {' | '.join(str(n) for n in (total, *sums.values()))} |",
    ]
    return "\n\n".join(["\n".join(head), *tables]) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
