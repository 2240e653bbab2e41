"""Prevented self-trades from the engine by way of the ledger to /myPreventedMatches, on real PostgreSQL."""

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import ActivateRules, CreditDeposit, PlaceOrder
from exchange.process.components import Resources
from services.order.decisions.prevented import match_of_id, matches_of_order
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
        matches = await matches_of_order(history, ALICE, BTC_MARKET, ids[name], from_id, limit)
        return [(m.match_id, m.taker_lots, m.maker_lots) for m in matches]

    names = await resources.database.fetch("SELECT order_id, match_id FROM prevented_ends")
    match_of = {row["order_id"]: row["match_id"] for row in names}
    assert match_of[ids["o13"]] == match_of[ids["o15"]], "one match ended both"
    first, second = (match_of[ids["o11"]], 0, 1_000), (match_of[ids["o12"]], 0, 2_000)
    third, fourth = (match_of[ids["o14"]], 700, 0), (match_of[ids["o13"]], 800, 5_000)
    # As the taker of two, the maker of one that expired against it, and one of two that ended together.
    assert await found("o13") == [first, second, third, fourth]
    assert await found("o13", first[0] + 1) == [second, third, fourth]
    assert await found("o13", 0, 2) == [first, second]
    assert await found("o11") == [first]
    assert await found("o14") == [third]
    assert await found("o15") == [fourth]
    for match in (first, second, third, fourth):
        (alone,) = await match_of_id(history, ALICE, BTC_MARKET, match[0])
        assert (alone.match_id, alone.taker_lots, alone.maker_lots) == match
        assert await match_of_id(history, ALICE + 1, BTC_MARKET, match[0]) == []
    assert await matches_of_order(history, ALICE + 1, BTC_MARKET, ids["o13"], 0, 10) == []
    assert await matches_of_order(history, ALICE, BTC_MARKET + 1, ids["o13"], 0, 10) == []


@covers("GET /myPreventedMatches")
async def test_who_asks_from_the_last_id_misses_none(resources: Resources) -> None:
    """Matches that end an order and such that make it smaller, in turn, against one that rests."""
    stream = EngineStream()
    stream.apply(
        CreditDeposit(1, ALICE, BTC, 10 * ONE, 1),
        CreditDeposit(2, ALICE, USDT, 1_000_000 * ONE, 2),
        ActivateRules(3, 4),
        order(11, codes.BUY, 9_000),
    )
    await projected(resources, stream)
    order_id = await resources.database.fetchval("SELECT order_id FROM orders")
    history = History(resources.database, resources.history_turns, 0, 5.0)
    seen: list[int] = []
    modes = (codes.STP_EXPIRE_TAKER, codes.STP_DECREMENT) * 3
    for number, mode in enumerate(modes, 12):
        stream.apply(order(number, codes.SELL, 500, mode))
        await projected(resources, stream)
        new = await matches_of_order(history, ALICE, BTC_MARKET, order_id, seen[-1] + 1 if seen else 0, 10)
        assert len(new) == 1, f"the match of order {number}"
        seen.append(new[0].match_id)
    assert seen == sorted(seen)
    # Who has kept an id of before goes on with it.
    once = 2**52 + seen[1] + 1
    assert [
        m.match_id for m in await matches_of_order(history, ALICE, BTC_MARKET, order_id, once, 10)
    ] == seen[2:]
    (row,) = await match_of_id(history, ALICE, BTC_MARKET, 2**52 + seen[1])
    assert row.match_id == seen[1]
