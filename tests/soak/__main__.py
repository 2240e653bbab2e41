"""`make soak MINUTES=30`: a stack under load for long. Exit code 1 when anything grows, or is lost."""

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from loadtest.crowd.beside import Watchers
from loadtest.run import LoadTestError, run_locust
from local.exchange_process import ExchangeProcess
from local.servers import ServerError
from tests.soak.report import write_reports
from tests.soak.sampling import FIGURES, Sampler, metric
from tests.soak.sockets import StreamClients
from tests.soak.verdict import Trend, trend_of, warm_up_s

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "docs" / "reports"
LOAD_TEST_RPS = 500
LOAD_PART = 0.7
SAMPLE_EVERY_S = 10.0
ACCOUNTS_DEADLINE_S = 300.0
REASONS_MAX = 5
# What the exchange refuses with -1008 was not sent, and its sender knows it: a pause of the machine that is
# longer than an order may wait ends so. More than this part of all requests is no pause.
REFUSED_MARK = '"code":-1008,'
REFUSED_PART_MAX = 0.0001
console = Console()


def main(
    minutes: Annotated[float, typer.Option(min=1, help="How long, the warm-up included")] = 30,
    rps: Annotated[int, typer.Option(min=1, help="Requests a second")] = round(LOAD_TEST_RPS * LOAD_PART),
    sockets: Annotated[int, typer.Option(min=10, help="Stream clients; every tenth never reads")] = 1_000,
    reports: Annotated[Path, typer.Option(help="Where the reports go")] = REPORTS,
) -> None:
    """Soak a stack of its own and judge it."""
    name = f"soak-{time.strftime('%Y-%m-%d-%H%M')}"
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        html = Path(folder) / "load.html"
        try:
            with console.status("starting a stack ..."):
                stack = ExchangeProcess("stack")
                stack.__enter__()
            try:
                soaked = asyncio.run(soak(stack, minutes * 60, rps, sockets, html))
            finally:
                stack.__exit__()
        except (ServerError, LoadTestError) as error:
            console.print(f"[red]soak failed:[/] {error}", highlight=False)
            raise typer.Exit(2) from None
    sampler, clients, figures = soaked
    trends, problems = judge(sampler, clients, minutes * 60)
    problems += lost(sampler, clients, figures, sockets)
    total = figures["total"]
    setting = {
        "minutes": minutes,
        "warm_up_s": warm_up_s(minutes * 60),
        "requests_per_s": round(total["rps"], 1),
        "p99_ms": total["p99_ms"],
        "failed_requests": total["failures"],
        "of_them_refused_as_overload": refused(figures),
        "stream_sockets": sockets,
        "of_them_never_reading": sockets // 10,
        "messages_read": clients.counts["messages"],
        "deaf_sockets_cut": clients.counts["cuts"],
        "reading_sockets_lost": clients.counts["lost"],
        "restarts_of_processes": sampler.restarts,
    }
    path = write_reports(reports, name, setting, trends, problems, sampler.samples)
    console.print(f"report: {path}", highlight=False)
    console.print("[red]not flat:[/] " + "; ".join(problems) if problems else "[green]flat[/]")
    raise typer.Exit(1 if problems else 0)


async def soak(
    stack: ExchangeProcess, duration_s: float, rps: int, sockets: int, html: Path
) -> tuple[Sampler, StreamClients, dict[str, Any]]:
    """Load, listen and sample side by side until the load has ended."""
    clients = StreamClients(stack.url, sockets)
    nobody = Watchers(stack.url, 0)  # the clients of streams are the soak's own
    load = asyncio.create_task(
        asyncio.to_thread(run_locust, stack.url, rps, round(duration_s), 5.0, html, nobody)
    )
    listening = asyncio.create_task(clients.run())
    try:
        await accounts_made(stack, load)
        sampler = Sampler(stack)
        while not load.done():
            began_s = time.monotonic()
            await asyncio.to_thread(sampler.take)
            await asyncio.wait({load}, timeout=max(0.0, SAMPLE_EVERY_S - (time.monotonic() - began_s)))
        figures = await load
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
    return sampler, clients, figures


async def accounts_made(stack: ExchangeProcess, load: "asyncio.Task[dict[str, Any]]") -> None:
    """Wait for the first orders: opening accounts hashes passwords, which is no load of the kind meant."""
    probe = Sampler(stack)
    async with asyncio.timeout(ACCOUNTS_DEADLINE_S):
        while not load.done():
            await asyncio.to_thread(probe.take)
            if metric(probe.scraped.get("order", ""), "exchange_order_request_seconds_count"):
                return
            await asyncio.sleep(1.0)


def judge(sampler: Sampler, clients: StreamClients, duration_s: float) -> tuple[list[Trend], list[str]]:
    """Every figure of every process after the warm-up."""
    trends: list[Trend] = []
    problems: list[str] = []
    for process, figures in sorted(sampler.samples.items()):
        for figure in FIGURES:
            points = [(t, v) for t, v in figures.get(figure, []) if t >= warm_up_s(duration_s)]
            if not figures.get(figure):
                continue
            try:
                trend = trend_of(
                    process,
                    figure,
                    [t for t, _ in points],
                    [v for _, v in points],
                    clients.counts["cuts"],
                )
            except ValueError as error:
                problems.append(str(error))
                continue
            trends.append(trend)
            if not trend.is_flat:
                problems.append(f"{figure} of {process} grows")
    return trends, problems


def refused(figures: dict[str, Any]) -> int:
    """Requests that were answered with -1008."""
    return sum(each["count"] for each in figures["errors"] if REFUSED_MARK in each["error"])


def lost(sampler: Sampler, clients: StreamClients, figures: dict[str, Any], sockets: int) -> list[str]:
    """What should not have happened, and what should have and has not."""
    problems: list[str] = []
    if sampler.restarts:
        problems.append(f"{sampler.restarts} processes were started again")
    total, shed = figures["total"], refused(figures)
    if total["failures"] > shed or shed > REFUSED_PART_MAX * total["requests"]:
        reasons = [f"{each['count']} x {each['request']}: {each['error']}" for each in figures["errors"]]
        problems.append("; ".join([f"{total['failures']} requests failed", *reasons[:REASONS_MAX]]))
    if clients.counts["lost"]:
        problems.append(f"{clients.counts['lost']} reading sockets were lost")
    if clients.counts["cuts"] < sockets // 10:
        problems.append(f"only {clients.counts['cuts']} cuts of {sockets // 10} sockets that never read")
    return problems


if __name__ == "__main__":
    typer.run(main)
