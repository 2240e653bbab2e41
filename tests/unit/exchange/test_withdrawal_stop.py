"""Promises of what the auditor's heartbeat forbids (exchange/security/withdrawal_stop.py)."""

import msgspec
import pytest

from exchange.contracts.audit_keys import (
    AUDITING,
    COMPARED_AGE_MS_MAX,
    HEARTBEAT_AGE_S_MAX,
    LAG_MS_MAX,
    RED,
    REPLAYING,
    Heartbeat,
)
from exchange.security.withdrawal_stop import CAUSES, stop_of
from services.auditor.component import COMPARE_PAUSE_S_MAX, END_EVERY_S, HEARTBEAT_EVERY_S
from services.auditor.lag import Lag

NOW_MS = 1_700_000_000_000


def beat(**changes: object) -> Heartbeat:
    whole = Heartbeat(
        seq=7, time_ms=NOW_MS - 5_000, state=AUDITING, lag_ms=900, lag_records=3, compared_age_ms=9_000
    )
    return msgspec.structs.replace(whole, **changes)


def test_a_heartbeat_that_says_all_is_well_forbids_nothing() -> None:
    assert stop_of(beat(), NOW_MS) is None
    assert (
        stop_of(beat(time_ms=NOW_MS, lag_ms=LAG_MS_MAX, compared_age_ms=COMPARED_AGE_MS_MAX), NOW_MS) is None
    )
    # Clocks differ a little.
    assert stop_of(beat(time_ms=NOW_MS + 1_000), NOW_MS) is None


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"state": REPLAYING}, "replaying"),
        ({"state": RED}, "red"),
        ({"state": "of another release"}, "red"),
        ({"time_ms": NOW_MS - HEARTBEAT_AGE_S_MAX * 1000 - 1}, "away"),
        ({"time_ms": NOW_MS + HEARTBEAT_AGE_S_MAX * 1000 + 1}, "away"),
        ({"lag_ms": LAG_MS_MAX}, "behind"),  # and five seconds have passed since
        ({"lag_ms": -1}, "behind"),
        ({"lag_records": -1}, "behind"),
        ({"compared_age_ms": None}, "uncompared"),
        ({"compared_age_ms": COMPARED_AGE_MS_MAX}, "uncompared"),
        ({"compared_age_ms": -10_000}, "uncompared"),
    ],
)
def test_whatever_is_not_well_stops_and_says_why(changes: dict[str, object], cause: str) -> None:
    stop = stop_of(beat(**changes), NOW_MS)
    assert stop is not None
    assert stop.cause == cause
    assert cause in CAUSES


def test_an_auditor_that_works_as_it_should_is_within_the_limits() -> None:
    assert (HEARTBEAT_EVERY_S + 2 * END_EVERY_S) * 1000 < LAG_MS_MAX / 2
    assert 2 * COMPARE_PAUSE_S_MAX * 1000 < COMPARED_AGE_MS_MAX


def test_lag_is_the_age_of_the_last_look_that_the_audit_has_reached() -> None:
    lag = Lag(100.0)
    assert lag.milliseconds(103.0) == 3_000
    lag.log_ends(104.0, 50)
    lag.audited(49)
    assert (lag.milliseconds(105.0), lag.records(49)) == (5_000, 1)
    lag.audited(50)
    assert (lag.milliseconds(105.0), lag.records(50)) == (1_000, 0)


def test_lag_grows_while_the_audit_runs_after_a_log_that_runs_away() -> None:
    lag = Lag(0.0)
    for second in range(1, 100):
        lag.log_ends(float(second), 100 * second)
        lag.audited(10 * second)
    # What stood on the log at second 9 is audited by second 90 (900 records), not what came later.
    assert lag.milliseconds(99.0) >= 88_000
    assert lag.records(990) == 8_910


def test_lag_grows_while_nobody_can_look() -> None:
    lag = Lag(0.0)
    lag.log_ends(1.0, 10)
    lag.audited(10)
    for _ in range(5):
        lag.audited(10)
    assert lag.milliseconds(61.0) == 60_000
