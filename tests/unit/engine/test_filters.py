"""Every filter of a market, of all markets and of an asset, as a command changes it (ADR 0045)."""

from typing import Any

import pytest

from exchange.contracts import codes
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.commands import ActivateRules
from exchange.contracts.events import CommandRejected, Event, TradeExecuted
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.filter_kinds import FILTER_KINDS, MARKET
from exchange.contracts.order_events import OrderAmended, PendingOrderPlaced
from matching_engine.core.engine import Engine
from matching_engine.core.filters import MarketFilters
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows, to_rows
from matching_engine.genesis import genesis_commands
from tests.unit.engine.terms_exchange import ALICE, BOB, BTC, BTCUSDT, USDT, P, TermsExchange, leg
from tests.unit.engine.test_trading import ONE

LOT, UNIT = 1_000, 10
LIMIT, MARKET_ORDER, STOP = codes.LIMIT, codes.MARKET, codes.STOP_LOSS
ETHUSDT = 2


class Filtered(TermsExchange):
    """Alice and Bob in BTCUSDT, whose filters change; no order is too small."""

    def __init__(self) -> None:
        super().__init__()
        self.said(codes.FILTER_NOTIONAL, 1, 1, 10**15, 1)

    def set(self, kind: int, *values: int, market: int | None = None, asset: int = 0) -> list[Event]:
        """One filter, of BTCUSDT where it is a market's."""
        if market is None:
            market = BTCUSDT if kind <= codes.FILTER_MAX_POSITION else 0
        four = (*values, 0, 0, 0, 0)[:4]
        return self.apply(SetFilter(1, kind, market, asset, *four))

    def said(self, kind: int, *values: int, **where: Any) -> None:
        """The same, and that it holds."""
        (event,) = self.set(kind, *values, **where)
        assert isinstance(event, FilterChanged)
        assert (event.filter_type, event.first) == (kind, values[0])

    def refused(self, events: list[Event]) -> int:
        """The reason of the one refusal, 0 when there is none."""
        first = events[0]
        return first.reason if isinstance(first, CommandRejected) else 0


@pytest.fixture
def exchange() -> Filtered:
    return Filtered()


def test_a_price_off_the_step_is_refused_and_what_rests_stays(exchange: Filtered) -> None:
    exchange.place(ALICE, BUY, P - 7, 100, name="odd")
    exchange.said(codes.FILTER_PRICE, 10, 9_000_000, 10)
    assert exchange.book(BUY) == [(P - 7, 100)]
    for price, expected in ((P - 5, 40), (9_000_010, 40), (5, 40), (P - 10, 0)):
        assert exchange.refused(exchange.place(ALICE, BUY, price, 100)) == expected
    stop = leg("s", SELL, codes.STOP_LOSS_LIMIT, 100, P - 20, stop=P - 15)
    assert exchange.refused(exchange.order(ALICE, stop)) == codes.REJECT_PRICE_FILTER
    # Who takes the book's own price has no step to keep: the order that rests is as good as any.
    pegged = leg("p", BUY, LIMIT, 100, peg=codes.PEG_PRIMARY)
    assert exchange.refused(exchange.order(BOB, pegged)) == 0
    # Back to the finest that the market was registered with; finer there is nothing.
    exchange.said(codes.FILTER_PRICE, 1, 9_000_000, 1)
    assert exchange.refused(exchange.place(ALICE, BUY, P - 5, 100)) == 0


