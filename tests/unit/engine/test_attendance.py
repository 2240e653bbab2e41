"""A command is decided by the clock of its decision, not of its append (ADR 0018); all of it from the log."""

import msgspec
import pytest

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome, encode_commands, outcomes_of
from exchange.contracts.commands import (
    ActivateRules,
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    KeepTime,
    LeaderElected,
    PlaceOrder,
)
from exchange.contracts.events import (
    CommandRejected,
    DepositCredited,
    Event,
    OrderAccepted,
    OrderClosed,
    TimeKept,
)
from matching_engine.core.attendance import AHEAD_MAX_MS, ATTENDED_MS
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows
from matching_engine.genesis import genesis_commands
from matching_engine.snapshots import state_bytes

T = 1_700_000_000_000
ALICE, USDT, BTCUSDT = 1001, 3, 1
ONE = 10**8


class Log:
    """Records for a shard, each at a time of the log."""

    def __init__(self, version: int = 2) -> None:
        self.shard = Shard(Engine())
        self.records: list[tuple[int, bytes]] = []
        setup = [c for c in genesis_commands() if not isinstance(c, ActivateRules)]
        self.send(T, ActivateRules(1, version), *setup, CreditDeposit(1, ALICE, USDT, 10**6 * ONE, 1))

    def send(self, time_ms: int, *commands: Command) -> list[CommandOutcome]:
        """Append a record and let the shard read it."""
        record = encode_commands(list(commands))
        self.records.append((time_ms, record))
        return outcomes_of(self.shard.apply_record(len(self.records) - 1, time_ms, record))

    def keep(self, time_ms: int, wall_ms: int | None = None, epoch: int = 0) -> list[CommandOutcome]:
        """The leader's word."""
        return self.send(time_ms, KeepTime(9, epoch, time_ms if wall_ms is None else wall_ms))


def order(name: str, valid_until_ms: int = 0) -> PlaceOrder:
    return PlaceOrder(
        7,
        ALICE,
        BTCUSDT,
        name,
        codes.BUY,
        codes.LIMIT,
        codes.GTC,
        10_000,
        100_000,
        0,
        codes.STP_NONE,
        valid_until_ms,
    )


def cancel(name: str, valid_until_ms: int) -> CancelOrder:
    return CancelOrder(8, ALICE, BTCUSDT, 0, name, "x", codes.CANCEL_ANY, valid_until_ms)


def first(outcomes: list[CommandOutcome]) -> list[Event]:
    return [outcome.events[0].event for outcome in outcomes]


def kinds(outcomes: list[CommandOutcome]) -> list[type[Event]]:
    return [type(event) for event in first(outcomes)]


def reason(event: Event) -> int:
    assert isinstance(event, CommandRejected)
    return event.reason


def test_what_comes_while_a_leader_is_at_work_is_decided_at_once_by_its_own_stamp() -> None:
    log = Log()
    (outcome,) = log.send(T + ATTENDED_MS, order("a", T + ATTENDED_MS))
    assert (type(outcome.events[0].event), outcome.time_ms) == (OrderAccepted, T + ATTENDED_MS)


def test_an_order_into_a_halt_is_refused_as_stale_when_somebody_leads_again() -> None:
    """Scenario a: appended well within its window, decided an hour later."""
    log = Log()
    came_ms, later_ms = T + 10_000, T + 3_600_000
    assert log.send(came_ms, order("stale", came_ms + 5_000)) == []
    assert log.send(came_ms + 1, order("for ever"), CreditDeposit(2, ALICE, USDT, 1, 2)) == []
    assert (log.shard.is_waiting, log.shard.next_command_offset, log.shard.read_offset) == (True, 1, 3)
    stale, kept, money, word = log.keep(later_ms)
    assert reason(stale.events[0].event) == codes.REJECT_STALE
    assert [kind for kind in kinds([kept, money, word])] == [OrderAccepted, DepositCredited, TimeKept]
    assert {outcome.time_ms for outcome in (stale, kept, money, word)} == {later_ms}
    assert [(o.command_offset, o.command_index) for o in (stale, kept, money, word)] == [
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
    ]
    assert log.shard.next_command_offset == log.shard.read_offset == 4


def test_a_claimant_s_marker_is_a_leader_s_word() -> None:
    log = Log()
    assert log.send(T + 10_000, order("stale", T + 15_000)) == []
    stale, changed = log.send(T + 20_000, LeaderElected(1, "b", 1))
    assert (reason(stale.events[0].event), changed.time_ms) == (codes.REJECT_STALE, T + 20_000)


def test_the_clock_of_a_marker_is_held_to_its_claimant_s() -> None:
    log = Log()
    fast_ms = T + 3_600_000
    changed, word = log.send(fast_ms, LeaderElected(1, "b", 1), KeepTime(2, 1, T))
    assert (changed.time_ms, type(word.events[0].event)) == (T + AHEAD_MAX_MS, TimeKept)


