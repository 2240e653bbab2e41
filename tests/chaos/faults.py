"""What is done to the stack: each fault begins, lasts (or not), ends, and says whom it hit."""

import asyncio
import contextlib
import random
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil
from redis import Redis

from exchange.process import crash_points
from local.exchange_process import ExchangeProcess
from local.servers import ServerError
from tests.chaos import isolation

__all__ = ["DISKS_MIB", "Fault", "FaultSkippedError", "StackUnderTest", "plan"]

PAUSE_S: Final = (1.0, 15.0)
CUT_S: Final = (2.0, 12.0)
DISK_FULL_S: Final = (5.0, 10.0)
# An armed place is visited within moments under load; a snapshot takes until so many commands have come.
CRASH_POINT_DEADLINE_S: Final = 60.0
STOP_DEADLINE_S: Final = 60.0
SERVERS: Final = ("kafka", "postgres", "valkey")
# Folder in the stack's state -> size of the small file system that the harness puts there, in MiB.
DISKS_MIB: Final[Mapping[str, int]] = {"kafka": 1024, "postgres": 2048, "snapshots": 64}
# In which order kinds come round; the more sudden, the more often.
ROUND: Final = (
    *("kill", "pause", "crash point", "kill", "cut"),
    *("kill", "crash point", "restart", "kill", "flush"),
    *("kill", "pause", "crash point", "kill", "disk full"),
    *("kill", "crash point", "restart", "pause", "cut"),
)


class FaultSkippedError(Exception):
    """The fault could not be brought about: nothing was hit."""


@dataclass(frozen=True)
class Fault:
    """One thing to go wrong. `duration_s`: 0 for what is over at once."""

    kind: str
    target: str
    duration_s: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.duration_s:.1f} s" if self.duration_s else ""
        return f"{self.kind} {self.target}{lasting}"


class StackUnderTest:
    """The stack and the ways to hurt it."""

    def __init__(self, process: ExchangeProcess) -> None:
        self.process = process
        self.crash_points = process.data_dir / "crash-points"

    def setting(self, name: str) -> str:
        """An EXCHANGE_* variable of the running services."""
        pid = self.process.service_pid("order")
        if pid is None:
            raise ServerError("there is no order service")
        return psutil.Process(pid).environ()[f"EXCHANGE_{name}"]

    def role(self, target: str) -> str:
        """Whether an engine leads, as its own metrics tell; "" for all that is no engine, or silent."""
        pid = self.process.service_pid(target)
        if pid is None or not target.startswith("engine"):
            return ""
        port = psutil.Process(pid).environ()["EXCHANGE_PORT"]
        try:
            metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=2.0, trust_env=False).text
        except httpx.HTTPError:
            return ""
        return "leader" if "\nexchange_engine_leading 1.0" in metrics else "standby"

    def state(self, folder: str) -> Path:
        """A folder of the stack's state."""
        return self.process.data_dir / self.process.mode / folder

    async def inject(self, fault: Fault, struck: Callable[[], None]) -> None:
        """Do it, call `struck` at the moment it strikes, and return when it is over.

        Raises FaultSkippedError.
        """
        doing = {
            "kill": self._kill,
            "pause": self._pause,
            "crash point": self._crash,
            "restart": self._restart,
            "flush": self._flush,
            "cut": self._cut,
            "disk full": self._fill_disk,
        }
        act: Callable[[Fault, Callable[[], None]], Awaitable[None]] = doing[fault.kind]
        try:
            await act(fault, struck)
        except (ServerError, psutil.NoSuchProcess) as error:
            raise FaultSkippedError(str(error)) from error

    async def _kill(self, fault: Fault, struck: Callable[[], None]) -> None:
        await asyncio.to_thread(self.process.kill_service, fault.target)
        struck()

    async def _restart(self, fault: Fault, struck: Callable[[], None]) -> None:
        """What an operator does: ask the server to end in order; its keeper starts it again.

        It strikes when the old process is gone: until then the server may answer.
        """
        polite = signal.SIGINT if fault.target == "postgres" else signal.SIGTERM
        pid = self.process.service_pid(fault.target)
        if pid is None:
            raise FaultSkippedError(f"there is no {fault.target}")
        old = psutil.Process(pid)
        old.send_signal(polite)
        try:
            async with asyncio.timeout(STOP_DEADLINE_S):
                while old.is_running() and old.status() != psutil.STATUS_ZOMBIE:
                    await asyncio.sleep(0.005)
        except psutil.NoSuchProcess:
            pass
        except TimeoutError:
            raise FaultSkippedError(f"{fault.target} did not end when asked to") from None
        struck()

    async def _flush(self, fault: Fault, struck: Callable[[], None]) -> None:
        with Redis.from_url(self.setting("CACHE_URL"), socket_timeout=5.0) as client:
            await asyncio.to_thread(client.flushall)
        struck()

    async def _crash(self, fault: Fault, struck: Callable[[], None]) -> None:
        await asyncio.to_thread(crash_points.arm, self.crash_points, fault.target)
        file = self.crash_points / fault.target
        try:
            async with asyncio.timeout(CRASH_POINT_DEADLINE_S):
                while file.exists():
                    await asyncio.sleep(0.002)
        except TimeoutError:
            if crash_points.disarm(self.crash_points, fault.target):
                raise FaultSkippedError("nobody came by the place") from None
        struck()

    async def _pause(self, fault: Fault, struck: Callable[[], None]) -> None:
        await self._last(self.process.paused_service(fault.target), fault, struck)

    async def _cut(self, fault: Fault, struck: Callable[[], None]) -> None:
        direction, _, server = fault.target.partition(" ")
        await self._last(isolation.Wire(self._port(server)).cut(direction), fault, struck)

    async def _fill_disk(self, fault: Fault, struck: Callable[[], None]) -> None:
        await self._last(isolation.fill(self.state(fault.target)), fault, struck)

    async def _last(
        self, state: AbstractContextManager[None], fault: Fault, struck: Callable[[], None]
    ) -> None:
        with _left_in_any_case(state) as enter:
            await asyncio.to_thread(enter)
            struck()
            await asyncio.sleep(fault.duration_s)

    def _port(self, server: str) -> int:
        """Where a server listens for clients."""
        if server == "kafka":
            return int(self.setting("KAFKA_BOOTSTRAP").rpartition(":")[2])
        name = {"postgres": "DATABASE_DSN", "valkey": "CACHE_URL"}[server]
        return int(self.setting(name).rpartition("/")[0].rpartition(":")[2])


