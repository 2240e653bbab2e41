"""The campaign: a stack under load, one fault after the other, and after each the question what it cost."""

import asyncio
import contextlib
import random
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import psutil

from exchange.ports.world import LogError
from exchange.process.crash_points import CRASH_POINTS
from local.exchange_process import ExchangeProcess
from local.servers import ServerError
from tests.chaos import isolation
from tests.chaos.faults import DISKS_MIB, Fault, FaultSkippedError, StackUnderTest, plan
from tests.chaos.load import OpenLoad
from tests.chaos.witness import Witness
from tests.e2e.audit import audit
from tests.e2e.journal import Journal
from tests.e2e.trader import Trader, TraderError

__all__ = ["ACCOUNTS", "Campaign", "Options", "Result", "Struck", "running_stack"]

ACCOUNTS: Final = 16
DEPOSITS: Final = {"BTC": "1000", "ETH": "10000", "USDT": "50000000"}
# Often enough that faults meet snapshots, seldom enough that tails have some length.
SNAPSHOT_EVERY_COMMANDS: Final = 5_000
WARM_UP_S: Final = 5.0
TRADING_DEADLINE_S: Final = 120.0
READY_DEADLINE_S: Final = 180.0
CALM_S: Final = (0.5, 1.5)
CHECK_ATTEMPTS: Final = 5
CHECK_PAUSE_S: Final = 2.0
CATCH_UP_DEADLINE_S: Final = 240.0
FULL_CHECK_EVERY: Final = 10
# Kinds after which there is a new process.
DEADLY: Final = ("kill", "restart", "crash point")


@dataclass(frozen=True)
class Options:
    """What is asked for."""

    kills: int
    rate: float
    seed: int
    isolated: bool
    api_audit: bool = True
    only: str = ""


@dataclass
class Struck:
    """One fault and what it cost. Times in seconds from the moment it struck.

    `trading_s`: until the first acknowledgement of a request sent after that moment; `recovered_s`: the
    same, counted from the end of a fault that lasts; `silence_s`: the longest time without any
    acknowledgement until all was well; `ready_s`: until /readyz was 200 with every process there.
    """

    number: int
    fault: Fault
    role: str = ""
    skipped: str | None = None
    trading_s: float | None = None
    recovered_s: float | None = None
    silence_s: float | None = None
    ready_s: float | None = None

    def __str__(self) -> str:
        return f"{self.fault} ({self.role})" if self.role else str(self.fault)


@dataclass
class Result:
    """Everything that the report says of one round: one stack, one load."""

    options: Options
    struck: list[Struck] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stuck: str | None = None

    @property
    def passed(self) -> bool:
        """Nothing lost, doubled or broken, and it traded again each time."""
        return self.stuck is None and bool(self.counts) and not any(self.counts.values())


@contextlib.contextmanager
def running_stack(*, isolated: bool, snapshot_every_commands: int) -> Iterator[StackUnderTest]:
    """A stack that may be hurt; all of it is gone afterwards. Raises ServerError."""
    with contextlib.ExitStack() as exits:
        process = ExchangeProcess("stack")
        under_test = StackUnderTest(process)
        process.settings["EXCHANGE_CRASH_POINTS"] = str(under_test.crash_points)
        process.settings["EXCHANGE_SNAPSHOT_EVERY_COMMANDS"] = str(snapshot_every_commands)
        exits.callback(process.remove)
        if isolated:
            for folder, size_mib in DISKS_MIB.items():
                exits.enter_context(isolation.small_disk(under_test.state(folder), size_mib))
        exits.callback(process.kill)
        process.start()
        yield under_test


