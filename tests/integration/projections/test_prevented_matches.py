"""Prevented self-trades from the engine by way of the ledger to /myPreventedMatches, on real PostgreSQL."""

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import CreditDeposit, PlaceOrder
from exchange.process.components import Resources
from services.order.shapes.prevention import matches_of_orders
from services.order.view.history import History
from services.projections.ledger.projection import LedgerProjection
from tests.conformance import covers
from tests.event_streams import ONE, EngineStream
from tests.integration.projections.conftest import Running, publish

pytestmark = pytest.mark.integration
ALICE, BTC, USDT, BTC_MARKET = 1001, 1, 3, 1
PRICE_TICKS = 5_000_000


def order(number: int, side: int, lots: int, mode: int = codes.STP_NONE) -> PlaceOrder:
    return PlaceOrder(
        number, ALICE, BTC_MARKET, f"o{number}", side, codes.LIMIT, codes.GTC, PRICE_TICKS, lots, 0, mode, 0
    )


async def projected(resources: Resources, stream: EngineStream) -> None:
    await publish(resources, stream)
    ledger = LedgerProjection(resources)
    running = Running([ledger])
    await running.start()
    await running.until(lambda: ledger.last_seq == stream.seq)
    await running.stop()


@covers("GET /myPreventedMatches")
async def test_matches_are_found_by_their_own_id_and_by_either_order(resources: Resources) -> None:
    """Makers that expire in a later batch than they came, and a taker that comes and expires in one."""
    stream = EngineStream()
    stream.apply(
        CreditDeposit(1, ALICE, BTC, 10 * ONE, 1),
        CreditDeposit(2, ALICE, USDT, 1_000_000 * ONE, 2),
        order(11, codes.SELL, 1_000),
        order(12, codes.SELL, 2_000),
    )
    await projected(resources, stream)
    stream.apply(
        order(13, codes.BUY, 5_000, codes.STP_EXPIRE_MAKER),
        order(14, codes.SELL, 700, codes.STP_EXPIRE_TAKER),
        order(15, codes.SELL, 800, codes.STP_EXPIRE_BOTH),
    )
    await projected(resources, stream)
    rows = await resources.database.fetch(
        "SELECT order_id, client_order_id, counter_order_id FROM orders ORDER BY order_id"
    )
    ids = {row["client_order_id"]: row["order_id"] for row in rows}
    assert {row["client_order_id"]: row["counter_order_id"] for row in rows} == {
        "o11": ids["o13"],
        "o12": ids["o13"],
        "o13": ids["o15"],
        "o14": ids["o13"],
        "o15": ids["o13"],
    }
    history = History(resources.database, resources.history_turns, 0, 5.0)

    async def found(name: str, from_id: int = 0, limit: int = 10) -> list[tuple[int, int, int]]:
        closed, counters = await history.prevented(ALICE, BTC_MARKET, ids[name], from_id, limit)
        return [(m.match_id, m.taker_lots, m.maker_lots) for m in matches_of_orders(closed, counters)]

    first, second = (ids["o11"], 0, 1_000), (ids["o12"], 0, 2_000)
    third, fourth = (ids["o14"], 700, 0), (ids["o13"], 800, 5_000)
    # As the taker of two, the maker of one that expired against it, and one of two that ended together.
    assert await found("o13") == sorted([first, second, third, fourth])
    assert await found("o13", ids["o12"]) == sorted([second, third, fourth])
    assert await found("o11") == [first]
    assert await found("o14") == [third]
    assert await found("o15") == [fourth]
    assert await history.prevented(ALICE + 1, BTC_MARKET, ids["o13"], 0, 10) == ([], [])
    assert await history.prevented(ALICE, BTC_MARKET + 1, ids["o13"], 0, 10) == ([], [])
