"""The table of open orders against a dictionary, and what one more order costs it."""

import os
import random

from exchange.contracts import codes
from matching_engine.core.accounts import Balance
from matching_engine.core.order import Order, Trader
from matching_engine.core.order_table import OrderTable

SEED = int(os.environ.get("SEED", "7"))
TRADER = Trader(1, 1, Balance(0, 0), Balance(0, 0), {})


def order(order_id: int) -> Order:
    return Order(order_id, "", codes.BUY, 1, 1, 1, codes.STP_NONE, 0, TRADER)


def test_orders_come_and_go_as_in_a_dictionary() -> None:
    print(f"SEED={SEED}")
    draw = random.Random(SEED)
    table, known, next_id = OrderTable(), dict[int, Order](), 1
    for step in range(30_000):
        next_id += draw.choice((1, 1, 1, 2, 17))
        # It grows through several rounds, shrinks, and grows again.
        if step // 10_000 % 2 == 0 or draw.random() < 0.2:
            known[next_id] = order(next_id)
            table.add(known[next_id])
        elif known:
            table.remove(known.pop(draw.choice(list(known)) if step % 100 == 0 else next(iter(known))))
        asked = draw.randrange(next_id + 2)
        assert table.get(asked) is known.get(asked)
        assert len(table) == len(known)
    assert table.values() == [known[order_id] for order_id in sorted(known)]
    for order_id, one in known.items():
        assert table.get(order_id) is one


def test_one_more_order_moves_one_chain_of_orders_and_never_all() -> None:
    table = OrderTable()
    for order_id in range(1, 10_001):
        before = len(table._slots)
        table.add(order(order_id))
        assert len(table._slots) - before <= 1
    assert len(table._slots) == 10_000
    longest = 0
    for head in table._slots:
        length, one = 0, head
        while one is not None:
            length, one = length + 1, one.next_in_slot
        longest = max(longest, length)
    assert longest <= 2, "ids that grow by one fill the slots evenly"
