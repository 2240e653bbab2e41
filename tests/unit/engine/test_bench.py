"""`make bench`: what is measured is what is said, and a checkout can be set beside another."""

import gc
from pathlib import Path

import pytest

from loadtest.bench.beside import compared
from loadtest.bench.fan_out import PER_SECOND
from loadtest.bench.fan_out import _turn as fan_out_turn
from loadtest.bench.record_path import measured_books, measured_kinds, measured_traffic, yardstick_us
from loadtest.bench.recovery import measured_snapshot, measured_tail

ROOT = Path(__file__).resolve().parents[3]
COSTS = {
    "record_to_record_us",
    "one_command_a_record_us",
    "replay_us",
    "wide_book_us",
    "copy_of_state_ms",
    "decision_p50_ns",
    "yardstick_us",
}


def test_figures_are_of_what_they_are_called() -> None:
    """Each kind asserts its own outcome; books hold what they are filled with."""
    settled = gc.get_freeze_count()
    assert yardstick_us() > 0
    traffic = measured_traffic(7, 2_000)
    assert traffic["trades"] > 100
    assert traffic["record_to_record"]["us"] > 0
    assert traffic["record_to_record"]["bytes"] < traffic["one_command_a_record"]["bytes"]
    kinds = measured_kinds(200)
    assert len(kinds) >= 8
    assert min(kinds.values()) > 0
    books = measured_books((100, 400), 100)
    assert [(row["live"], row["book"], row["levels"]) for row in books] == [
        (100, "deep", 100),
        (100, "wide", 100),
        (400, "deep", 100),
        (400, "wide", 400),
    ]
    assert gc.get_freeze_count() >= settled > 0, "later tests wait for collections of the whole heap"


@pytest.mark.slow
def test_a_checkout_beside_itself_does_the_same_and_tells_both_costs() -> None:
    found = compared(ROOT, 400, 200, turns=1, build="interpreted")
    for side in ("there", "here"):
        assert found[side]["trades"] > 20
        assert found[side]["live"] == 200
        assert all(found[side][name] > 0 for name in COSTS)


async def test_a_recovery_comes_to_the_same_state_and_tells_what_it_took() -> None:
    tail = await measured_tail(400)
    assert tail["seq"] > 400
    assert min(tail["decided_and_published_s"], tail["decided_s"]) > 0
    snapshot = await measured_snapshot(200)
    assert snapshot["snapshot_bytes"] > 200 * 10
    assert snapshot["loaded_s"] > 0


@pytest.mark.slow
def test_every_message_of_a_fan_out_comes() -> None:
    """`fan_out_turn` asserts that its clients have received as many as were sent."""
    found = fan_out_turn(ROOT, "20", 1.0)
    assert found["messages"] == 20 * PER_SECOND
    assert found["us_per_message"] > 0
