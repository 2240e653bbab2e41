"""The far side's own process: `python -m local.far_side`, told on standard input what to do (words.py)."""

import asyncio
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client import REGISTRY, generate_latest

from exchange.adapters.chosen.own_logs import folder_of_log, own_log_resources
from exchange.adapters.files.followed import FollowedLog
from exchange.adapters.files.objects import FolderStore
from exchange.log.whole_log import WholeLog
from exchange.ports.world import LogError
from exchange.process.components import run_components
from exchange.process.config import Settings
from exchange.process.frame import configure_logging, run_until_signal
from exchange.process.loop.pulse import settle_process
from local.far_side.words import State, Task
from local.operating import keep_log
from local.servers.launch import give_way
from local.servers.process import GIVES_WAY
from matching_engine import build

if TYPE_CHECKING:  # Not before the build is chosen.
    from exchange.process.components import Component

_LOG_NAME: Final = "far-side.log"
_STATE_EVERY_S: Final = 0.25
# Metrics are made anew once in so many states.
_METRICS_EVERY: Final = 8
_OWN_METRICS: Final = (
    "exchange_ledger_", "exchange_book_", "exchange_notifier_", "exchange_notices_", "exchange_anomalies_",
)  # fmt: skip


class _Ends:
    """Hears how far the event log is durable. Ends with its owner."""

    name = "event log"

    def __init__(self, log: FollowedLog) -> None:
        self._log = log

    async def start(self) -> None:
        """Nothing: the first end came with the task."""

    async def run(self) -> None:
        """Listen until cancelled. Raises LogError."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            self._log.told(int(line))
        raise LogError("the exchange has ended")

    async def stop(self) -> None:
        """Nothing is held."""

    def readiness(self) -> Mapping[str, str | None]:
        """Of no interest: who is told nothing has ended."""
        return {}


class _Told:
    """Says how all parts are, as long as they run."""

    name = "state"

    def __init__(self, parts: Iterable["Component"], give_way: Callable[[int], None] = give_way) -> None:
        self._parts = tuple(parts)
        self._give_way = give_way

    async def start(self) -> None:
        """Nothing."""

    async def run(self) -> None:
        """Print a line again and again."""
        metrics, turn, is_waited_for = "", 0, True
        while True:
            if not turn % _METRICS_EVERY:
                metrics = own_metrics(generate_latest(REGISTRY).decode())
            turn += 1
            problems = {name: problem for part in self._parts for name, problem in part.readiness().items()}
            if is_waited_for and not any(problems.values()):
                # The start of the exchange waits for it, so until now it gave way to nobody.
                is_waited_for = False
                self._give_way(GIVES_WAY)
            sys.stdout.buffer.write(msgspec.json.encode(State(problems, metrics)) + b"\n")
            sys.stdout.buffer.flush()
            await asyncio.sleep(_STATE_EVERY_S)

    async def stop(self) -> None:
        """Nothing is held."""

    def readiness(self) -> Mapping[str, str | None]:
        """It is what tells."""
        return {}


def own_metrics(text: str) -> str:
    """Of a process's metrics those that only this one has, with what is said about them."""
    names = (line.removeprefix("# HELP ").removeprefix("# TYPE ") for line in text.splitlines())
    kept = (
        line for name, line in zip(names, text.splitlines(), strict=True) if name.startswith(_OWN_METRICS)
    )
    return "".join(f"{line}\n" for line in kept)


async def _run(settings: Settings, end: int) -> None:
    from local.market_maker.account import house_addresses
    from local.notices import notice_components
    from local.options import store_of_house
    from services.anomalies.component import AnomalyWatcher
    from services.projections.book.projection import BookProjection
    from services.projections.ledger.projection import LedgerProjection

    log = await FollowedLog.open(folder_of_log(settings, "events"), end)
    whole = WholeLog(log, FolderStore(settings.data_dir), settings.shard, "events")
    # No part of it touches the command log, and none could write either.
    async with own_log_resources(settings, whole, whole) as resources:
        parts: list[Component] = [
            LedgerProjection(resources),
            BookProjection(resources),
            AnomalyWatcher(resources),
            *notice_components(resources, house_addresses(store_of_house(settings.data_dir.parent))),
        ]
        await run_components([_Ends(log), _Told(parts), *parts], settle_process)


def main() -> int:
    """Read the task, and do it until told to stop. Returns the exit code."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    build.activate(task.engine_build)
    settings = Settings.model_validate(task.settings)
    configure_logging("WARNING")
    keep_log(settings.data_dir, _LOG_NAME)
    return run_until_signal(_run(settings, task.end))


if __name__ == "__main__":
    sys.exit(main())
