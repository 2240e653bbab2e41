"""One seed: servers, processes that die and come back, a nemesis, and the promises that must hold."""

import contextlib
import random
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from exchange.log import gateway
from exchange.log.decoded import decoded_records
from exchange.ports import world as ports
from exchange.ports.world import LeaseError, LogError, LogRecord, ObjectStoreError
from matching_engine import genesis, outbox, runner, snapshots
from matching_engine.core import engine_limits
from matching_engine.core.engine_limits import EngineLimits
from matching_engine.core.rules_version import RULES_VERSION_MAX, attends_clock
from matching_engine.runner import DeposedError, Role
from services.projections.ledger import projection as ledger
from services.projections.ledger.store import FencedError
from tests.event_streams import START_MS
from tests.simulation import processes
from tests.simulation.adapters.hot_books import SimulatedHotBooks
from tests.simulation.adapters.lease import SimulatedLease
from tests.simulation.adapters.ledger import SimulatedLedger
from tests.simulation.adapters.log import SimulatedLog
from tests.simulation.adapters.objects import SimulatedObjects
from tests.simulation.asking import Answers
from tests.simulation.determinism import deterministic
from tests.simulation.faults import Faults
from tests.simulation.loop import Process, SimulatedLoop, patched
from tests.simulation.order_service import order_service
from tests.simulation.processes import Servers
from tests.simulation.reference import Reference
from tests.simulation.workload import Workload

__all__ = ["Result", "run_seed"]

COMMANDS = 110
TROUBLE_S_MAX = 150.0
HEALING_S_MAX = 120.0
PROBES = 5
PROBING_S = 5.0
STEPS_MAX = 400_000
RESTART_S_MAX = 1.5
PAUSE_S_MAX = 12.0
OVERLAP_S_MAX = 10.0
REPLICA_LAG_S_MAX = 2.0
STEADY_CLOCKS = 0.4
FAR_OFF = 0.3
FAR_OFF_MS = 300_000
# What ends a process that cannot know better; anything else is a broken promise.
EXPECTED = (
    LogError, LeaseError, ObjectStoreError, DeposedError, FencedError, RedisError, OSError, TimeoutError,
)  # fmt: skip
Main = Callable[[Servers, Process], Coroutine[Any, Any, None]]


class Result(NamedTuple):
    """What became of a seed. `failure` is None when every promise held."""

    seed: int
    failure: str | None
    trace_hash: str
    trace: list[str]
    steps: int
    virtual_s: float
    commands: int
    events: int
    trades: int
    acknowledged: int
    crashes: int
    pauses: int
    leaders: int


