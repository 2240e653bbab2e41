"""Admission control in virtual time: an engine of a known pace, clients that do not wait for each other."""

from collections import deque

from exchange.log.admission import AdmissionControl

WAIT_MAX_S = 1.0
STEP_S = 0.001


class Queue:
    """Commands of an open loop before an engine that decides them one after the other."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.control = AdmissionControl(
            wait_max_s=WAIT_MAX_S, forget_after_s=10.0, clock_s=lambda: self.now_s
        )
        self.waits_s: list[float] = []
        self.shed = 0
        self.waiting_most = 0
        self._ids = 0
        self._queue: deque[tuple[int, float]] = deque()
        self._arrivals = self._decisions = 0.0

    def run(self, seconds: float, arrivals_per_s: float, decisions_per_s: float) -> None:
        """Let time pass in steps of a millisecond."""
        for _ in range(round(seconds / STEP_S)):
            self._arrivals += arrivals_per_s * STEP_S
            while self._arrivals >= 1:
                self._arrivals -= 1
                self.arrive()
            self.now_s += STEP_S
            # An idle engine saves nothing up.
            self._decisions = (self._decisions + decisions_per_s * STEP_S) if self._queue else 0.0
            decided = []
            while self._decisions >= 1 and self._queue:
                self._decisions -= 1
                command_id, sent_s = self._queue.popleft()
                self.waits_s.append(self.now_s - sent_s)
                decided.append(command_id)
            self.control.decided(decided)

    def arrive(self) -> None:
        """One client sends, whatever became of the others."""
        if self.control.estimated_wait_s() > WAIT_MAX_S:
            self.shed += 1
            return
        self._ids += 1
        self.control.sent(self._ids)
        self._queue.append((self._ids, self.now_s))
        self.waiting_most = max(self.waiting_most, len(self._queue))

    def forget_figures(self) -> None:
        """Start counting anew."""
        self.waits_s.clear()
        self.shed = self.waiting_most = 0


def test_load_far_above_capacity_keeps_the_wait_of_what_is_accepted_bounded() -> None:
    queue = Queue()
    queue.run(20, arrivals_per_s=5_000, decisions_per_s=200)
    assert max(queue.waits_s) <= WAIT_MAX_S * 1.25
    assert queue.waiting_most <= 200 * WAIT_MAX_S * 1.25
    # The engine was never without work: what was shed could not have been served.
    assert len(queue.waits_s) >= 200 * 20 * 0.95
    assert queue.shed > 90_000


def test_load_below_capacity_loses_nothing() -> None:
    queue = Queue()
    queue.run(20, arrivals_per_s=1_800, decisions_per_s=2_000)
    assert queue.shed == 0


def test_burst_that_the_engine_can_take_in_time_is_taken_once_its_pace_is_known() -> None:
    queue = Queue()
    queue.run(5, arrivals_per_s=900, decisions_per_s=1_000)
    for _ in range(700):
        queue.arrive()
    assert queue.shed == 0


def test_engine_that_becomes_slow_is_noticed_and_the_wait_is_bounded_again() -> None:
    queue = Queue()
    queue.run(5, arrivals_per_s=900, decisions_per_s=1_000)
    queue.run(10, arrivals_per_s=900, decisions_per_s=150)
    queue.forget_figures()
    queue.run(10, arrivals_per_s=900, decisions_per_s=150)
    assert max(queue.waits_s) <= WAIT_MAX_S * 1.25


def test_engine_that_stands_still_makes_new_commands_refused_once_the_oldest_is_too_old() -> None:
    queue = Queue()
    queue.run(5, arrivals_per_s=100, decisions_per_s=1_000)
    queue.run(WAIT_MAX_S * 1.1, arrivals_per_s=100, decisions_per_s=0)
    queue.forget_figures()
    queue.run(5, arrivals_per_s=100, decisions_per_s=0)
    assert queue.shed == 500


def test_recovery_is_at_once() -> None:
    queue = Queue()
    queue.run(5, arrivals_per_s=5_000, decisions_per_s=200)
    # Until what was accepted is decided, which takes no longer than the bound.
    queue.run(WAIT_MAX_S * 1.25, arrivals_per_s=0, decisions_per_s=200)
    queue.forget_figures()
    queue.run(5, arrivals_per_s=150, decisions_per_s=200)
    assert queue.shed == 0


def test_stall_that_is_over_leaves_no_trace() -> None:
    queue = Queue()
    queue.run(5, arrivals_per_s=500, decisions_per_s=5_000)
    queue.run(3, arrivals_per_s=500, decisions_per_s=0)
    queue.run(0.5, arrivals_per_s=500, decisions_per_s=5_000)
    queue.forget_figures()
    queue.run(5, arrivals_per_s=500, decisions_per_s=5_000)
    assert queue.shed == 0


def test_short_stalls_refuse_nobody() -> None:
    """A quarter of a second in which nothing happens: the first decisions after it look slow, and are not."""
    queue = Queue()
    for pause_ms in range(130, 700, 10):
        queue.run(0.5, arrivals_per_s=350, decisions_per_s=1_500)
        queue.run(pause_ms / 1_000, arrivals_per_s=350, decisions_per_s=0)
    assert queue.shed == 0
    assert max(queue.waits_s) <= WAIT_MAX_S


def test_a_process_that_is_stopped_for_a_moment_refuses_nobody() -> None:
    """Nobody arrives and nothing is decided; then all at once, the decisions one after the other."""
    queue = Queue()
    for _ in range(20):
        queue.run(0.5, arrivals_per_s=350, decisions_per_s=1_500)
        queue.run(0.02, arrivals_per_s=350, decisions_per_s=0)
        queue.now_s += 0.3
        for _ in range(100):
            queue.arrive()
    assert queue.shed == 0


def test_commands_without_a_decision_are_forgotten_after_their_deadline() -> None:
    queue = Queue()
    queue.run(0.05, arrivals_per_s=1_000, decisions_per_s=0)
    assert queue.control.undecided == 50
    queue.now_s += 10.0
    assert queue.control.estimated_wait_s() == 0
    assert queue.control.undecided == 0


def test_slow_log_with_little_to_do_is_no_overload() -> None:
    """Thirty clients in step, each answer 300 ms late: nobody is in front of anybody."""
    now_s = 0.0
    control = AdmissionControl(wait_max_s=WAIT_MAX_S, forget_after_s=10.0, clock_s=lambda: now_s)
    for turn in range(20):
        ids = range(turn * 30, turn * 30 + 30)
        for command_id in ids:
            assert control.estimated_wait_s() <= WAIT_MAX_S
            control.sent(command_id)
        now_s += 0.3
        control.decided(ids)


def test_decisions_of_other_senders_are_ignored() -> None:
    queue = Queue()
    queue.arrive()
    queue.control.decided([77, 78, 79])
    assert queue.control.undecided == 1


def test_half_an_hour_of_halt_collects_one_command_a_deadline() -> None:
    """All that is sent into a halt is decided when it ends, long after its senders were told -1007."""
    queue = Queue()
    queue.run(5, arrivals_per_s=100, decisions_per_s=1_000)
    queue.run(11, arrivals_per_s=100, decisions_per_s=0)
    waiting = len(queue._queue)
    queue.run(1_800, arrivals_per_s=50, decisions_per_s=0)
    assert 150 < len(queue._queue) - waiting <= 181
    # The halt ends: what waits is decided, and all that comes from now on is admitted again.
    queue.run(1, arrivals_per_s=0, decisions_per_s=1_000)
    queue.forget_figures()
    queue.run(5, arrivals_per_s=60, decisions_per_s=1_000)
    assert queue.shed == 0


def test_a_decision_of_anybody_ends_the_stall() -> None:
    queue = Queue()
    queue.arrive()
    queue.now_s += 10.0
    queue.arrive()
    queue.arrive()
    assert (queue.control.is_stalled, queue.shed) == (True, 1)
    queue.control.decided([77])
    queue.arrive()
    assert (queue.control.is_stalled, queue.shed) == (False, 1)
