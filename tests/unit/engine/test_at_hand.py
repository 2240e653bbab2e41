"""What an engine keeps at hand by the low bits of a number is what it would find by the whole one."""

import os
import random

from exchange.contracts import codes
from exchange.contracts.codec import field_names
from exchange.contracts.commands import CreditDeposit, PlaceOrder, RegisterMarket
from exchange.contracts.events import OrderAccepted
from matching_engine.core.engine import Engine
from matching_engine.core.market import NEAR_TRADERS
from matching_engine.core.rules import ReferencePrice
from matching_engine.genesis import genesis_commands

SEED = int(os.environ.get("SEED", "7"))
MINUTE_MS = 60_000


def test_traders_and_markets_whose_numbers_end_alike_are_told_apart() -> None:
    engine = Engine()
    for command in genesis_commands():
        engine.apply(command, 1)
        if isinstance(command, RegisterMarket) and command.market_id == 1:
            like = [getattr(command, name) for name in field_names(RegisterMarket)[3:]]
            for number in (65, 129):
                engine.apply(RegisterMarket(1, number, f"LIKE{number}", *like), 1)
    users = [7 + NEAR_TRADERS * number for number in range(3)]
    for number, user_id in enumerate(users):
        engine.apply(CreditDeposit(1, user_id, 3, 10**15, number + 1), 1)
    places = [(user_id, market_id) for _ in range(3) for user_id in users for market_id in (1, 65, 129, 1)]
    for number, (user_id, market_id) in enumerate(places):
        kind = codes.BUY, codes.LIMIT, codes.GTC, 5_000_000, 1_000, 0, codes.STP_NONE, 0
        (event,) = engine.apply(PlaceOrder(1, user_id, market_id, f"o{number}", *kind), 1)
        assert isinstance(event, OrderAccepted)
        order = engine.orders.get(event.order_id)
        assert order is not None
        assert (order.user_id, order.market_id) == (user_id, market_id)
        assert order.trader is engine.markets[market_id].traders[user_id]
    assert engine.market(193) is None


def test_the_reference_price_is_the_sum_of_five_minutes_whoever_remembers_it() -> None:
    print(f"SEED={SEED}")
    draw = random.Random(SEED)
    kept, again, trades, now_ms = ReferencePrice(), ReferencePrice(), list[tuple[int, int, int]](), 0
    assert kept.buckets() == [[], [], []]
    for _ in range(2_000):
        now_ms += draw.choice((0, 1_000, 20_000, MINUTE_MS, 4 * MINUTE_MS, 9 * MINUTE_MS))
        if draw.random() < 0.7:
            price, lots = draw.randrange(1, 10**7), draw.choice((1, 5_000, 2**40))
            trades.append((now_ms // MINUTE_MS, price, lots))
            for reference in (kept, again):
                reference.record(now_ms, price, lots)
        newest = [trade for trade in trades if trade[0] > now_ms // MINUTE_MS - 5]
        sums = sum(price * lots for _, price, lots in newest), sum(lots for _, _, lots in newest)
        expected = sums if newest else (trades[-1][1], 1) if trades else (0, 0)
        assert kept.fraction(now_ms) == again.fraction(now_ms) == expected
        if draw.random() < 0.1:
            again = ReferencePrice()
            minutes, sums_then, lots_then = kept.buckets()
            again.restore(minutes, sums_then, lots_then, kept.last_ticks)
        assert again.buckets() == kept.buckets()
        assert len(kept.buckets()[0]) <= 5