@contextlib.contextmanager
def _left_in_any_case(state: AbstractContextManager[None]) -> Iterator[Callable[[], None]]:
    """Gives the function that enters `state`, so that it may run in a thread."""
    with contextlib.ExitStack() as stack:

        def enter() -> None:
            stack.enter_context(state)

        yield enter


def plan(
    names: Sequence[str], count: int, seed: int, *, isolated: bool, points: Sequence[str], only: str = ""
) -> list[Fault]:
    """`count` faults, the kinds in turn, within each kind every target once before any comes again.

    `only`: how "kind target" has to begin. Raises ValueError when nothing is left.
    """
    chance = random.Random(seed)
    targets: dict[str, list[str]] = {
        "kill": list(names),
        "pause": list(names),
        "crash point": list(points),
        "restart": ["kafka", "postgres", "valkey"],
        "flush": ["valkey"],
    }
    if isolated:
        targets["cut"] = [f"{way} {server}" for way in ("to", "from", "both") for server in SERVERS]
        targets["disk full"] = list(DISKS_MIB)
    targets = {
        kind: chosen
        for kind, found in targets.items()
        if (chosen := [target for target in found if f"{kind} {target}".startswith(only)])
    }
    if not targets:
        raise ValueError(f"no fault begins with {only!r}")
    lasting = {"pause": PAUSE_S, "cut": CUT_S, "disk full": DISK_FULL_S}
    left: dict[str, list[str]] = {kind: [] for kind in targets}
    kinds = [kind for kind in ROUND if kind in targets]
    faults: list[Fault] = []
    while len(faults) < count:
        kind = kinds[len(faults) % len(kinds)]
        if not left[kind]:
            left[kind] = chance.sample(targets[kind], len(targets[kind]))
        duration_s = chance.uniform(*lasting[kind]) if kind in lasting else 0.0
        faults.append(Fault(kind, left[kind].pop(), duration_s))
    return faults
