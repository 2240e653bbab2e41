"""`python -m loadtest.watchers`: 1,000, 2,500 and 5,000 clients of `depth@100ms` beside 300 orders a second.

`make run` and `make stack`, each on data of its own; in the stack through the gateway, and straight to the
process of market-data, as behind a load balancer that is another machine. Writes REPORTS/watchers-DATE.md.
"""

import contextlib
import os
import platform
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import psutil
import typer
from rich.console import Console

from loadtest.crowd.beside import watched_line
from loadtest.pauses import process_urls
from loadtest.processes import name_of
from loadtest.report import judge
from loadtest.run import LoadTestError
from loadtest.search import MODES, ask
from loadtest.watchers.report import PUBLISHERS, Watched, write_report
from local.exchange_process import ROOT, ExchangeProcess
from local.servers import ServerError

WARM_UP_S: Final = 10
MEMORY_EVERY_S: Final = 0.5
console: Final = Console()


def main(
    modes: Annotated[str, typer.Option(help="run, stack, or both with a comma")] = "run,stack",
    counts: Annotated[str, typer.Option(help="How many clients, with commas")] = "0,1000,2500,5000",
    rps: Annotated[int, typer.Option(min=1, help="Orders and other requests a second beside them")] = 300,
    duration: Annotated[int, typer.Option(min=5, help="Seconds of each row, after 5 of warm-up")] = 30,
    reports: Annotated[Path, typer.Option(help="Where the report goes")] = ROOT / "docs" / "reports",
) -> None:
    """Measure, and write down what was found. Exit code 1 when a row missed its promises."""
    asked, sizes = modes.split(","), [int(count) for count in counts.split(",")]
    if not set(asked) <= set(MODES):
        raise typer.BadParameter(f"modes are {' and '.join(MODES)}")
    rows: list[Watched] = []
    try:
        for mode in asked:
            rows += measured_rows(mode, sizes, rps, duration)
    except (ServerError, LoadTestError) as error:
        console.print(f"[red]failed:[/] {error}", highlight=False)
        raise typer.Exit(2) from None
    setting = {
        "requests a second": rps, "seconds of a row": duration,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
    }  # fmt: skip
    path = write_report(reports, f"watchers-{time.strftime('%Y-%m-%d')}", setting, rows)
    console.print(f"report: {path}", highlight=False)
    raise typer.Exit(0 if all(not row.problems() for row in rows) else 1)


def measured_rows(mode: str, sizes: list[int], rps: int, duration_s: int) -> list[Watched]:
    """One exchange, and each size of the crowd in turn. Raises ServerError, LoadTestError."""
    rows: list[Watched] = []
    with (
        tempfile.TemporaryDirectory(prefix="watchers-") as folder,
        ExchangeProcess(mode) as exchange,
    ):
        ask(exchange, rps, WARM_UP_S, [], Path(folder))
        ways = {"": exchange.url}
        if mode == "stack":
            ways["past the gateway"] = process_urls(exchange.url, exchange.data_dir)["market-data"]
        for size in sizes:
            for way, url in ways.items():
                if way and not size:
                    continue
                load = os.getloadavg()[0]
                with peak_memory(exchange.pid) as memory:
                    extra = ["--watchers", str(size), "--watch-url", url]
                    told = ask(exchange, rps, duration_s, extra, Path(folder))
                row = Watched(f"{mode} {way}".strip(), size, told, judge(told, rps), max(memory), load)
                console.print(f"{row.line()}", highlight=False)
                if size:
                    console.print(watched_line(told["watchers"]), highlight=False)
                rows.append(row)
    return rows


@contextlib.contextmanager
def peak_memory(pid: int) -> Iterator[list[int]]:
    """Bytes of the process that publishes, as seen now and then while inside."""
    seen, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(MEMORY_EVERY_S):
            with contextlib.suppress(psutil.Error):
                owner = psutil.Process(pid)
                for member in (owner, *owner.children(recursive=True)):
                    if name_of(member.cmdline()) in PUBLISHERS:
                        seen.append(member.memory_info().rss)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()


if __name__ == "__main__":
    typer.run(main)
