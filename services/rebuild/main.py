"""`python -m services.rebuild.main --source log|archive`: make a stopped, deployed exchange anew (ADR 0010).

From the event log: tables and hot books. From the archive: both logs first. It holds the engines' lease
meanwhile and refuses to work while an engine keeps it. Exit codes: 0 done, 1 refused or failed, 2 arguments
or settings that are none.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Annotated, Final

import typer

from exchange.adapters.chosen.lease import open_lease
from exchange.adapters.chosen.rebuild_places import KafkaPlaces
from exchange.ports.world import LeaseError, LogError
from exchange.process.config import Settings, SettingsError
from exchange.process.frame import configure_logging, run_until_signal
from matching_engine import build

__all__ = ["main"]

_PROGRESS_EVERY_S: Final = 5.0


class _Lines:
    """The `Report` of a job: lines that a log collector keeps."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, message: str) -> None:
        print(f"rebuild: {time.monotonic() - self._began:.1f} s: {message}", flush=True)

    def bar(self, name: str) -> Callable[[int, int], None]:
        next_s = time.monotonic() + _PROGRESS_EVERY_S

        def show(done: int, total: int) -> None:
            nonlocal next_s
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + _PROGRESS_EVERY_S
                self(f"{name}: {done} of {total}" if total > done else f"{name}: {done}")

        return show


def main(
    source: Annotated[str, typer.Option(help="log, or archive: the logs too")] = "log",
    archive: Annotated[str, typer.Option(help="folder:<path> or s3://...; the exchange's own without")] = "",
    witnesses: Annotated[str, typer.Option(help="copied snapshots to compare with; as --archive")] = "",
    discard: Annotated[list[str] | None, typer.Option(help="topic=records: this topic may go")] = None,
    accept_loss: Annotated[bool, typer.Option(help="go on where the archive ends early")] = False,
) -> None:
    """Rebuild the exchange that EXCHANGE_* names, while it is stopped."""
    try:
        settings = Settings.load()
        if not settings.lease:
            raise SettingsError("EXCHANGE_LEASE is needed: it tells whether an engine runs")
        if source not in ("log", "archive"):
            raise SettingsError(f"--source {source}: log or archive")
        places = KafkaPlaces(settings, archive=archive, witnesses=witnesses, discard=_ends(discard or []))
    except SettingsError as error:
        print(f"rebuild: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    configure_logging("WARNING", settings.log_format, settings.shard)
    run = _Run(settings, places, source, accept_loss=accept_loss)
    code = run_until_signal(run())
    # Stopped in the middle is not done.
    raise typer.Exit(code or int(not run.is_done))


class _Run:
    def __init__(self, settings: Settings, places: KafkaPlaces, source: str, *, accept_loss: bool) -> None:
        self._settings = settings
        self._places = places
        self._source = source
        self._accept_loss = accept_loss
        self.is_done = False

    async def __call__(self) -> None:
        settings, report = self._settings, _Lines()
        report(str(build.activate(settings.engine_build)))
        # The engine's build is chosen: only now may its modules be imported.
        from services.rebuild.alone import ExchangeRunsError, run_alone
        from services.rebuild.steps import FAILURES, Rebuild

        rebuild = Rebuild(settings, self._places, report, accept_loss=self._accept_loss)
        try:
            await run_alone(
                open_lease(settings),
                lambda: rebuild.run(self._source),
                duration_ms=settings.lease_duration_ms,
                say=report,
            )
            self.is_done = True
        except (*FAILURES, ExchangeRunsError, LeaseError, LogError, OSError) as error:
            print(f"rebuild: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def _ends(discard: list[str]) -> dict[str, int]:
    ends: dict[str, int] = {}
    for each in discard:
        topic, _, end = each.partition("=")
        with contextlib.suppress(ValueError):
            ends[topic] = int(end)
            continue
        raise SettingsError(f"--discard {each}: <topic>=<records>")
    return ends


if __name__ == "__main__":
    typer.run(main)
