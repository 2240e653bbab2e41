"""Promises of exchange/process/loop/attended.py, and of admission by it: an own pause is not the engine's."""

from exchange.log.admission import AdmissionControl
from exchange.process.loop.attended import BEAT_S, AttendedClock

WAIT_MAX_S = 1.0
ROUNDING_S = 1e-6


class Wall:
    """A clock that tests move, and the beats of a loop that comes round in time."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.clock = AttendedClock(lambda: self.now_s)

    def __call__(self) -> float:
        return self.now_s

    def goes(self, duration_s: float) -> None:
        """The loop turns."""
        end_s = self.now_s + duration_s
        while self.now_s < end_s:
            self.now_s += BEAT_S
            self.clock.beat()

    def stands(self, duration_s: float) -> None:
        """The loop does not turn."""
        self.now_s += duration_s


def loaded(admission: AdmissionControl, wall: Wall) -> int:
    """A steady second: 20 commands each beat, each decided one beat later. Returns the next command's id."""
    next_id = 1
    admission.sent(0)
    for _ in range(100):
        batch = range(next_id, next_id + 20)
        for command_id in batch:
            admission.sent(command_id)
        wall.goes(BEAT_S)
        admission.decided(batch)
        next_id += 20
    admission.decided([0])
    return next_id


def wait_after_a_pause(wall: Wall, admission: AdmissionControl, pause_s: float) -> float:
    """Commands are sent, the process stands still, then requests ask before the loop has come round."""
    wall.goes(0.1)
    next_id = loaded(admission, wall)
    for command_id in range(next_id, next_id + 20):
        admission.sent(command_id)
    wall.stands(pause_s)
    return admission.estimated_wait_s()


def test_by_the_walls_clock_an_own_pause_looks_like_a_slow_engine() -> None:
    wall = Wall()
    admission = AdmissionControl(wait_max_s=WAIT_MAX_S, forget_after_s=10, clock_s=wall)
    assert wait_after_a_pause(wall, admission, 1.0) >= WAIT_MAX_S


def test_by_the_attended_clock_an_own_pause_is_no_wait() -> None:
    wall = Wall()
    admission = AdmissionControl(wait_max_s=WAIT_MAX_S, forget_after_s=10, clock_s=wall.clock.now_s)
    assert wait_after_a_pause(wall, admission, 1.0) < WAIT_MAX_S / 10
    wall.goes(BEAT_S)
    assert admission.estimated_wait_s() < WAIT_MAX_S / 10


def test_an_engine_that_is_slow_while_we_are_awake_is_slow() -> None:
    wall = Wall()
    admission = AdmissionControl(wait_max_s=WAIT_MAX_S, forget_after_s=10, clock_s=wall.clock.now_s)
    next_id = loaded(admission, wall)
    admission.sent(next_id)
    wall.goes(1.5)
    assert admission.estimated_wait_s() > WAIT_MAX_S


def test_a_process_that_is_always_late_is_judged_by_the_wall() -> None:
    wall = Wall()
    wall.goes(1.0)
    before_s, wall_s = wall.clock.now_s(), wall.now_s
    for _ in range(100):
        wall.stands(0.1)
        wall.clock.beat()
    # A second at once, and a twentieth of the ten seconds.
    assert 8.0 < wall.clock.now_s() - before_s < wall.now_s - wall_s


def test_it_never_goes_back_and_never_ahead_of_the_wall() -> None:
    wall = Wall()
    pauses = [0.0, 0.005, 0.02, 0.0299, 0.0301, 0.3, 0.0, 2.5, 0.04, 10.0]
    newest_s = wall.clock.now_s()
    for pause_s in pauses * 3:
        for _ in range(7):
            wall.stands(pause_s / 7)
            assert newest_s - ROUNDING_S <= wall.clock.now_s() <= wall.now_s
            newest_s = wall.clock.now_s()
        wall.clock.beat()
        assert newest_s - ROUNDING_S <= wall.clock.now_s()
        newest_s = wall.clock.now_s()
    wall.clock.stop()
    stopped_s = wall.clock.now_s()
    wall.stands(5.0)
    assert abs(wall.clock.now_s() - stopped_s - 5.0) < ROUNDING_S


def test_without_beats_it_is_the_walls_clock() -> None:
    wall = Wall()
    wall.stands(7.0)
    assert wall.clock.now_s() == wall.now_s