class Campaign:
    """Owns the load, the witness and the result."""

    def __init__(self, stack: StackUnderTest, options: Options) -> None:
        self._stack = stack
        self._options = options
        self._calm = random.Random(options.seed + 1)
        self._journal = Journal()
        self._traders: list[Trader] = []
        self.result = Result(options)
        self.load: OpenLoad | None = None
        self.witness: Witness | None = None

    async def prepare(self) -> list[Fault]:
        """Open the accounts and plan the faults."""
        url = self._stack.process.url
        for _ in range(ACCOUNTS):
            self._traders.append(await asyncio.to_thread(Trader.sign_up, url, deposits=DEPOSITS))
        accounts = [trader.credentials for trader in self._traders]
        options = self._options
        self.load = OpenLoad(url, accounts, self._journal, rate=options.rate, seed=options.seed)
        self.witness = Witness(
            self._stack.setting("KAFKA_BOOTSTRAP"),
            self._stack.setting("DATABASE_DSN"),
            accounts,
            self._journal,
        )
        names = self._stack.process.service_names()
        return plan(
            names,
            options.kills,
            options.seed,
            isolated=options.isolated,
            points=CRASH_POINTS,
            only=options.only,
        )

    async def warm_up(self) -> None:
        """Start the load; what is fast only after some seconds shall be fast."""
        assert self.load is not None
        await self.load.start()
        await asyncio.sleep(WARM_UP_S)

    async def strike(self, number: int, fault: Fault) -> Struck:
        """One fault, until the stack is well again, and the check of what has been promised meanwhile."""
        assert self.load is not None
        struck = Struck(number, fault)
        self.result.struck.append(struck)
        await asyncio.sleep(self._calm.uniform(*CALM_S))
        before = self._pids()
        struck.role = await asyncio.to_thread(self._stack.role, fault.target)
        since = len(self.load.sent_s)
        moments: list[float] = []
        # Asked beforehand: a fault may strike a moment before it is known to have struck.
        moments_before = time.monotonic()
        try:
            await self._stack.inject(fault, lambda: moments.append(time.monotonic()))
        except FaultSkippedError as error:
            struck.skipped = str(error)
            return struck
        began_s = moments[0] if moments else moments_before
        over_s = time.monotonic()
        struck.trading_s = await self._trading_again(began_s, since) - began_s
        struck.recovered_s = await self._trading_again(over_s, since) - over_s
        if not fault.duration_s:
            struck.recovered_s = struck.trading_s
        await self._wait_ready(fault, before)
        struck.ready_s = time.monotonic() - began_s
        struck.silence_s = self._longest_silence(began_s, since)
        await self._check_news()
        if number % FULL_CHECK_EVERY == 0:
            await self._rest_and_check()
            await self.load.start()
        return struck

    async def finish(self) -> None:
        """Let everything come to rest, and check all of it."""
        assert self.load is not None
        assert self.witness is not None
        await self._rest_and_check()
        began = time.monotonic()
        last_hash = await self.witness.check_replay()
        replay_s = time.monotonic() - began
        findings = self.witness.findings
        api_s = await self._audit_by_api() if self._options.api_audit else None
        load = self.load
        latencies = sorted(load.latencies_ms)
        self.result.figures = {
            "orders_sent": load.orders_sent,
            "cancels_sent": load.cancels_sent,
            "orders_shed": load.shed,
            "load_s": round(load.running_s, 1),
            "orders_per_s": round(load.orders_sent / load.running_s, 1),
            **{name.replace(" ", "s_"): count for name, count in sorted(load.outcomes.items())},
            "answer_ms_p50": round(latencies[len(latencies) // 2], 1),
            "answer_ms_p99": round(latencies[len(latencies) * 99 // 100], 1),
            "orders_in_log": len(self.witness.model.orders),
            "trades_in_log": len(self.witness.model.trades),
            "events_in_log": self.witness.events,
            "leaders": len(self.witness.model.leaders),
            "last_hash": last_hash,
            "ledger_comparisons": self.witness.ledger_comparisons,
            "replay_s": round(replay_s, 1),
            "api_audit_s": None if api_s is None else round(api_s, 1),
        }
        self.result.counts = dict(findings.counts)
        self.result.examples = findings.examples()

    def stop_with(self, problem: BaseException) -> None:
        """The campaign ended early: keep what has been found until then."""
        self.result.stuck = "".join(traceback.format_exception(problem))
        if self.witness is not None:
            self.result.counts = dict(self.witness.findings.counts)
            self.result.examples = self.witness.findings.examples()

    async def close(self) -> None:
        """End the load and the connections."""
        if self.load is not None:
            await self.load.stop()
        for trader in self._traders:
            trader.close()

    def _pids(self) -> dict[str, int | None]:
        process = self._stack.process
        return {name: process.service_pid(name) for name in process.service_names()}

    async def _trading_again(self, moment_s: float, since: int) -> float:
        """When the first request sent after `moment_s` was acknowledged. Raises ServerError."""
        assert self.load is not None
        give_up = time.monotonic() + TRADING_DEADLINE_S
        while True:
            found = self.load.first_after(moment_s, since)
            if found is not None:
                return found
            if time.monotonic() > give_up:
                tail = self._stack.process.log_tail()
                raise ServerError(f"no trading within {TRADING_DEADLINE_S:g} s:\n{tail}")
            await asyncio.sleep(0.01)

    def _longest_silence(self, began_s: float, since: int) -> float:
        """The longest pause between acknowledgements since the fault."""
        assert self.load is not None
        previous, longest = began_s, 0.0
        for answered_s in self.load.answered_s[since:]:
            if answered_s > began_s:
                longest = max(longest, answered_s - previous)
                previous = answered_s
        return longest

    async def _wait_ready(self, fault: Fault, before: dict[str, int | None]) -> None:
        """Every process lives, whoever was killed has a successor, and /readyz is 200."""
        process = self._stack.process
        give_up = time.monotonic() + READY_DEADLINE_S
        while True:
            now = self._pids()
            changed = {name for name, pid in before.items() if now.get(name) != pid}
            replaced = fault.target in changed if fault.kind in ("kill", "restart") else bool(changed)
            missing = [name for name in before if not _lives(now.get(name))]
            if not missing and (replaced or fault.kind not in DEADLY):
                break
            if time.monotonic() > give_up:
                raise ServerError(f"not there again: {missing or fault.target}")
            await asyncio.sleep(0.05)
        await asyncio.to_thread(process.wait_ready, READY_DEADLINE_S)

    async def _check_news(self) -> None:
        """The cheap check. A server that has only just come back is asked again."""
        assert self.load is not None
        assert self.witness is not None
        settled, self.load.settled = self.load.settled, []
        for attempt in range(CHECK_ATTEMPTS):
            try:
                await self.witness.check_news(settled)
                return
            except (LogError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self.result.notes.append(f"check, attempt {attempt + 1}: {error!r}")
                await asyncio.sleep(CHECK_PAUSE_S)
        # The machine may be too busy with the load for anything else.
        await self._rest_and_check()
        await self.load.start()

    async def _rest_and_check(self) -> None:
        """Stop the load, let the ledger catch up, and check everything."""
        assert self.load is not None
        assert self.witness is not None
        await self.load.stop()
        self.load.settled.clear()
        give_up = time.monotonic() + CATCH_UP_DEADLINE_S
        while await self.witness.ledger_lag():
            if time.monotonic() > give_up:
                raise ServerError("the ledger does not catch up")
            await asyncio.sleep(0.2)
        await self.witness.check_all()

    async def _audit_by_api(self) -> float:
        """Every promise again, seen by the clients alone; how long it took, in seconds."""
        assert self.witness is not None
        began = time.monotonic()
        try:
            for trader in self._traders:
                await asyncio.to_thread(trader.sign_in)
            await asyncio.to_thread(audit, self._traders, self._journal, DEPOSITS)
        except TraderError as error:
            raise ServerError(str(error)) from error
        except AssertionError as error:
            self.witness.findings.add("broken", f"seen by clients: {error}")
        return time.monotonic() - began


def _lives(pid: int | None) -> bool:
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kinds_of(struck: Sequence[Struck]) -> dict[str, list[Struck]]:
    """The faults that were brought about, by kind, in the order of their first coming."""
    kinds: dict[str, list[Struck]] = {}
    for one in struck:
        if one.skipped is None and one.trading_s is not None:
            kinds.setdefault(one.fault.kind, []).append(one)
    return kinds
