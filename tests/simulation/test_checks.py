"""The checks of the simulation, where they once were wrong: what they allow, and what they still notice."""

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome, RecordedEvent, encode_commands
from exchange.contracts.commands import ActivateRules, Command, KeepTime, PlaceOrder
from exchange.contracts.events import MarketRegistered, OrderAccepted
from exchange.contracts.filter_events import FilterChanged
from exchange.ports.world import LogRecord
from matching_engine.core.engine import Engine
from tests.simulation.asking import Answers, Asked
from tests.simulation.model.auditor import Model
from tests.simulation.violations import Violation

USER = 2_001


class Clock:
    now_s = 0.0


class Desk:
    """Answers over a log that the test writes, and a clock that it turns."""

    def __init__(self) -> None:
        self._clock = Clock()
        self.answers = Answers("checks", Engine(), lambda: self._clock.now_s, 0)

    def at(self, now_s: float) -> Answers:
        self._clock.now_s = now_s
        return self.answers

    def lands(self, now_s: float, command: Command) -> None:
        self.at(now_s).command_record(LogRecord(0, 0, encode_commands([command])))

    def is_accepted(self, now_s: float, asked: Asked) -> None:
        self.lands(now_s, PlaceOrder(1, USER, 1, asked.name, 1, 1, 1, 100, 1, 0, 1, 0))
        event = OrderAccepted(1, USER, 1, asked.name, 1, 1, 1, 100, 1, 0, 1, 0, 1)
        self.answers.decided([CommandOutcome(0, 0, 1, 0, (RecordedEvent(1, b"", event),))])


@pytest.mark.parametrize("word", [ActivateRules(1, 2), KeepTime(1, 1, 0)])
def test_who_brings_rules_in_leads_as_who_says_so(word: Command) -> None:
    """An engine begins attended with the rules that ask for it."""
    desk = Desk()
    desk.lands(5.0, word)
    asked = desk.at(6.9).new_order()
    desk.is_accepted(6.95, asked)
    assert asked.is_accepted


def test_an_order_with_nobody_leading_in_its_window_is_noticed() -> None:
    desk = Desk()
    asked = desk.at(6.9).new_order()
    with pytest.raises(Violation, match="nobody led"):
        desk.is_accepted(6.95, asked)


@pytest.mark.parametrize("has_steady_clock", [True, False])
def test_a_window_ends_by_clocks_that_do_not_jump(has_steady_clock: bool) -> None:
    """Back by minutes, and the engine's stands still: what comes late is in time, after an honest denial."""
    desk = Desk()
    desk.answers.has_steady_clock = has_steady_clock
    asked = desk.at(5.0).new_order()
    asked.window_ms = 1_000
    asked.is_accepted, asked.landed_s = True, 8.6
    if has_steady_clock:
        with pytest.raises(Violation, match="is there"):
            desk.at(9.0).missing(asked, 8.5, is_own=False)
    else:
        desk.at(9.0).missing(asked, 8.5, is_own=False)
        with pytest.raises(Violation, match="was placed, but its trader is told"):
            desk.at(9.0).missing(asked, 8.7, is_own=False)


def registered(market_id: int) -> MarketRegistered:
    return MarketRegistered(
        market_id, "A", 1, 2, 1, 1, 1, 1, 10**6, 1, 1_000, 500, 0, 10**9, 0, 0, 0, 0, 100, 0, 0
    )  # fmt: skip


def test_what_a_list_sells_are_whole_steps_of_its_market() -> None:
    filters, market = Model().filters, registered(1)
    assert filters.sellable_lots(market, 1_003, at_any_price=False) == 1_000
    assert filters.sellable_lots(market, 1_003, at_any_price=True) == 500
    filters.changed(FilterChanged(codes.FILTER_LOT_SIZE, 1, 0, 1, 900, 7, 0))
    assert filters.sellable_lots(market, 1_003, at_any_price=False) == 896
    filters.changed(FilterChanged(codes.FILTER_MARKET_LOT_SIZE, 1, 0, 1, 300, 50, 0))
    assert filters.sellable_lots(market, 1_003, at_any_price=True) == 294
    assert filters.sellable_lots(registered(2), 1_003, at_any_price=False) == 1_000
