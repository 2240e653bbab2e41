"""Promise of loadtest/pause.py: every order that it puts on the log rests, none meets another."""

from itertools import chain

from exchange.contracts.commands import PlaceOrder
from loadtest.pause import LEVELS, ORDERS_PER_USER, resting
from matching_engine.core.engine import Engine
from matching_engine.genesis import genesis_commands


def test_every_order_rests() -> None:
    engine, live = Engine(), 3 * ORDERS_PER_USER + 1
    commands = list(resting(live))
    for command in chain(genesis_commands(), commands):
        engine.apply(command, 0)
    assert len(engine.orders) == live
    assert len({command.command_id for command in commands}) == len(commands)


def test_a_million_orders_have_as_many_levels_as_the_wide_book() -> None:
    prices = {command.price_ticks for command in resting(LEVELS + 1) if isinstance(command, PlaceOrder)}
    assert len(prices) == LEVELS
