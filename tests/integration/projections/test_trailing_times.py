"""When orders began to follow the price: the ledger says what the order service's view says."""

from dataclasses import asdict

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import CreditDeposit
from exchange.contracts.events import OrderAccepted
from exchange.contracts.order_events import (
    OrderListDone,
    OrderListPlaced,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderPlaced,
    TrailingStarted,
)
from exchange.process.components import Resources
from services.order.view.bootstrap import load_view
from services.order.view.history import History, OrderPage
from services.order.view.model import AccountView
from tests.event_streams import ONE, EngineStream
from tests.integration.projections.test_orders_with_terms import (
    ALICE,
    BOB,
    BTC,
    BUY,
    LIMIT,
    LOT,
    MARKET,
    PRICE,
    SELL,
    USDT,
    closed,
    cost,
    plain,
    trade,
    with_terms,
    written,
)

pytestmark = pytest.mark.integration
WAITING, PENDING, STOP = codes.STATE_WAITING, codes.STATE_PENDING, codes.STOP_LOSS


@pytest.fixture
def stream() -> EngineStream:
    """Stops of each kind: one with a price to begin at, one without, one that waits for another order."""
    told = EngineStream()
    told.apply(
        *(CreditDeposit(n, user, BTC, 10 * ONE, n) for n, user in ((1, ALICE), (2, BOB))),
        *(CreditDeposit(n, user, USDT, 1_000_000 * ONE, n) for n, user in ((3, ALICE), (4, BOB))),
    )
    told.append(with_terms(1, BOB, SELL, STOP, 5, held=5 * LOT, state=WAITING, stop=PRICE, trailing=100))
    told.append(with_terms(2, BOB, SELL, STOP, 5, held=5 * LOT, state=WAITING, trailing=100))
    told.append(with_terms(3, BOB, SELL, STOP, 5, held=5 * LOT, state=WAITING, stop=PRICE, trailing=100))
    told.append(TrailingStarted(3, BOB, MARKET, PRICE))
    told.append(
        OrderListPlaced(1, BOB, MARKET, "trails", codes.CONTINGENCY_OTO),
        with_terms(4, BOB, BUY, LIMIT, 5, price=PRICE, held=cost(5), resting=5, order_list=1),
        with_terms(5, BOB, SELL, STOP, 5, held=0, order_list=1, state=PENDING, trailing=100),
    )
    told.append(
        plain(6, ALICE, SELL, 5, 0),
        trade(1, (BOB, 4), (ALICE, 6), SELL, 5),
        PendingOrderPlaced(5, BOB, MARKET, SELL, 0, WAITING, 5 * LOT, 0),
        OrderListDone(1, BOB, MARKET),
    )
    told.append(with_terms(7, BOB, SELL, STOP, 5, held=5 * LOT, state=WAITING, stop=PRICE - 50))
    told.append(OrderTriggered(5, BOB, MARKET, SELL, 0, PRICE - 50, 0, 0, 0))
    told.append(closed(5, BOB, SELL, codes.CLOSED_NO_LIQUIDITY, 5 * LOT, price=0))
    return told


@pytest.mark.parametrize("at_once", [True, False], ids=["one transaction", "one for each outcome"])
async def test_a_stop_without_a_price_to_begin_at_follows_from_the_moment_it_waits(
    resources: Resources, stream: EngineStream, at_once: bool
) -> None:
    await written(resources, stream.outcomes, at_once)
    followed = AccountView()
    placed, begun = {}, {}
    for outcome in stream.outcomes:
        followed.apply(outcome)
        for recorded in outcome.events:
            if isinstance(recorded.event, OrderAccepted | OrderWithTermsAccepted):
                placed[recorded.event.order_id] = outcome.time_ms
            elif isinstance(recorded.event, TrailingStarted):
                begun[recorded.event.order_id] = outcome.time_ms
    history = History(resources.database, resources.history_turns, 0, 5.0)
    stored = await history.orders(OrderPage(BOB, MARKET, 0, None, None, 100))
    times = {order.order_id: order.terms.trailing_ms for order in stored if order.terms is not None}
    assert times == {1: -1, 2: placed[2], 3: begun[3], 4: -1, 5: placed[6], 7: -1}
    assert {order.order_id: asdict(order.terms) for order in stored if order.terms is not None} == {
        number: asdict(order.terms)
        for number in times
        if (order := followed.order(number)) is not None and order.terms is not None
    }
    async with resources.database.acquire() as connection:
        loaded, _ = await load_view(connection, 0, 5.0)
    assert loaded.open_orders(BOB) == followed.open_orders(BOB)
