"""What MAX_POSITION is judged by: a sum that follows the orders, and costs the same however many are open."""

from typing import Any

import pytest

from exchange.contracts import codes
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.events import Event
from matching_engine.core.invariants import check_invariants
from matching_engine.core.order import Order
from tests.unit.engine.terms_exchange import ALICE, BOB, BTC, BTCUSDT, P, leg
from tests.unit.engine.test_filters import LIMIT, LOT, MARKET_ORDER, STOP, Filtered, exchange

__all__ = ["exchange"]


class Watched(dict[str, Order]):
    """A user's open orders, and how many of them somebody has looked at."""

    looked_at = 0

    def values(self) -> Any:
        """Each is counted."""
        self.looked_at += len(self)
        return super().values()


def test_a_position_costs_the_same_however_many_orders_are_open(
    exchange: Filtered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.engine.test_trading.check_invariants", lambda _: None)
    exchange.said(codes.FILTER_MAX_POSITION, 10**15)
    exchange.place(ALICE, BUY, P - 10, 10)
    trader = exchange.engine.markets[BTCUSDT].traders[ALICE]
    watched = Watched(trader.named)
    trader.named = exchange.engine.orders_by_name[ALICE] = watched
    for number in range(60):
        exchange.place(ALICE, BUY, P - 20 - number, 10)
    exchange.order(ALICE, leg("stop", BUY, STOP, 10, stop=P + 10))
    exchange.place(ALICE, BUY, 0, 0, order_type=MARKET_ORDER, quote=100_000_000)
    assert len(watched) >= 62
    assert watched.looked_at == 0


def test_the_sum_that_a_position_is_judged_by_follows_every_change(exchange: Filtered) -> None:
    """Fills of plain orders and icebergs, amendments, lost lots, both ends of an OCO, a snapshot."""
    trader = exchange.engine.markets[BTCUSDT].traders[ALICE]
    before = trader.open_buy_lots

    def counts(lots: int) -> None:
        check_invariants(exchange.engine)
        assert trader.open_buy_lots - before == lots

    exchange.place(ALICE, BUY, P - 10, 500, name="plain")
    counts(500)
    exchange.order(ALICE, leg("ice", BUY, LIMIT, 400, P - 10, iceberg=100))
    counts(900)
    exchange.place(BOB, SELL, P - 10, 650)  # 500 of the one, two slices of the other, half of the third
    counts(250)
    exchange.amend(ALICE, "ice", 350)
    counts(200)
    exchange.place(ALICE, SELL, P - 10, 120, stp=codes.STP_DECREMENT)
    counts(80)
    exchange.place(ALICE, BUY, P - 20, 100, name="lost")
    exchange.cancel_order(ALICE, "ice")
    exchange.place(ALICE, SELL, P - 20, 30, stp=codes.STP_DECREMENT)
    counts(70)
    exchange.cancel_order(ALICE, "lost")
    counts(0)
    above = leg("above", BUY, codes.STOP_LOSS_LIMIT, 300, P + 100, stop=P + 50)
    below = leg("below", BUY, codes.LIMIT_MAKER, 300, P - 100)
    exchange.list_of(ALICE, codes.CONTINGENCY_OCO, above, below, name="by-its-stop")
    counts(300)
    restored = exchange.restored()
    check_invariants(restored)
    assert restored.markets[BTCUSDT].traders[ALICE].open_buy_lots == trader.open_buy_lots
    exchange.place(BOB, SELL, P + 120, 1_000, name="wall")
    exchange.trade_at(P + 50)
    counts(300)
    exchange.cancel_order(ALICE, "above")
    counts(0)


def test_of_an_oco_that_buys_one_leg_counts(exchange: Filtered) -> None:
    has = sum(exchange.money(ALICE, BTC))
    exchange.said(codes.FILTER_MAX_POSITION, has + 1_000 * LOT)

    def oco(lots: int, name: str) -> list[Event]:
        above = leg(f"{name}a", BUY, codes.STOP_LOSS_LIMIT, lots, P + 100, stop=P + 50)
        below = leg(f"{name}b", BUY, codes.LIMIT_MAKER, lots, P - 100)
        return exchange.list_of(ALICE, codes.CONTINGENCY_OCO, above, below, name=name)

    assert exchange.refused(oco(1_001, "x")) == codes.REJECT_MAX_POSITION
    assert exchange.refused(oco(600, "y")) == 0
    assert exchange.refused(exchange.place(ALICE, BUY, P - 10, 401)) == codes.REJECT_MAX_POSITION
    assert exchange.refused(exchange.place(ALICE, BUY, P - 10, 400)) == 0
