"""Orders with terms, lists and amendments in the ledger's tables, on real PostgreSQL.

What a view has that followed the events is what one has that is loaded from the tables, whether all came in
one transaction or each outcome in its own; and the books of the tables are the books of the events.
"""

from collections.abc import Sequence

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import CreditDeposit
from exchange.contracts.events import OrderAccepted, OrderClosed, TradeExecuted
from exchange.contracts.order_events import (
    IcebergRefilled,
    OrderAmended,
    OrderListDone,
    OrderListPlaced,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderFunded,
    PendingOrderPlaced,
    SelfTradeDecremented,
    TrailingStarted,
)
from exchange.log.event_tail import TailPosition
from exchange.process.components import Resources
from exchange.process.readers import Readers
from services.market_data.markets.bootstrap import load_state
from services.market_data.markets.state import MarketState
from services.order.shapes.prevention import decrement_match
from services.order.view.bootstrap import load_view
from services.order.view.history import History, ListPage, OrderPage
from services.order.view.model import AccountView
from services.projections.book.state import Books
from services.projections.ledger.batch import LedgerBatch
from services.projections.ledger.reconcile import reconcile
from services.projections.ledger.store import PostgresLedger
from tests.event_streams import ONE, EngineStream

pytestmark = pytest.mark.integration
ALICE, BOB, MARKET = 1001, 1002, 1
BTC, USDT = 1, 3
BUY, SELL, GTC, LIMIT = codes.BUY, codes.SELL, codes.GTC, codes.LIMIT
PRICE = 5_000_000
# Quote atoms of a tick times a lot, base atoms of a lot.
UNIT, LOT = 10, 1_000


def cost(lots: int, price: int = PRICE) -> int:
    return lots * price * UNIT


def plain(number: int, user: int, side: int, lots: int, resting: int, price: int = PRICE) -> OrderAccepted:
    held = cost(lots, price) if side == BUY else lots * LOT
    return OrderAccepted(
        number, user, MARKET, f"o{number}", side, LIMIT, GTC, price, lots, 0, codes.STP_NONE, held, resting
    )


def with_terms(
    number: int,
    user: int,
    side: int,
    kind: int,
    lots: int,
    *,
    held: int,
    price: int = 0,
    resting: int = 0,
    order_list: int = 0,
    state: int = codes.STATE_WORKING,
    stop: int = 0,
    trailing: int = 0,
    iceberg: int = 0,
    strategy: tuple[int, int] = (0, 0),
) -> OrderWithTermsAccepted:
    return OrderWithTermsAccepted(
        *(number, user, MARKET, f"o{number}", side, kind, GTC, price, lots, 0, codes.STP_NONE, held, resting),
        *(order_list, state, stop, trailing, iceberg, *strategy, 0, 0),
    )


def trade(
    number: int, buyer: tuple[int, int], seller: tuple[int, int], taker: int, lots: int
) -> TradeExecuted:
    """At PRICE, without fees."""
    return TradeExecuted(
        *(MARKET, number, taker, PRICE, lots, lots * LOT, cost(lots), buyer[1], buyer[0], 0, 0),
        *(seller[1], seller[0], 0),
    )


def closed(
    number: int, user: int, side: int, reason: int, released: int, unbooked: int = 0, price: int = PRICE
) -> OrderClosed:
    status = {codes.CLOSED_BY_USER: codes.CANCELED, codes.CLOSED_SELF_TRADE: codes.EXPIRED_IN_MATCH}.get(
        reason, codes.EXPIRED
    )
    return OrderClosed(number, user, MARKET, side, price, status, reason, released, unbooked, f"c{number}", 0)