def test_who_leads_no_more_says_nothing() -> None:
    log = Log()
    log.send(T, LeaderElected(1, "a", 1))
    log.send(T, LeaderElected(2, "b", 2))
    assert log.send(T + 10_000, order("waits", T + 60_000)) == []
    assert log.keep(T + 10_001, epoch=1) == []
    accepted, void, word = log.keep(T + 10_002, epoch=2)
    assert kinds([accepted, word]) == [OrderAccepted, TimeKept]
    assert reason(void.events[0].event) == codes.REJECT_STALE


def test_what_waits_keeps_its_place_although_the_clock_goes_back() -> None:
    log = Log()
    assert log.send(T + 10_000, order("a")) == []
    assert log.send(T, order("b")) == []
    assert [type(e).__name__ for e in first(log.keep(T + 10_001))] == [
        "OrderAccepted",
        "OrderAccepted",
        "TimeKept",
    ]


def test_a_cancel_is_never_stale() -> None:
    log = Log()
    log.send(T, order("a"), order("b"))
    assert kinds(log.send(T + 900, cancel("a", T - 1))) == [OrderClosed]
    assert kinds(log.send(T + 900, CancelAllOrders(9, ALICE, BTCUSDT, "x", T - 1))) == [OrderClosed]


def test_under_rules_version_1_nothing_waits_and_a_late_cancel_is_refused() -> None:
    log = Log(version=1)
    log.send(T, order("a"))
    day_ms = 86_400_000
    (late,) = log.send(T + day_ms, cancel("a", T))
    assert reason(late.events[0].event) == codes.REJECT_STALE
    (word,) = log.keep(T + day_ms)
    assert reason(word.events[0].event) == codes.REJECT_MALFORMED
    (late,) = log.send(T + day_ms, order("b", T))
    assert (reason(late.events[0].event), late.time_ms) == (codes.REJECT_STALE, T + day_ms)


def test_a_broker_whose_clock_is_hours_fast_does_not_carry_the_engine_s_away() -> None:
    log = Log()
    fast_ms = 3 * 3_600_000
    assert log.send(T + fast_ms, order("a", T + AHEAD_MAX_MS + 5_000)) == []
    accepted, word = log.keep(T + fast_ms + 5, wall_ms=T + 5)
    assert kinds([accepted, word]) == [OrderAccepted, TimeKept]
    assert log.shard.engine.now_ms == T + 5 + AHEAD_MAX_MS
    # The broker is well again: what it stamps is attended, and the clock stands until time has caught up.
    (outcome,) = log.send(T + 2_000, order("b", T + AHEAD_MAX_MS + 5_000))
    assert (type(outcome.events[0].event), outcome.time_ms) == (OrderAccepted, T + 5 + AHEAD_MAX_MS)


def test_a_broker_whose_clock_creeps_away_is_held_too() -> None:
    log = Log()
    for turn in range(400):
        log.keep(T + turn * 900, wall_ms=T)
    assert log.shard.engine.now_ms <= T + AHEAD_MAX_MS + ATTENDED_MS


def test_a_leader_whose_own_clock_is_slow_stops_nothing() -> None:
    log = Log()
    slow_ms = 600_000
    for turn in range(1, 4):
        at_ms = T + turn * 5_000
        assert log.send(at_ms, order(f"o{turn}", at_ms + 5_000)) == []
        assert kinds(log.keep(at_ms + 3, wall_ms=at_ms - slow_ms)) == [OrderAccepted, TimeKept]


def test_a_snapshot_taken_while_records_wait_starts_before_them() -> None:
    log = Log()
    log.send(T + 10_000, order("a", T + 15_000))
    log.send(T + 11_000, order("b", T + 60_000))
    restored = from_rows(msgspec.msgpack.decode(state_bytes(log.shard)), Engine())
    assert restored.read_offset == 1
    log.keep(T + 20_000)
    for offset in range(1, len(log.records)):
        restored.apply_record(offset, *log.records[offset])
    assert (state_bytes(restored), restored.chain) == (state_bytes(log.shard), log.shard.chain)


@pytest.mark.parametrize("version", [1, 2])
def test_after_a_skipped_command_the_clock_is_that_of_the_operator_s_order(version: int) -> None:
    """All engines stood there until then, so nothing behind it can have been decided before."""
    log = Log(version)
    ordered_ms = T + 3_600_000
    log.shard.skipped[1, 0] = ordered_ms
    log.send(T + 100, order("poison"))
    (outcome,) = log.send(T + 200, order("behind", T + 5_000))
    if version == 1:
        assert (type(outcome.events[0].event), outcome.time_ms) == (OrderAccepted, T + 200)
    else:
        assert (reason(outcome.events[0].event), outcome.time_ms) == (codes.REJECT_STALE, ordered_ms)