def test_quantities_keep_their_step_in_every_kind_of_order(exchange: Filtered) -> None:
    exchange.said(codes.FILTER_LOT_SIZE, 50, 10_000, 50)
    for lots, expected in ((49, 41), (75, 41), (10_050, 41), (100, 0)):
        assert exchange.refused(exchange.place(ALICE, BUY, P - 10, lots)) == expected
    assert exchange.refused(exchange.place(ALICE, BUY, 0, 75, order_type=MARKET_ORDER)) == 41
    iceberg = leg("i", SELL, LIMIT, 500, P + 100, iceberg=75)
    assert exchange.refused(exchange.order(ALICE, iceberg)) == codes.REJECT_LOT_SIZE
    exchange.place(ALICE, SELL, P + 10, 500, name="amended")
    assert exchange.refused(exchange.amend(ALICE, "amended", 475)) == codes.REJECT_LOT_SIZE
    assert isinstance(exchange.amend(ALICE, "amended", 450)[0], OrderAmended)


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("extra", [0, 3 * P * UNIT, 149 * P * UNIT])
def test_a_market_order_by_quote_amount_ends_on_a_step(exchange: Filtered, side: int, extra: int) -> None:
    """What the amount pays of the last step goes back, whether the book has it or not."""
    other = BUY if side == SELL else SELL
    exchange.place(ALICE, other, P, 375)
    exchange.said(codes.FILTER_LOT_SIZE, 50, 10**6, 50)
    events = exchange.place(BOB, side, 0, 0, order_type=MARKET_ORDER, quote=275 * P * UNIT + extra)
    accepted: Any = events[0]
    # Of 375 lots there, and what would come behind them.
    assert accepted.quantity_lots == (275 + extra // (P * UNIT)) // 50 * 50
    filled = sum(e.quantity_lots for e in events if isinstance(e, TradeExecuted))
    assert filled == min(accepted.quantity_lots, 375)
    assert exchange.held(BOB, USDT) == exchange.held(BOB, BTC) == 0


def test_orders_at_any_price_have_a_range_and_a_step_of_their_own(exchange: Filtered) -> None:
    exchange.said(codes.FILTER_MARKET_LOT_SIZE, 20, 200, 10)
    exchange.place(ALICE, SELL, P, 1_000)
    stop = leg("s", BUY, STOP, 15, stop=P + 10)
    assert exchange.refused(exchange.order(BOB, stop)) == codes.REJECT_MARKET_LOT_SIZE
    for lots, expected in ((10, 42), (25, 42), (210, 42), (20, 0)):
        assert exchange.refused(exchange.place(BOB, BUY, 0, lots, order_type=MARKET_ORDER)) == expected
    assert exchange.refused(exchange.place(BOB, BUY, P - 9, 15)) == 0


def test_notional_can_leave_market_orders_alone(exchange: Filtered) -> None:
    low, high = 50 * P * UNIT, 100 * P * UNIT
    exchange.place(ALICE, SELL, P, 90)
    exchange.said(codes.FILTER_NOTIONAL, low, 1, high, 1)
    for lots in (49, 101):
        market_order = exchange.place(BOB, BUY, 0, lots, order_type=MARKET_ORDER)
        assert exchange.refused(market_order) == exchange.refused(exchange.place(BOB, BUY, P - 1, lots)) == 43
    exchange.said(codes.FILTER_NOTIONAL, low, 0, high, 0)
    for lots in (49, 101):
        assert exchange.refused(exchange.place(BOB, BUY, P - 1, lots)) == codes.REJECT_NOTIONAL
        assert exchange.refused(exchange.place(BOB, BUY, 0, lots, order_type=MARKET_ORDER)) == 0


@pytest.mark.parametrize("applies", [0, 1])
def test_min_notional_beside_notional(exchange: Filtered, applies: int) -> None:
    exchange.place(ALICE, SELL, P, 900)
    exchange.place(ALICE, SELL, P + 200, 100, name="large")
    exchange.said(codes.FILTER_MIN_NOTIONAL, 50 * P * UNIT, applies)
    assert exchange.refused(exchange.place(BOB, BUY, P - 1, 50)) == codes.REJECT_MIN_NOTIONAL
    assert exchange.refused(exchange.place(BOB, BUY, P, 50)) == 0
    expected = codes.REJECT_MIN_NOTIONAL if applies else 0
    for lots, quote in ((49, 0), (0, 49 * P * UNIT)):
        events = exchange.place(BOB, BUY, 0, lots, order_type=MARKET_ORDER, quote=quote)
        assert exchange.refused(events) == expected
    stop = leg("s", SELL, STOP, 50, stop=P - 10)
    assert exchange.refused(exchange.order(BOB, stop)) == expected
    assert exchange.refused(exchange.amend(ALICE, "large", 49)) == codes.REJECT_MIN_NOTIONAL
    exchange.said(codes.FILTER_MIN_NOTIONAL, 0, 0)
    assert exchange.refused(exchange.place(BOB, BUY, P - 1, 50)) == 0


def test_percent_price_bounds_both_sides_alike(exchange: Filtered) -> None:
    exchange.said(codes.FILTER_PERCENT_PRICE, 1_100_000, 900_000)
    for side in (BUY, SELL):
        for price, expected in ((P * 11 // 10 + 1, 53), (P * 9 // 10 - 1, 53), (P * 11 // 10, 0)):
            events = exchange.place(ALICE, side, price, 10)
            assert exchange.refused(events) == expected
    # By side it may be narrower still, in either direction.
    exchange.said(codes.FILTER_PERCENT_PRICE_BY_SIDE, 1_050_000, 950_000, 1_010_000, 990_000)
    refused = codes.REJECT_PERCENT_PRICE_BY_SIDE
    assert exchange.refused(exchange.place(ALICE, SELL, P * 102 // 100, 10)) == refused
    assert exchange.refused(exchange.place(ALICE, BUY, P * 96 // 100, 10)) == 0


def test_counts_of_a_market_are_its_own(exchange: Filtered) -> None:
    exchange.said(codes.FILTER_MAX_NUM_ALGO_ORDERS, 1)
    exchange.said(codes.FILTER_MAX_NUM_ICEBERG_ORDERS, 1)
    exchange.said(codes.FILTER_MAX_NUM_ORDER_LISTS, 1)
    exchange.said(codes.FILTER_MAX_NUM_ORDER_AMENDS, 1)
    exchange.said(codes.FILTER_ICEBERG_PARTS, 4)
    exchange.said(codes.FILTER_TRAILING_DELTA, 20, 100, 200, 300)

    def stop(name: str) -> list[Event]:
        return exchange.order(ALICE, leg(name, SELL, STOP, 10, stop=P - 10))

    def iceberg(name: str, lots: int) -> list[Event]:
        return exchange.order(ALICE, leg(name, SELL, LIMIT, lots, P + 10, iceberg=10))

    assert [exchange.refused(stop(name)) for name in ("s1", "s2")] == [0, 46]
    assert [exchange.refused(iceberg(f"i{n}", n)) for n in (41, 40, 30)] == [50, 0, 47]
    exchange.cancel_order(ALICE, "s1")
    oto = [leg("w", BUY, LIMIT, 10, P - 100), leg("p", SELL, LIMIT, 10, P + 100)]
    again = [leg("w2", BUY, LIMIT, 10, P - 100), leg("p2", SELL, LIMIT, 10, P + 100)]
    assert exchange.refused(exchange.list_of(ALICE, codes.CONTINGENCY_OTO, *oto)) == 0
    second = exchange.list_of(ALICE, codes.CONTINGENCY_OTO, *again, name="two")
    assert exchange.refused(second) == codes.REJECT_MAX_NUM_ORDER_LISTS
    exchange.place(ALICE, BUY, P - 50, 100, name="a")
    assert [exchange.refused(exchange.amend(ALICE, "a", lots)) for lots in (90, 80)] == [0, 49]
    exchange.said(codes.FILTER_MAX_NUM_ALGO_ORDERS, 100)
    # Above the market the one range, below it the other.
    for side, bips, expected in (
        (BUY, 19, 51),
        (BUY, 20, 0),
        (SELL, 199, 51),
        (SELL, 300, 0),
        (SELL, 301, 51),
    ):
        trailing = leg(f"t{side}{bips}", side, STOP, 10, bips=bips)
        assert exchange.refused(exchange.order(BOB, trailing)) == expected
    exchange.said(codes.FILTER_MAX_NUM_ORDERS, 1)
    assert exchange.refused(exchange.place(ALICE, BUY, P - 60, 10)) == codes.REJECT_MAX_NUM_ORDERS


def test_a_position_is_what_one_has_and_what_open_orders_would_bring(exchange: Filtered) -> None:
    before = sum(exchange.money(ALICE, BTC))
    exchange.said(codes.FILTER_MAX_POSITION, before + 1_000 * LOT)
    assert exchange.refused(exchange.place(ALICE, BUY, P - 10, 1_001)) == codes.REJECT_MAX_POSITION
    exchange.place(ALICE, BUY, P - 10, 600, name="open")
    assert exchange.refused(exchange.place(ALICE, BUY, P - 10, 401)) == codes.REJECT_MAX_POSITION
    # A SELL takes nothing in; what it holds still counts.
    exchange.place(ALICE, SELL, P + 500, 700)
    assert exchange.refused(exchange.place(ALICE, BUY, P - 10, 401)) == codes.REJECT_MAX_POSITION
    stop = leg("s", BUY, STOP, 401, stop=P + 10)
    assert exchange.refused(exchange.order(ALICE, stop)) == codes.REJECT_MAX_POSITION
    # By quote amount the quantity is the book's.
    exchange.place(BOB, SELL, P + 100, 5_000)
    for lots, expected in ((401, codes.REJECT_MAX_POSITION), (400, 0)):
        cost = lots * (P + 100) * UNIT
        events = exchange.place(ALICE, BUY, 0, 0, order_type=MARKET_ORDER, quote=cost)
        assert exchange.refused(events) == expected
    # 400 less their fee have come in, 600 are open.
    assert exchange.refused(exchange.place(ALICE, BUY, P - 10, 10)) == codes.REJECT_MAX_POSITION
    exchange.cancel_order(ALICE, "open")
    assert exchange.refused(exchange.place(ALICE, BUY, P - 10, 600)) == 0


def test_an_asset_s_limit_holds_in_every_market_of_it(exchange: Filtered) -> None:
    exchange.said(codes.FILTER_MAX_ASSET, 100 * LOT, asset=BTC)
    assert exchange.refused(exchange.place(ALICE, SELL, P + 10, 101)) == codes.REJECT_MAX_ASSET
    assert exchange.refused(exchange.place(ALICE, SELL, P + 10, 100)) == 0
    assert exchange.engine.markets[3].filters.quote_atoms_max == 100 * LOT  # ETHBTC
    exchange.said(codes.FILTER_MAX_ASSET, 0, asset=BTC)
    exchange.said(codes.FILTER_MAX_ASSET, 50 * P * UNIT, asset=USDT)
    assert exchange.refused(exchange.place(ALICE, BUY, P, 51)) == codes.REJECT_MAX_ASSET
    quote = exchange.place(ALICE, SELL, 0, 0, order_type=MARKET_ORDER, quote=51 * P * UNIT)
    assert exchange.refused(quote) == codes.REJECT_MAX_ASSET
    assert exchange.refused(exchange.place(ALICE, BUY, P, 50)) == 0


def test_an_account_s_orders_are_counted_in_all_markets(exchange: Filtered) -> None:
    exchange.said(codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 3)
    exchange.place(ALICE, BUY, P - 10, 10, name="one")
    exchange.order(ALICE, leg("stop", SELL, STOP, 10, stop=P - 10))
    oto = [leg("w", BUY, LIMIT, 10, P - 100), leg("p", SELL, LIMIT, 10, P + 100)]
    refused = codes.REJECT_EXCHANGE_MAX_NUM_ORDERS
    assert exchange.refused(exchange.list_of(ALICE, codes.CONTINGENCY_OTO, *oto)) == refused
    assert exchange.refused(exchange.place(ALICE, BUY, P - 20, 10)) == 0
    assert exchange.refused(exchange.place(ALICE, BUY, P - 20, 10)) == refused
    assert exchange.refused(exchange.place(BOB, BUY, P - 20, 10)) == 0
    exchange.said(codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 0)
    exchange.said(codes.FILTER_EXCHANGE_MAX_NUM_ALGO_ORDERS, 1)
    exchange.said(codes.FILTER_EXCHANGE_MAX_NUM_ICEBERG_ORDERS, 1)
    exchange.said(codes.FILTER_EXCHANGE_MAX_NUM_ORDER_LISTS, 1)
    stop, iceberg = leg("s", SELL, STOP, 10, stop=P - 9), leg("i", SELL, LIMIT, 40, P + 10, iceberg=20)
    second = leg("i2", SELL, LIMIT, 40, P + 10, iceberg=20)
    assert exchange.refused(exchange.order(ALICE, stop)) == codes.REJECT_EXCHANGE_MAX_NUM_ALGO_ORDERS
    assert exchange.refused(exchange.order(ALICE, iceberg)) == 0
    assert exchange.refused(exchange.order(ALICE, second)) == codes.REJECT_EXCHANGE_MAX_NUM_ICEBERG_ORDERS
    assert exchange.refused(exchange.list_of(ALICE, codes.CONTINGENCY_OTO, *oto)) == 0
    oto = [leg("w2", BUY, LIMIT, 10, P - 100), leg("p2", SELL, LIMIT, 10, P + 100)]
    events = exchange.list_of(ALICE, codes.CONTINGENCY_OTO, *oto, name="two")
    assert exchange.refused(events) == codes.REJECT_EXCHANGE_MAX_NUM_ORDER_LISTS
    # What has ended is not counted any more, after a start from a snapshot either.
    restored = exchange.restored()
    assert restored.open_counts[ALICE].algo_orders == restored.open_counts[ALICE].iceberg_orders == 1
    exchange.cancel_order(ALICE, "stop")
    assert exchange.refused(exchange.order(ALICE, stop)) == 0


def some_values(kind: int) -> tuple[int, ...]:
    """Values that any market takes."""
    return {
        codes.FILTER_PRICE: (1, 10**8, 5),
        codes.FILTER_LOT_SIZE: (2, 10**8, 3),
        codes.FILTER_MARKET_LOT_SIZE: (2, 10**8, 3),
        codes.FILTER_NOTIONAL: (7, 0, 10**12, 1),
        codes.FILTER_MIN_NOTIONAL: (8, 1),
        codes.FILTER_PERCENT_PRICE: (2_000_000, 10),
        codes.FILTER_PERCENT_PRICE_BY_SIDE: (4_000_000, 3, 2_000_000, 1),
        codes.FILTER_TRAILING_DELTA: (20, 30, 40, 50),
    }.get(kind, (9,))


def test_every_filter_stands_in_a_snapshot_and_begins_as_what_held_before() -> None:
    """A state with all of them comes back from its rows; without any the market takes what it took."""
    exchange = Filtered()
    for kind, of in FILTER_KINDS.items():
        exchange.said(kind, *some_values(kind), asset=USDT if kind == codes.FILTER_MAX_ASSET else 0)
        assert len(of.fields) == len([name for name, _ in of.fields])
    restored = exchange.restored()
    for name in fields_of(exchange.engine.markets[BTCUSDT].filters):
        ours = getattr(exchange.engine.markets[BTCUSDT].filters, name)
        assert getattr(restored.markets[BTCUSDT].filters, name) == ours
    assert restored.markets[BTCUSDT].is_filtered
    assert restored.markets[ETHUSDT].filters.quote_atoms_max == 9
    assert {key[0] for key in restored.filters.set_by} == set(FILTER_KINDS)


def fields_of(filters: MarketFilters) -> list[str]:
    """The names of its fields, of either build."""
    return [name for name in dir(filters) if not name.startswith("_") and name != "refuses_more"]


def test_rules_before_version_5_know_no_filters_to_set() -> None:
    engine = Engine()
    for command in genesis_commands():
        if isinstance(command, ActivateRules):
            command.version = 4
        engine.apply(command, 1)
    (event,) = engine.apply(SetFilter(1, codes.FILTER_MAX_POSITION, BTCUSDT, 0, ONE, 0, 0, 0), 1)
    assert isinstance(event, CommandRejected)
    assert (event.reason, event.detail) == (codes.REJECT_MALFORMED, "no command")
    assert to_rows(Shard(engine))[0] == 5
    assert not engine.markets[BTCUSDT].is_filtered
    (event,) = engine.apply(ActivateRules(1, 5), 1)
    assert type(event).__name__ == "RulesActivated"
    rows = to_rows(Shard(engine))
    assert rows[0] == 6
    assert to_rows(from_rows(rows, Engine())) == rows


def test_the_scopes_of_the_table_are_those_of_the_codes() -> None:
    for kind, of in FILTER_KINDS.items():
        assert (of.scope == MARKET) == (kind <= codes.FILTER_MAX_POSITION)
    assert set(FILTER_KINDS) == {n for name, n in vars(codes).items() if name.startswith("FILTER_")}


def test_what_an_opo_has_bought_is_sold_in_whole_steps(exchange: Filtered) -> None:
    """The fee leaves 999 of a thousand lots: 950 are sold, and the rest is available again."""
    available, _ = exchange.money(ALICE, BTC)
    exchange.place(ALICE, SELL, P + 10_000, available // LOT, name="all that she has")
    exchange.said(codes.FILTER_LOT_SIZE, 50, 10**9, 50)
    held, (left, _) = exchange.held(ALICE, BTC), exchange.money(ALICE, BTC)
    legs = (leg("buy", BUY, LIMIT, 1_000, P - 100), leg("sell", SELL, LIMIT, 0, P + 100))
    assert exchange.refused(exchange.list_of(ALICE, codes.CONTINGENCY_OPO, *legs)) == 0
    events = exchange.place(BOB, SELL, P - 100, 1_000)
    (placed,) = [event for event in events if isinstance(event, PendingOrderPlaced)]
    assert placed.resting_lots == 950
    assert exchange.held(ALICE, BTC) - held == 950 * LOT
    assert exchange.money(ALICE, BTC)[0] - left == 49 * LOT


def test_a_pending_order_of_an_opo_is_not_too_far_from_the_price(exchange: Filtered) -> None:
    exchange.said(codes.FILTER_PERCENT_PRICE, 1_100_000, 900_000)
    legs = (leg("buy", BUY, LIMIT, 100, P - 100), leg("sell", SELL, LIMIT, 0, P * 12 // 10))
    refused = exchange.list_of(ALICE, codes.CONTINGENCY_OPO, *legs)
    assert exchange.refused(refused) == codes.REJECT_PERCENT_PRICE
