"""A load test from start to verdict: `python -m loadtest.run --rps 500 --duration 120 [--host URL]`.

Without --host it starts a stack of its own. Exit code 0 only if every request
succeeded, the rate was reached and the 99th percentile stayed below the limit.
"""

import contextlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from loadtest.crowd.beside import Watchers, WatchersError, watched_line
from loadtest.pauses import pauses_of, process_urls
from loadtest.report import Verdict, judge, write_reports
from local.exchange_process import ExchangeProcess
from local.servers import ServerError

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "loadtest" / "reports"
USERS_PER_RPS = 0.2
WARM_UP_S = 15.0
# Accounts are opened first, and the users come within a second or two.
SETUP_DEADLINE_S = 300.0
PROGRESS_MARK = "progress "
console = Console()


def main(
    rps: Annotated[int, typer.Option(min=1, help="Requests a second, in all")] = 500,
    duration: Annotated[int, typer.Option(min=1, help="Seconds to measure, after the warm-up")] = 120,
    host: Annotated[str, typer.Option(help="A running exchange; empty: start a stack for this test")] = "",
    warm_up: Annotated[float, typer.Option(min=0, help="Seconds before the measurement")] = WARM_UP_S,
    watchers: Annotated[int, typer.Option(min=0, help="Sockets of depth@100ms beside the requests")] = 0,
) -> None:
    """Load an exchange and judge it."""
    name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{rps}rps"
    try:
        with exchange_under_test(host) as (url, data_dir):
            with Watchers(url, watchers) as crowd:
                measured = run_locust(url, rps, duration, warm_up, REPORTS / f"{name}.html", crowd)
                measured["watchers"] = crowd.figures()
            measured["pauses"] = [str(pauses) for pauses in pauses_of(process_urls(url, data_dir))]
    except (ServerError, LoadTestError, WatchersError) as error:
        console.print(f"[red]load test failed:[/] {error}", highlight=False)
        raise typer.Exit(2) from None
    verdict = judge(measured, rps)
    setting = {
        "target": host or "python -m local stack",
        "asked_rps": rps,
        "duration_s": duration,
        "warm_up_s": warm_up,
        "watchers of depth@100ms": watchers,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
    }
    summary = write_reports(REPORTS, name, setting, measured, verdict)
    console.print(f"reports: {summary.parent.relative_to(ROOT)}/{name}.{{html,json,md}}", highlight=False)
    for line in measured["pauses"]:
        console.print(line, highlight=False)
    if watchers:
        console.print(watched_line(measured["watchers"]), highlight=False)
    console.print(closing_line(measured, verdict), highlight=False)
    raise typer.Exit(0 if verdict.passed else 1)


class LoadTestError(Exception):
    """The load generator ended without figures."""


@contextlib.contextmanager
def exchange_under_test(host: str) -> Iterator[tuple[str, Path | None]]:
    """The given address, or that of a stack that lives as long as the test, and the stack's folder."""
    if host:
        yield host.rstrip("/"), None
        return
    with console.status("starting a stack of its own ..."):
        stack = ExchangeProcess("stack")
        stack.__enter__()
    try:
        console.print(f"stack: {stack.url}", highlight=False)
        yield stack.url, stack.data_dir
    finally:
        stack.__exit__()


def run_locust(
    url: str, rps: int, duration_s: int, warm_up_s: float, html: Path, watchers: Watchers
) -> dict[str, Any]:
    """Run Locust in a process of its own; returns what `loadtest.locustfile.figures` made.

    The watchers count from where it does.
    """
    html.parent.mkdir(parents=True, exist_ok=True)
    users = max(1, math.ceil(rps * USERS_PER_RPS))
    with tempfile.TemporaryDirectory(prefix="loadtest-") as folder:
        figures_file = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtest" / "locustfile.py")]
        command += ["--headless", "--only-summary", "--loglevel", "WARNING", "--host", url]
        command += ["--users", str(users), "--spawn-rate", str(users), "--html", str(html)]
        command += ["--rps", str(rps), "--warm-up-s", str(warm_up_s), "--measure-s", str(duration_s)]
        command += ["--figures-file", str(figures_file)]
        output = follow(command, SETUP_DEADLINE_S + warm_up_s + duration_s, {"measuring": watchers.reset})
        if not figures_file.exists():
            raise LoadTestError("Locust gave no figures; it said:\n" + "\n".join(output[-30:]))
        figures: dict[str, Any] = json.loads(figures_file.read_text())
        return figures


def follow(
    command: list[str], deadline_s: float, on_phase: Mapping[str, Callable[[], None]] | None = None
) -> list[str]:
    """Run to the end, with progress bars; returns what else was printed.

    `on_phase`: what is called as a phase begins.
    """
    other: list[str] = []
    waiting = dict(on_phase or {})
    give_up = time.monotonic() + deadline_s
    columns = (TextColumn("{task.description:<10}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with (
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
    ):
        assert process.stdout is not None
        bars: dict[str, TaskID] = {}
        try:
            # Each phase prints a line a second, so the deadline is looked at often enough.
            for line in process.stdout:
                if not show(line, progress, bars):
                    other.append(line.rstrip())
                for phase in waiting.keys() & bars.keys():
                    waiting.pop(phase)()
                if time.monotonic() > give_up:
                    raise LoadTestError(f"Locust did not end within {deadline_s:.0f} s")
        finally:
            if process.poll() is None:
                process.terminate()
    return other


def show(line: str, progress: Progress, bars: dict[str, TaskID]) -> bool:
    """Whether the line was one of progress."""
    if not line.startswith(PROGRESS_MARK):
        return False
    told = json.loads(line.removeprefix(PROGRESS_MARK))
    phase = told["phase"]
    if phase not in bars:
        bars[phase] = progress.add_task(phase, total=told["total"])
    progress.update(bars[phase], completed=told["done"])
    return True


def closing_line(measured: dict[str, Any], verdict: Verdict) -> str:
    """Everything that matters in one line."""
    total = measured["total"]
    colour = "green" if verdict.passed else "red"
    figures = ", ".join(f"{name} {total.get(f'{name}_ms', math.nan):g} ms" for name in ("p50", "p95", "p99"))
    said = "passed" if verdict.passed else "FAILED: " + "; ".join(verdict.problems)
    return f"[{colour}]{total['rps']:.1f} RPS, {figures}, failures {total['failures']}: {said}[/]"


if __name__ == "__main__":
    typer.run(main)