class World(Servers):
    """Everything of one seed."""

    def __init__(self, seed: int) -> None:
        name = f"seed {seed}"
        self.loop = SimulatedLoop.seeded(name)
        self.faults = Faults.of(name)
        self.chance = random.Random(f"{name}/world")
        self.failure: str | None = None
        own = random.Random(f"{name}/limits")
        # Few enough to be met by the workload, in most seeds; markets.toml allows no more open orders.
        fills, link, due = own.choice((1, 2, 3, 1_000)), own.choice((150, 500)), own.choice((1, 100))
        self.limits = EngineLimits(fills, link_size_bytes_max=link, follow_ups_per_command_max=due)
        # As small as the largest outcome allows: 20 orders cancelled, or all that rest met at once.
        self.log_record_size_bytes_max = 1_800 if self.limits.fills_per_command_max < 4 else 4_000
        # A history that begins under the older rules, as those of before have.
        self.genesis_rules = own.choice((1, 2, RULES_VERSION_MAX, RULES_VERSION_MAX))
        self.reference = Reference(self.limits)
        self.workload = Workload(name, COMMANDS, activates=self.genesis_rules < RULES_VERSION_MAX)
        self.answers = Answers(name, self.reference.shard.engine, self.loop.time, START_MS)
        self.answers.has_attended_clock = attends_clock(self.genesis_rules)
        self.answers.has_steady_clock = self.chance.random() < STEADY_CLOCKS
        self.snapshot_every_commands = self.chance.choice((5, 15, 40))
        self.has_standby = self.chance.random() < 0.75
        self.runners = []
        self.crashes = self.pauses = 0
        self._skew_ms = self._far_off_ms = 0
        self._mains: dict[str, Main] = {"orders": processes.orders}
        self._starts = 0
        self._current: dict[str, Process] = {}
        self._all: list[Process] = []
        self._steps_between_faults = self.chance.choice((60, 250, 900))
        self._next_fault_step = self.chance.randrange(self._steps_between_faults)
        guard = self._guarded
        self.command_log = SimulatedLog(
            self, "command", self._clock_ms, guard(self._command_record), repeats=False
        )
        self.event_log = SimulatedLog(
            self, "event", self._clock_ms, guard(self.reference.event_record), repeats=True
        )
        self.lease = SimulatedLease(self)
        self.objects = SimulatedObjects(self)
        self.ledger = SimulatedLedger(self, guard(self.reference.ledger_write))
        self.hot_books = SimulatedHotBooks(self, guard(self.reference.hot_book))
        for number in range(2 if self.has_standby else 1):
            self._mains[f"engine-{'ab'[number]}"] = processes.engine
        self._mains |= {"ledger": processes.ledger, "book": processes.book}
        self._mains |= {"asking-1": order_service, "asking-2": order_service}
        if self.chance.random() < 0.25:
            self._mains |= {"ledger-2": processes.ledger, "book-2": processes.book}

    # -- promises -------------------------------------------------------------------------------

    def fail(self, message: str) -> None:
        """A promise is broken: the seed ends at once. The first one counts."""
        if self.failure is None:
            self.failure = message
            self.loop.note("world", f"VIOLATION {message}")

    def check(self, promise: Callable[[], None]) -> None:
        """Any failure of a check is a broken promise."""
        try:
            promise()
        except Exception as error:
            self.fail(f"{type(error).__name__}: {error}")

    def _guarded(self, check: Callable[..., None]) -> Callable[..., None]:
        return lambda *arguments: self.check(partial(check, *arguments))

    def _command_record(self, record: LogRecord) -> None:
        self.answers.command_record(record)
        self.answers.decided(self.reference.command_record(record))

    # -- processes ------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a process anew; whoever had its place may still be there."""
        self._starts += 1
        process = Process(f"{name}/{self._starts}")
        self._current[name] = process
        self._all.append(process)
        task = self.loop.start(process, self._mains[name](self, process))
        task.add_done_callback(partial(self._ended, name, process), context=self.loop.outside_context())

    def crash(self, process: Process) -> None:
        """kill -9: nothing of it runs any more."""
        if process.alive:
            process.alive = False
            self.crashes += 1
            self.loop.note("world", f"{process.name} is killed")
            self._replace(process)

    def crash_soon(self, process: Process, within_s: float) -> None:
        """Kill it between asking and being answered, perhaps."""
        self.loop.outside(self.chance.random() * within_s, self.crash, process)

    def _ended(self, name: str, process: Process, task: Any) -> None:
        if not process.alive:
            return
        process.alive = False
        problem = task.exception() if not task.cancelled() else None
        for error in _leaves(problem):
            self.loop.note("world", f"{process.name} ends: {error!r}")
            if not isinstance(error, EXPECTED):
                self.fail(f"{name} ended with {error!r}")
        if problem is None:
            self.fail(f"{name} ended by itself")
        self._replace(process)

    def _replace(self, process: Process) -> None:
        name = process.name.partition("/")[0]
        if self._current[name] is process:
            self.loop.outside(self.chance.random() * RESTART_S_MAX, self._restart, name, process)

    def _restart(self, name: str, process: Process) -> None:
        if self._current[name] is process:
            self.start(name)

    # -- the nemesis ----------------------------------------------------------------------------

    def _after_step(self) -> None:
        if self.loop.steps >= self._next_fault_step and self.faults.active:
            # Not in the callback itself: a fault is a step of the world.
            self._next_fault_step = (
                self.loop.steps + 1 + self.chance.randrange(2 * self._steps_between_faults)
            )
            self.loop.outside(0.0, self._strike)

    def _strike(self) -> None:
        if not self.faults.active:
            return
        living = [process for process in self._all if process.alive]
        strikes = (
            (6.0, self._strike_crash),
            (4.0, self._strike_pause),
            (2.0, self._strike_overlap),
            (1.0, self._strike_clock),
            (2.0, self._strike_cache),
            (0.7, self._strike_lease),
        )
        (strike,) = self.chance.choices([s for _, s in strikes], [weight for weight, _ in strikes])
        if living:
            strike(self.chance.choice(living))

    def _strike_crash(self, process: Process) -> None:
        self.crash(process)

    def _strike_pause(self, process: Process) -> None:
        if process.paused:
            return
        process.paused = True
        self.pauses += 1
        pause_s = self.chance.random() ** 3 * PAUSE_S_MAX
        self.loop.note("world", f"{process.name} is stopped for {pause_s:.3f} s")
        self.loop.outside(pause_s, self.loop.resume, process)

    def _strike_overlap(self, process: Process) -> None:
        """It hangs, is taken for dead and replaced; then it goes on for a while."""
        name = process.name.partition("/")[0]
        if self._current[name] is process:
            self._strike_pause(process)
            self._replace(process)
            self.loop.outside(PAUSE_S_MAX + self.chance.random() * OVERLAP_S_MAX, self.crash, process)

    def _strike_clock(self, _: Process) -> None:
        if self.answers.has_steady_clock:
            return
        # Before the first record there is no clock to hold another one to.
        if self.chance.random() < FAR_OFF and self.command_log.records:
            self._far_off_ms = 0 if self._far_off_ms else self.chance.choice((-FAR_OFF_MS, FAR_OFF_MS))
        self._skew_ms += self.chance.randrange(-5_000, 5_000)
        self.loop.note("world", f"the brokers' clock jumps to {self._skew_ms:+} ms")

    def _strike_cache(self, _: Process) -> None:
        if self.chance.random() < 0.5:
            self.hot_books.flush()
            self.loop.note("world", "the cache forgets everything")
        else:
            self.loop.outside(self.chance.random() * REPLICA_LAG_S_MAX, self.hot_books.remember())

    def _strike_lease(self, _: Process) -> None:
        self.lease.is_broken = not self.lease.is_broken
        self.loop.note("world", f"the lease's keeper is {'broken' if self.lease.is_broken else 'sound'}")

    def _clock_ms(self) -> int:
        return START_MS + self._skew_ms + self._far_off_ms + int(self.loop.time() * 1000)

    # -- a seed ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Trouble, then healing, then every check."""
        self.loop.after_step = self._after_step
        for name in self._mains:
            self.loop.outside(self.chance.random() * RESTART_S_MAX, self.start, name)
        self.loop.run(lambda: self.failure is not None or self.workload.is_sent, TROUBLE_S_MAX, STEPS_MAX)
        if self.failure is None:
            self._heal()
            self._recover()
        if self.failure is None:
            self._check_everything()

    def _recover(self) -> None:
        """Without faults all must catch up, and new commands, sent again and again, be answered in time."""
        wanted = len(self.workload.told) + PROBES
        deadline_s = self.loop.time() + HEALING_S_MAX

        def probe() -> None:
            if self.workload.is_sent and len(self.workload.told) < wanted:
                self.workload.probe(PROBES)
            self.loop.outside(PROBING_S, probe)

        def is_well() -> bool:
            if self.failure is not None:
                return True
            return self.workload.is_sent and len(self.workload.told) >= wanted and not self._behind()

        probe()
        if not self.loop.run(is_well, deadline_s, self.loop.steps + STEPS_MAX):
            told = len(self.workload.told)
            self.fail(f"no progress after healing: {told} of {wanted} answers, {self._behind()}")

    def _heal(self) -> None:
        self.loop.note("world", "faults end")
        self.faults.active = False
        self.lease.is_broken = False
        self._far_off_ms = 0
        for process in self._all:
            if process.alive and process.paused:
                self.loop.resume(process)
            if process.alive and self._current[process.name.partition("/")[0]] is not process:
                self.crash(process)

    def _behind(self) -> list[str]:
        """What has not caught up with the command log."""
        seq, behind = self.reference.seq, []
        if self.reference.published_seq < seq:
            behind.append(f"the event log is at {self.reference.published_seq} of {seq}")
        leaders = [p.name for p, engine in self.runners if p.alive and engine.role is Role.LEADER]
        if len(leaders) != 1:
            behind.append(f"led by {leaders or 'nobody'}")
        if self.ledger.seq < seq:
            behind.append(f"the ledger is at {self.ledger.seq} of {seq}")
        for symbol, levels in self.reference.levels().items():
            book = self.hot_books.shown(symbol)
            if (
                book is None
                or (tuple(sorted(book.bids.items(), reverse=True)), tuple(sorted(book.asks.items())))
                != levels
            ):
                behind.append(f"the hot book of {symbol} is at {book.seq if book else 'nothing'}")
        return behind

    def _check_everything(self) -> None:
        reference = self.reference
        for command_id, outcome in self.workload.told:
            self.check(partial(reference.acknowledged, command_id, outcome))
        for process, engine in self.runners:
            if process.alive:
                self.check(partial(reference.engine, engine.shard))
        for body in self.objects.bodies.values():
            rows = snapshots._unpacked(body)
            if rows is not None:
                self.check(partial(reference.snapshot, rows))
        self.check(partial(reference.final_ledger, self.ledger))
        self.check(self.answers.finish)

    @contextlib.contextmanager
    def small_limits(self) -> Generator[None, None, None]:
        """Limits that a few hundred commands would never reach, made small in some seeds."""
        pick = self.chance.choice
        with (
            patched(gateway, _COMMANDS_PER_RECORD_MAX=pick((2, 1_000))),
            patched(ledger, OUTCOMES_PER_BATCH_MAX=pick((3, 2_000))),
            patched(
                runner,
                _LINKS_PER_PUBLISH=pick((3, 5_000)),
                _PENDING_SIZE_BYTES_MAX=pick((2_000, 2**28)),
                _AHEAD_LINKS_MAX=pick((10, 100_000)),
            ),
            patched(outbox, RECORD_SIZE_BYTES_MAX=pick((600, self.log_record_size_bytes_max - 400))),
            patched(ports, LOG_RECORD_SIZE_BYTES_MAX=self.log_record_size_bytes_max),
            patched(engine_limits, DEFAULT=self.limits),
            patched(genesis, RULES_VERSION_MAX=self.genesis_rules),
        ):
            yield

    def result(self, seed: int) -> Result:
        """The figures."""
        return Result(
            seed,
            self.failure,
            self.loop.trace_hash,
            self.loop.trace,
            self.loop.steps,
            self.loop.time(),
            sum(map(len, self.reference.by_command.values())),
            self.reference.seq,
            self.reference.model.trades,
            len(self.workload.told),
            self.crashes,
            self.pauses,
            self.reference.shard.engine.epoch,
        )


def _leaves(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [] if error is None else [error]


def run_seed(seed: int) -> Result:
    """Run one seed from the beginning to its end. Never raises for a broken promise."""
    world = World(seed)
    decoded_records.clear()  # What was checked under a planted bug is no word for this run.
    with deterministic(f"seed {seed}", world.loop), world.small_limits():
        try:
            world.run()
            return world.result(seed)
        finally:
            for process in world._all:
                process.alive = False
            world.loop.close()