@pytest.fixture
def stream() -> EngineStream:
    """Something of each kind, as the contracts tell it."""
    told = EngineStream()
    told.apply(
        *(CreditDeposit(n, user, BTC, 10 * ONE, n) for n, user in ((1, ALICE), (2, BOB))),
        *(CreditDeposit(n, user, USDT, 1_000_000 * ONE, n) for n, user in ((3, ALICE), (4, BOB))),
    )
    # An OCO of Alice: a limit above, a stop below, which holds nothing that the first does not hold.
    told.append(
        OrderListPlaced(1, ALICE, MARKET, "oco", codes.CONTINGENCY_OCO),
        with_terms(11, ALICE, SELL, codes.LIMIT_MAKER, 100, price=PRICE + 100, held=100 * LOT, resting=100,
                   order_list=1),
        with_terms(12, ALICE, SELL, codes.STOP_LOSS_LIMIT, 100, price=PRICE, held=0, order_list=1,
                   state=codes.STATE_WAITING, stop=PRICE),
    )  # fmt: skip
    # A trailing stop with a strategy, an iceberg, a plain order against it.
    told.append(with_terms(13, BOB, SELL, codes.STOP_LOSS, 50, held=50 * LOT, state=codes.STATE_WAITING,
                           stop=PRICE, trailing=100, strategy=(7, 1_000_001)))  # fmt: skip
    told.append(TrailingStarted(13, BOB, MARKET, PRICE))
    told.append(with_terms(14, BOB, BUY, LIMIT, 90, price=PRICE, held=cost(90), resting=30, iceberg=30))
    told.append(
        plain(15, ALICE, SELL, 40, 0),
        trade(1, (BOB, 14), (ALICE, 15), SELL, 30),
        IcebergRefilled(14, BOB, MARKET, BUY, PRICE, 30),
        trade(2, (BOB, 14), (ALICE, 15), SELL, 10),
    )
    # Amended, twice and under another name.
    told.append(OrderAmended(14, BOB, MARKET, "amended", BUY, PRICE, 80, cost(10), 0))
    told.append(OrderAmended(14, BOB, MARKET, "again", BUY, PRICE, 60, cost(20), 0))
    # The stop of the OCO goes to work: the other leg ends and gives back, then it holds.
    told.append(
        closed(11, ALICE, SELL, codes.CLOSED_OCO_TRIGGER, 100 * LOT, 100, PRICE + 100),
        OrderListDone(1, ALICE, MARKET),
        OrderTriggered(12, ALICE, MARKET, SELL, PRICE, PRICE, 100 * LOT, 0, 80),
        trade(3, (BOB, 14), (ALICE, 12), SELL, 20),
    )
    # An OTO of Bob: filled, then what was pending waits; another, whose working order is cancelled.
    told.append(
        OrderListPlaced(2, BOB, MARKET, "oto", codes.CONTINGENCY_OTO),
        with_terms(16, BOB, BUY, LIMIT, 30, price=PRICE, held=cost(30), order_list=2),
        with_terms(17, BOB, SELL, codes.TAKE_PROFIT, 30, held=0, order_list=2, state=codes.STATE_PENDING,
                   stop=PRICE + 1_000),
        trade(4, (BOB, 16), (ALICE, 12), BUY, 30),
        PendingOrderPlaced(17, BOB, MARKET, SELL, 0, codes.STATE_WAITING, 30 * LOT, 0),
        OrderListDone(2, BOB, MARKET),
    )  # fmt: skip
    told.append(
        OrderListPlaced(3, BOB, MARKET, "open", codes.CONTINGENCY_OTO),
        with_terms(
            18, BOB, BUY, LIMIT, 10, price=PRICE - 10, held=cost(10, PRICE - 10), resting=10, order_list=3
        ),
        with_terms(
            19, BOB, SELL, LIMIT, 10, price=PRICE + 50, held=0, order_list=3, state=codes.STATE_PENDING
        ),
    )
    # Two of Alice's meet: both are smaller, and the smaller one ends.
    told.append(
        plain(20, ALICE, BUY, 20, 0),
        SelfTradeDecremented(MARKET, ALICE, BUY, PRICE, 20, 20, cost(20), 12, 20 * LOT),
        closed(20, ALICE, BUY, codes.CLOSED_SELF_TRADE, 0),
    )
    _opos(told)
    return told


def _opos(told: EngineStream) -> None:
    # An OPO that is filled: what was pending gets its quantity, later less. Another one, filled in part.
    told.append(
        OrderListPlaced(4, ALICE, MARKET, "opo", codes.CONTINGENCY_OPO),
        with_terms(21, ALICE, BUY, LIMIT, 10, price=PRICE, held=cost(10), order_list=4),
        with_terms(
            22, ALICE, SELL, LIMIT, 0, price=PRICE + 60, held=0, order_list=4, state=codes.STATE_PENDING
        ),
        trade(5, (ALICE, 21), (ALICE, 12), BUY, 10),
        PendingOrderFunded(22, ALICE, MARKET, SELL, 0, 10 * LOT + 3, 0),
        PendingOrderFunded(22, ALICE, MARKET, SELL, 10, 0, 3),
        PendingOrderPlaced(22, ALICE, MARKET, SELL, PRICE + 60, codes.STATE_WORKING, 0, 10),
        OrderListDone(4, ALICE, MARKET),
    )
    told.append(OrderAmended(22, ALICE, MARKET, "o22", SELL, PRICE + 60, 8, 2 * LOT, 2))
    told.append(
        OrderListPlaced(5, ALICE, MARKET, "opo 2", codes.CONTINGENCY_OPO),
        with_terms(23, ALICE, BUY, LIMIT, 40, price=PRICE, held=cost(40), resting=20, order_list=5),
        with_terms(
            24, ALICE, SELL, LIMIT, 0, price=PRICE + 70, held=0, order_list=5, state=codes.STATE_PENDING
        ),
        trade(6, (ALICE, 23), (ALICE, 12), BUY, 20),
        PendingOrderFunded(24, ALICE, MARKET, SELL, 0, 20 * LOT, 0),
    )


