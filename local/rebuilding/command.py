"""`make rebuild`: the tables and the hot book from the event log, or the logs too from the archive alone.

It works on the data folder of a stopped exchange, which it locks as a running one does, with that
exchange's own servers. What it does is in `services/rebuild/steps.py`, as for a deployed exchange.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from exchange.adapters.chosen.rebuild_places import KafkaPlaces
from exchange.process.config import Settings
from local.calling import call
from local.console import Steps
from local.disk import require_space
from local.folder import DataFolder
from local.options import LocalOptions, engine_build
from local.servers import ServerError, free_port, kafka, postgres, valkey

__all__ = ["SOURCES", "Told", "run_rebuild"]

# As services.rebuild.steps, which must not be imported before the engine's build is chosen.
SOURCES: Final = ("log", "archive")
_FOLDER_OF: Final = {"run": "embedded", "stack": "stack"}


class Told:
    """The `Report` of a rebuild on a terminal."""

    def __init__(self, steps: Steps, progress: Progress) -> None:
        self._steps = steps
        self._progress = progress

    def __call__(self, message: str) -> None:
        """Print one step."""
        self._steps(message)

    def bar(self, name: str) -> Callable[[int, int], None]:
        """Show a bar."""
        task = self._progress.add_task(name, total=None)

        def show(done: int, total: int) -> None:
            self._progress.update(task, completed=done, total=total)

        return show


async def run_rebuild(options: LocalOptions, mode: str, source: str, *, accept_loss: bool = False) -> None:
    """Rebuild what `mode` ("run", "stack", "" for the one that is there) keeps in the data folder.

    Raises ServerError while that exchange runs, without its data, and with what went wrong.
    """
    steps = Steps()
    mode = _mode_of(options.data_dir, mode)
    folder = await DataFolder.take(options.data_dir, _FOLDER_OF[mode], call("rebuild"), on_wait=steps)
    require_space(folder.state, _FOLDER_OF[mode])
    await engine_build(options, steps)
    # The engine's build is chosen: only now may its modules be imported.
    from local.rebuilding.places import FilePlaces
    from services.rebuild.steps import FAILURES, Rebuild

    async with _servers(folder, mode, options.fast_start, steps) as settings:
        places = KafkaPlaces(settings) if mode == "stack" else FilePlaces(settings)
        with _progress() as progress:
            try:
                await Rebuild(settings, places, Told(steps, progress), accept_loss=accept_loss).run(source)
            except FAILURES as error:
                raise ServerError(f"{type(error).__name__}: {error}") from error
        steps("stopping ...")


def _mode_of(data_dir: Path, mode: str) -> str:
    there = [name for name, folder in _FOLDER_OF.items() if (data_dir / folder).is_dir()]
    if mode:
        if mode not in _FOLDER_OF:
            raise ServerError(f"MODE={mode}: run or stack")
        if mode not in there:
            raise ServerError(f"`make {mode}` has no data in {data_dir}")
        return mode
    if len(there) != 1:
        raise ServerError(
            f"{data_dir} has data of {' and '.join(there) or 'no exchange'}: say MODE=run|stack"
        )
    return there[0]


@contextlib.asynccontextmanager
async def _servers(folder: DataFolder, mode: str, fast_start: bool, steps: Steps) -> AsyncIterator[Settings]:
    """The folder's own servers; yields settings that name them."""
    state = folder.state
    async with contextlib.AsyncExitStack() as stack:
        database = await postgres.start(state, free_port(), on_progress=steps)
        stack.push_async_callback(database.stop)
        cache = await valkey.start(state, free_port(), on_progress=steps)
        stack.push_async_callback(cache.stop)
        values: dict[str, object] = {
            "data_dir": state,
            "database_dsn": database.dsn,
            "cache_url": cache.url,
        }
        if mode == "stack":
            broker = await kafka.start(state, free_port(), fast_start=fast_start, on_progress=steps)
            stack.push_async_callback(broker.stop)
            values["kafka_bootstrap"] = broker.bootstrap_servers
        yield Settings.model_validate(values)


def _progress() -> Progress:
    return Progress(
        TextColumn("          {task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )
