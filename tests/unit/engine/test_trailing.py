"""Trailing stops: the five scenarios of upstream's document, and what must not send an order to work."""

import random

import pytest

from exchange.contracts import codes
from exchange.contracts.order_events import OrderTriggered, TrailingStarted
from tests.property.replay import SEED
from tests.unit.engine.terms_exchange import ALICE, P, TermsExchange, kinds, leg, one

B, S = codes.BUY, codes.SELL
SLL, TPL = codes.STOP_LOSS_LIMIT, codes.TAKE_PROFIT_LIMIT
K = P // 40_000  # ticks of one of the document's dollars, were the last price 40,000


def path(x: TermsExchange, *prices: int) -> list[list[str]]:
    return [kinds(x.trade_at(price * K, 20)) for price in prices]


@pytest.mark.parametrize(
    ("side", "order_type", "stop", "bips", "quiet", "last"),
    [
        (B, SLL, 44_000, 500, [37_000, 44_000, 45_000, 46_000, 42_000], 44_100),
        (S, SLL, 39_000, 1_000, [41_500, 39_000, 37_000, 41_000, 36_901], 36_900),
        (B, TPL, 38_000, 850, [42_000, 38_000, 37_000, 39_000, 38_000, 40_144], 40_145),
        (S, TPL, 42_000, 750, [41_500, 39_000, 42_000, 45_000, 44_000, 46_500], 43_012),
        (S, SLL, 0, 700, [42_000, 39_500, 45_500], 42_315),
    ],
    ids=["A", "B", "C", "D", "E"],
)
def test_scenarios_of_the_document(
    side: int, order_type: int, stop: int, bips: int, quiet: list[int], last: int
) -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", side, order_type, 500, P, stop=stop * K, bips=bips))
    for names in path(x, *quiet):
        assert "OrderTriggered" not in names
        x.engine = x.restored()
    assert "OrderTriggered" in path(x, last)[0]


def test_it_begins_to_follow_where_its_stop_price_is_reached() -> None:
    x = TermsExchange()
    x.order(ALICE, leg("a", S, SLL, 500, P, stop=P - 100, bips=100))
    assert one(x.trade_at(P - 200, 20), TrailingStarted).price_ticks == P - 200
    assert "OrderTriggered" not in kinds(x.trade_at((P - 200) * 99 // 100 + 1, 20))
    triggered = one(x.trade_at((P - 200) * 99 // 100, 20), OrderTriggered)
    assert triggered.trigger_price_ticks == (P - 200) * 99 // 100


def test_a_price_before_the_extreme_does_not_send_it_to_work() -> None:
    """Within one command the price falls from the old high to a new low: that high came before the low."""
    x = TermsExchange()
    x.trade_at(P + 1_000, 20)
    x.order(ALICE, leg("a", B, SLL, 500, P + 5_000, bips=10))
    x.place(1002, B, P + 900, 20, stp=codes.STP_NONE)
    x.place(1002, B, P - 4_900, 20, stp=codes.STP_NONE)
    events = x.place(ALICE, S, P - 4_900, 40, stp=codes.STP_NONE)
    assert kinds(events).count("TradeExecuted") == 2
    assert "OrderTriggered" not in kinds(events)


@pytest.mark.parametrize("bips", [9, 2_001])
def test_distances_have_bounds(bips: int) -> None:
    x = TermsExchange()
    events = x.order(ALICE, leg("a", S, SLL, 500, P, bips=bips))
    assert x.refusal(events) == codes.REJECT_TRAILING_DELTA


def test_segments_merge_and_split_as_one_list_of_orders_would() -> None:
    print(f"SEED={SEED}")
    draw = random.Random(SEED)
    x = TermsExchange()
    price = P
    for n in range(60):
        x.order(ALICE, leg(f"t{n}", S, SLL, 100, P - 50_000, bips=draw.choice((10, 50, 100, 300))))
        price += draw.randint(-3_000, 3_500)
        x.trade_at(price, 20)
        x.engine = x.restored()
    waiting = x.engine.markets[1].waiting
    assert waiting is not None
    trail = waiting.trails.sells
    extremes = [segment.extreme_ticks for segment in trail.segments()]
    assert extremes == sorted(set(extremes), reverse=True)
    assert len(extremes) > 1