async def written(resources: Resources, outcomes: Sequence[CommandOutcome], at_once: bool) -> PostgresLedger:
    ledger = PostgresLedger(resources.database, 5_000)
    _, markets = await ledger.resume(0)
    seq = 0
    parts = [list(outcomes)] if at_once else [[outcome] for outcome in outcomes]
    for part in parts:
        batch = LedgerBatch(markets)
        batch.add(part)
        last = part[-1].events[-1]
        await ledger.write(0, seq, TailPosition(last.seq, last.hash, 0), part[-1].time_ms, batch)
        seq = last.seq
    return ledger


@pytest.mark.parametrize("at_once", [True, False], ids=["one transaction", "one for each outcome"])
async def test_the_tables_say_what_the_events_say(
    resources: Resources, stream: EngineStream, at_once: bool
) -> None:
    ledger = await written(resources, stream.outcomes, at_once)
    followed, books, public = AccountView(), Books(), MarketState()
    for outcome in stream.outcomes:
        followed.apply(outcome)
        public.apply(outcome)
    books.apply(stream.outcomes)
    async with resources.database.acquire() as connection:
        assert await reconcile(connection) == []
        loaded, _ = await load_view(connection, 0, 5.0)
    for user in (ALICE, BOB):
        assert loaded.balances[user] == followed.balances[user]
        assert loaded.open_orders(user) == followed.open_orders(user)
        assert loaded.lists.open_of(user) == followed.lists.open_of(user)
    history = History(resources.database, resources.history_turns, 0, 5.0)
    for user in (ALICE, BOB):
        stored = await history.orders(OrderPage(user, MARKET, 0, None, None, 100))
        assert stored
        assert stored == [followed.order(one.order_id) for one in stored]
        lists = await history.order_lists(ListPage(user, None, None, None, 10))
        assert lists == [followed.lists.get(one.order_list_id) for one in lists]
    levels = {(side, price): lots for _, side, price, lots in (await ledger.open_books(0)).levels}
    bids, asks = books.markets[MARKET].levels()
    assert levels == {**{(BUY, p): n for p, n in bids}, **{(SELL, p): n for p, n in asks}}
    restarted, _ = await load_state(Readers.from_resources(resources), 0, stream.outcomes[-1].time_ms)
    for state in (public, restarted):
        book = state.views[MARKET].book
        assert (book.bids.top(10), book.asks.top(10)) == (bids, asks)
    assert (bids, asks) == ([(PRICE, 20), (PRICE - 10, 10)], [(PRICE + 60, 8)])
    amended, open_one = followed.order(22), followed.order(24)
    assert amended is not None
    assert open_one is not None
    assert (amended.quantity_lots, amended.status) == (8, codes.NEW)
    assert (open_one.quantity_lots, open_one.status_name) == (0, "PENDING_NEW")


@pytest.mark.parametrize("at_once", [True, False], ids=["one transaction", "one for each outcome"])
async def test_lists_amendments_and_decrements_are_found(
    resources: Resources, stream: EngineStream, at_once: bool
) -> None:
    await written(resources, stream.outcomes, at_once)
    history = History(resources.database, resources.history_turns, 0, 5.0)
    amendments = await history.amendments(BOB, MARKET, 14, 0, 10)
    assert [tuple(row)[1:5] for row in amendments] == [
        ("o14", "amended", 90, 80),
        ("amended", "again", 80, 60),
    ]
    (of_opo,) = await history.amendments(ALICE, MARKET, 22, 0, 10)
    assert tuple(of_opo)[1:5] == ("o22", "o22", 10, 8)
    newer = await history.amendments(BOB, MARKET, 14, amendments[0].execution_id + 1, 10)
    assert newer == amendments[1:]
    assert await history.amendments(ALICE, MARKET, 14, 0, 10) == [], "of others nobody is told"
    for named in ((1, None), (None, "oco")):
        one = await history.order_list(ALICE, *named)
        assert one is not None
        assert (one.orders, one.contingency, bool(one.done_ms)) == ({11: "o11", 12: "o12"}, 1, True)
        assert await history.order_list(BOB, *named) is None
    everything = await history.order_lists(ListPage(BOB, None, None, None, 10))
    assert [(one.order_list_id, bool(one.done_ms)) for one in everything] == [(2, True), (3, False)]
    assert await history.order_lists(ListPage(BOB, 3, None, None, 10)) == everything[1:]
    start_ms = everything[1].created_ms
    assert await history.order_lists(ListPage(BOB, None, start_ms, None, 10)) == everything[1:]
    assert await history.order_lists(ListPage(BOB, None, None, start_ms - 1, 10)) == everything[:1]
    assert await history.order_lists(ListPage(BOB, None, None, None, 1)) == everything[1:], "the newest"
    (row,) = await history.decrements(ALICE, MARKET, 12, 0, 10)
    assert await history.decrements(ALICE, MARKET, 20, 0, 10) == [row]
    assert await history.decrement(ALICE, MARKET, row.seq) == [row]
    assert await history.decrement(BOB, MARKET, row.seq) == []
    match = decrement_match(*row)
    assert (match.match_id, match.taker_order_id, match.maker_order_id, match.match_lots) == (
        row.seq,
        20,
        12,
        20,
    )
