"""Promises of exchange/log/engine_clock.py: the sign is kept, a late outcome is no slow clock."""

from exchange.log.engine_clock import EngineClock

T = 1_700_000_000_000


def test_nothing_is_claimed_before_something_is_known() -> None:
    assert EngineClock("a").skew_ms == 0


def test_the_difference_has_a_sign() -> None:
    ahead, behind = EngineClock("a"), EngineClock("b")
    ahead.saw(T + 700, T)
    behind.saw(T - 700, T)
    assert (ahead.skew_ms, behind.skew_ms) == (700, -700)


def test_outcomes_that_come_late_do_not_count_beside_one_that_came_soon() -> None:
    clock = EngineClock("a")
    for late_ms in (900, 3, 2_000, 400):
        clock.saw(T - late_ms, T)
    assert clock.skew_ms == -3


def test_a_difference_that_is_over_is_forgotten_within_two_windows() -> None:
    clock = EngineClock("a")
    clock.saw(T + 60_000, T)
    for now_ms in range(T + 1_000, T + 20_000, 1_000):
        clock.saw(now_ms, now_ms)
    assert clock.skew_ms == 0


def test_what_was_last_seen_holds_while_nothing_comes_and_is_shown() -> None:
    clock = EngineClock("shown")
    clock.saw(T + 60_000, T)
    assert clock.skew_ms == 60_000
    assert clock._shown._value.get() == 60.0
