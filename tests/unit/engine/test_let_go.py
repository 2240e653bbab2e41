"""The collector and an engine's orders: compiled it never looks at them, and a dropped engine leaves none."""

import gc
import sys

import pytest

from exchange.contracts import codes
from exchange.contracts.unpacking import IS_COMPILED
from matching_engine.core.engine import Engine
from tests.unit.engine.terms_exchange import ALICE, BOB, P, TermsExchange, leg

ORDERS = 300
ENGINES = 20


def with_orders_everywhere() -> Engine:
    """An engine with orders on both sides of a book, in every kind of waiting, and in lists."""
    x = TermsExchange()
    for number in range(ORDERS // 3):
        x.place(ALICE, codes.BUY, P - 1 - number % 50, 100)
        x.place(BOB, codes.SELL, P + 1 + number % 50, 100)
    for number in range(5):
        stop = P + 200 + number
        for name, terms in {
            "stop": leg("", codes.BUY, codes.STOP_LOSS_LIMIT, 100, stop, stop=stop),
            "falling": leg("", codes.SELL, codes.STOP_LOSS_LIMIT, 100, P - 300, stop=P - 300 - number),
            "trailing": leg("", codes.SELL, codes.STOP_LOSS_LIMIT, 100, P - 400, bips=100 + number % 2),
            "begins": leg("", codes.BUY, codes.STOP_LOSS_LIMIT, 100, stop, stop=stop, bips=100),
            "iceberg": leg("", codes.SELL, codes.LIMIT, 1_000, P + 60, iceberg=100),
        }.items():
            terms.client_order_id = f"{name}-{number}"
            x.order(ALICE, terms)
        x.list_of(
            BOB,
            codes.CONTINGENCY_OCO,
            leg(f"above-{number}", codes.SELL, codes.LIMIT_MAKER, 100, P + 90),
            leg(f"below-{number}", codes.SELL, codes.STOP_LOSS_LIMIT, 100, P - 500, stop=P - 500),
            name=f"oco-{number}",
        )
        x.list_of(
            BOB,
            codes.CONTINGENCY_OTO,
            leg(f"works-{number}", codes.BUY, codes.LIMIT, 100, P - 80),
            leg(f"pends-{number}", codes.SELL, codes.LIMIT, 100, P + 95),
            name=f"oto-{number}",
        )
    assert len(x.engine.orders) >= 2 * (ORDERS // 3) + 5 * 9
    return x.engine


def test_a_dropped_engine_leaves_no_orders_in_memory() -> None:
    for _ in range(2):
        with_orders_everywhere()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(ENGINES):
        with_orders_everywhere()
    gc.collect()
    left = sys.getallocatedblocks() - before
    assert left < ORDERS * ENGINES / 10, f"{left} blocks of memory are left of {ENGINES} engines"


@pytest.mark.skipif(not IS_COMPILED, reason="of an interpreted class every object is the collector's")
def test_the_collector_does_not_look_at_orders_levels_and_names() -> None:
    engine = with_orders_everywhere()
    gc.collect()
    looked_at = [type(found).__name__ for found in gc.get_objects()]
    assert not {"Order", "Level", "Trader"} & set(looked_at)
    order = engine.orders.values()[0]
    assert not gc.is_tracked(order.trader.named), "what has only such values is not looked at either"
