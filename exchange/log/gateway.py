"""The way of a command to the engine and of its outcome back (design decision 11).

All commands submitted within one tick travel in one log record; the outcome is recognised by
`command_id` on the event log, which every process that sends commands tails by itself.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from prometheus_client import Counter, Gauge

from exchange.contracts.codec import CommandOutcome, encode_commands
from exchange.contracts.commands import Command
from exchange.contracts.limits import COMMANDS_PER_TICK_MAX
from exchange.log.admission import AdmissionControl
from exchange.ports.world import Headers, LogError, LogWriter
from exchange.process.crash_points import crash_point
from exchange.process.loop.deadlines import Deadlines
from exchange.process.loop.pulse import attended_s
from exchange.process.tracing import Hop, Span, TraceContext, traces_header

__all__ = [
    "CommandGateway",
    "GatewayOverloadedError",
    "GatewayUnavailableError",
    "OutcomeUnknownError",
    "run_and_settle",
]

_COMMANDS_PER_RECORD_MAX = COMMANDS_PER_TICK_MAX
# A record that holds so many is not waited with: its cost is shared by enough.
_COMMANDS_WORTH_A_RECORD = 12
# Cancels take risk away, so they are let through where new orders no longer are.
_URGENT_WAIT_FACTOR = 4
_URGENT_PLACES_PART = 4
# Into an engine that stands still: one new command a deadline, to find out, but cancels enough for a few.
_STALLED_URGENT_MAX = 64
# Less than the port gives open requests when it is told to stop (exchange.process.frame).
_SETTLE_DEADLINE_S = 3.0

_shed_total = Counter(
    "exchange_commands_shed_total", "Commands refused before they were sent", ["sender", "kind"]
)
_waiting_now = Gauge("exchange_commands_waiting", "Commands sent and not decided yet", ["sender"])
_wait_s = Gauge(
    "exchange_commands_estimated_wait_seconds", "How long a command sent now would wait", ["sender"]
)


class GatewayOverloadedError(Exception):
    """A command would wait too long, or too many wait already; nothing was sent (Binance -1008)."""


class GatewayUnavailableError(Exception):
    """The log is known to be away; nothing was sent (Binance -1001)."""


class OutcomeUnknownError(Exception):
    """The command may or may not take effect (Binance -1007)."""


class CommandGateway:
    """Sends commands in ticks and hands each caller its outcome.

    Run `run()` as a task; call `resolve()` with every outcome that the event tail delivers.
    With `wait_max_ms`, commands are refused whose estimated wait is above it; urgent ones are let through
    for four times as long, and have the last quarter of `waiting_max` for themselves. While a command has
    passed its deadline and nothing is decided, one new command at a time is sent, and a few cancels.
    """

    def __init__(
        self,
        writer: LogWriter,
        *,
        tick_ms: int,
        tick_ms_max: int = 0,
        deadline_ms: int,
        waiting_max: int = 10_000,
        wait_max_ms: int | None = None,
        sender: str = "",
        clock_s: Callable[[], float] = attended_s,
    ) -> None:
        self._writer = writer
        self._tick_s = tick_ms / 1000
        # 0: one tick, whatever comes.
        self._ticks_max = max(1, tick_ms_max // tick_ms) if tick_ms else 1
        self._deadline_s = deadline_ms / 1000
        self._deadlines = Deadlines(self._deadline_s)
        self._waiting_max = waiting_max
        self._queue: list[Command] = []
        self._waiting: dict[int, asyncio.Future[CommandOutcome]] = {}
        # Of the sampled commands in the queue: few, or none.
        self._traced: dict[int, TraceContext] = {}
        self._wake = asyncio.Event()
        # Commands that were submitted, and those of them that the log has taken.
        self._submitted = self._appended = 0
        self._taken: asyncio.Future[None] | None = None
        # A random start keeps the ids of replicas and of restarts apart: 2**62 starts, few replicas.
        self._next_command_id = self._first_command_id = secrets.randbits(62) | 1
        self.failure: Exception | None = None
        self._wait_max_s = float("inf") if wait_max_ms is None else wait_max_ms / 1000
        self._admission = AdmissionControl(
            wait_max_s=(wait_max_ms or deadline_ms) / 1000,
            forget_after_s=self._deadline_s,
            clock_s=clock_s,
        )
        self._shed = {urgent: _shed_total.labels(sender, "urgent" if urgent else "new") for urgent in (0, 1)}
        _waiting_now.labels(sender).set_function(lambda: self._admission.undecided)
        _wait_s.labels(sender).set_function(self._admission.estimated_wait_s)

    @property
    def waiting(self) -> int:
        """Commands without an outcome yet."""
        return len(self._waiting)

    def new_command_id(self) -> int:
        """A fresh id for a command's first field."""
        self._next_command_id = (self._next_command_id + 1) & (2**63 - 1) or 1
        return self._next_command_id

    def has_sent(self, command_id: int) -> bool:
        """Whether an id was made here. The ids of another process lie elsewhere, as good as certainly."""
        return self._first_command_id < command_id <= self._next_command_id

    def admit(self, *, urgent: bool = False) -> None:
        """Raise GatewayOverloadedError when a command sent now would not be decided soon enough."""
        places = self._waiting_max if urgent else self._waiting_max - self._waiting_max // _URGENT_PLACES_PART
        wait_max_s = self._wait_max_s * (_URGENT_WAIT_FACTOR if urgent else 1)
        wait_s = self._admission.estimated_wait_s()
        if self._admission.is_stalled:
            places, wait_max_s = (_STALLED_URGENT_MAX if urgent else 1), float("inf")
        if self._admission.undecided >= places or wait_s > wait_max_s:
            self._shed[urgent].inc()
            raise GatewayOverloadedError(
                f"{self._admission.undecided} commands are waiting, a new one would for {wait_s:.2f} s"
            )

    async def submit(
        self, command: Command, *, urgent: bool = False, trace: Span | None = None
    ) -> CommandOutcome:
        """Send one command and wait for what the engine decides. `trace`: the request's span, if sampled.

        Raises GatewayOverloadedError or GatewayUnavailableError when nothing was sent,
        OutcomeUnknownError when the deadline passes or the log fails after sending.
        """
        if self.failure is not None:
            raise GatewayUnavailableError(str(self.failure))
        self.admit(urgent=urgent)
        future: asyncio.Future[CommandOutcome] = asyncio.get_running_loop().create_future()
        self._waiting[command.command_id] = future
        self._deadlines.watch(future)
        span = None if trace is None else trace.child(Hop.COMMAND)
        if span is not None:
            self._traced[command.command_id] = span.context
        self._queue.append(command)
        self._submitted += 1
        self._admission.sent(command.command_id)
        self._wake.set()
        try:
            return await future
        except TimeoutError:
            raise OutcomeUnknownError("no outcome within the deadline") from None
        finally:
            self._waiting.pop(command.command_id, None)
            if span is not None:
                self._traced.pop(command.command_id, None)
                span.end("" if _has_outcome(future) else "no outcome")

    def resolve(self, outcomes: Iterable[CommandOutcome]) -> None:
        """Wake the callers whose outcomes have come."""
        outcomes = tuple(outcomes)
        self._admission.decided(outcome.command_id for outcome in outcomes)
        for outcome in outcomes:
            future = self._waiting.get(outcome.command_id)
            if future is not None and not future.done():
                future.set_result(outcome)

    async def is_flushed(self) -> bool:
        """Wait until the log has taken all that was submitted before; False when it has failed."""
        wanted = self._submitted
        while self._appended < wanted and self.failure is None:
            if self._taken is None:
                self._taken = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._taken)
        return self.failure is None

    def _tell_taken(self) -> None:
        if self._taken is not None:
            self._taken.set_result(None)
            self._taken = None

    async def settle(self) -> None:
        """Return when every command on its way has its outcome, or after _SETTLE_DEADLINE_S."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + _SETTLE_DEADLINE_S
        while undecided := [future for future in self._waiting.values() if not future.done()]:
            left_s = give_up_s - loop.time()
            if left_s <= 0:
                return
            await asyncio.wait(undecided, timeout=left_s)

    async def run(self) -> None:
        """Send ticks until cancelled or the log fails; a failure is raised and ends the process."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    # Also behind a record: what came while the log took it is not enough for the next one.
                    if self._tick_s:
                        await self._gather()
                    batch = self._queue[:_COMMANDS_PER_RECORD_MAX]
                    del self._queue[:_COMMANDS_PER_RECORD_MAX]
                    if self._traced:
                        await self._writer.append(encode_commands(batch), self._headers(batch))
                    else:
                        await self._writer.append(encode_commands(batch))
                    self._appended += len(batch)
                    self._tell_taken()
                    crash_point("gateway.after-append")
        except LogError as error:
            # What was on its way may have landed: never continue past a failed publish.
            self.close(error)
            raise

    async def _gather(self) -> None:
        """Wait for a tick; as long as others join meanwhile, for the next, too.

        A record costs the log and all its readers the same whatever it holds, so where many commands come
        few records are worth a few milliseconds. Where they come singly nobody waits for anybody.
        """
        waiting = len(self._queue)
        for _ in range(self._ticks_max):
            if waiting >= _COMMANDS_WORTH_A_RECORD:
                return
            await asyncio.sleep(self._tick_s)
            came, waiting = len(self._queue) - waiting, len(self._queue)
            if came <= 0:
                return

    def close(self, reason: Exception) -> None:
        """Send nothing any more, and tell those who wait that nobody knows."""
        self.failure = self.failure or reason
        self._tell_taken()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(OutcomeUnknownError(str(reason)))

    def _headers(self, batch: Iterable[Command]) -> Headers:
        """What the record says of its sampled commands."""
        contexts: dict[int, TraceContext] = {}
        for command in batch:
            context = self._traced.pop(command.command_id, None)
            if context is not None:
                contexts[command.command_id] = context
        return traces_header(contexts)


async def run_and_settle(gateway: CommandGateway, work: Coroutine[Any, Any, None]) -> None:
    """Run `work`, which sends and follows for `gateway`, until cancelled. Raises what it raises.

    When cancelled, it goes on until the commands on their way have been answered: the port, told to stop
    at the same moment, waits some seconds for its open requests.
    """
    working = asyncio.create_task(work)
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await gateway.settle()
        raise
    finally:
        working.cancel()
        await asyncio.wait({working})
        # Nobody will hear of an outcome from now on: an answer that says so, not a connection cut off.
        gateway.close(GatewayUnavailableError("the process ends"))


def _has_outcome(future: "asyncio.Future[CommandOutcome]") -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
