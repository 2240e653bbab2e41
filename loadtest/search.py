"""`make loadtest-max`: the highest rate of `run` and `stack` with a p99 < 100 ms and no failure.

Each mode is started once, on data of its own, and asked at one rate after the other by the lean generator:
half as much again while it holds, then between what held and what did not. A rate counts as too high when it
did not hold twice: a neighbour on the machine may have spoilt it once.
"""

import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console

from loadtest.crowd.beside import watched_line
from loadtest.pauses import pauses_of, process_urls
from loadtest.processes import OUTSIDE
from loadtest.report import Verdict, judge
from loadtest.run import LoadTestError, follow
from local.exchange_process import ROOT, ExchangeProcess
from local.servers import ServerError

__all__ = ["Step", "next_rate", "write_report"]

MODES: Final = ("run", "stack")
RATE_MIN: Final = 50
STEPS_MAX: Final = 12
ATTEMPTS: Final = 2
GROWTH: Final = 1.5
# The search ends when what held and what did not are so near.
CLOSE_ENOUGH: Final = 1.1
SETUP_DEADLINE_S: Final = 300.0
console: Final = Console()


class Step(NamedTuple):
    """One rate, what was measured at it, and whether it held."""

    rate: int
    measured: Mapping[str, Any]
    verdict: Verdict


def next_rate(steps: Sequence[Step], first: int) -> int | None:
    """The next rate to ask, None when the search is over."""
    if not steps:
        return first
    held = max((step.rate for step in steps if step.verdict.passed), default=0)
    too_high = min((step.rate for step in steps if not step.verdict.passed), default=0)
    if len(steps) >= STEPS_MAX:
        return None
    if not too_high:
        return round(held * GROWTH)
    if not held:
        lower = too_high // 2
        return lower if lower >= RATE_MIN else None
    if too_high <= held * CLOSE_ENOUGH:
        return None
    return math.isqrt(held * too_high)


def main(
    modes: Annotated[str, typer.Option(help="run, stack, or both with a comma")] = "run,stack",
    first: Annotated[int, typer.Option(min=RATE_MIN, help="The first rate")] = 500,
    duration: Annotated[int, typer.Option(min=5, help="Seconds of each rate, after 5 of warm-up")] = 20,
    ws_share: Annotated[float, typer.Option(min=0, max=1, help="Part of the orders by the ws-api")] = 0.0,
    watchers: Annotated[int, typer.Option(min=0, help="Sockets of depth@100ms beside them")] = 0,
    market_maker: Annotated[bool, typer.Option(help="The bot trades, too")] = False,
    reports: Annotated[Path, typer.Option(help="Where the report goes")] = ROOT / "docs" / "reports",
) -> None:
    """Search, and write down what was found."""
    asked = modes.split(",")
    if not set(asked) <= set(MODES):
        raise typer.BadParameter(f"modes are {' and '.join(MODES)}")
    setting = {
        "duration_s": duration, "orders by the ws-api": ws_share, "watchers of depth@100ms": watchers,
        "market maker": market_maker,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
    }  # fmt: skip
    extra = ["--ws-share", str(ws_share), "--watchers", str(watchers)]
    found: dict[str, list[Step]] = {}
    try:
        for mode in asked:
            found[mode] = search(mode, first, duration, extra, market_maker=market_maker)
    except (ServerError, LoadTestError) as error:
        console.print(f"[red]load test failed:[/] {error}", highlight=False)
        raise typer.Exit(2) from None
    path = write_report(reports, f"loadtest-max-{time.strftime('%Y-%m-%d')}", setting, found)
    console.print(f"report: {path}", highlight=False)
    raise typer.Exit(0 if all(any(s.verdict.passed for s in steps) for steps in found.values()) else 1)


def search(mode: str, first: int, duration_s: int, extra: list[str], *, market_maker: bool) -> list[Step]:
    """Ask a fresh exchange of a mode at one rate after the other. Raises ServerError, LoadTestError."""
    steps: list[Step] = []
    settings = {"MARKET_MAKER": "1" if market_maker else "0"}
    with tempfile.TemporaryDirectory(prefix="loadtest-") as folder:
        with console.status(f"starting make {mode} ..."):
            exchange = ExchangeProcess(mode, settings=settings)
            exchange.__enter__()
        try:
            while (rate := next_rate(steps, first)) is not None:
                for attempt in range(ATTEMPTS):
                    measured = ask(exchange, rate, duration_s, extra, Path(folder))
                    step = Step(rate, measured, judge(measured, rate))
                    console.print(f"{mode}: {_line(step)}", highlight=False)
                    console.print(*measured["pauses"][:1], highlight=False)
                    if measured["watchers"]["sockets"]:
                        console.print(watched_line(measured["watchers"]), highlight=False)
                    if step.verdict.passed or attempt == ATTEMPTS - 1:
                        steps.append(step)
                        break
        finally:
            exchange.__exit__()
    return steps


def ask(
    exchange: ExchangeProcess, rate: int, duration_s: int, extra: list[str], folder: Path
) -> dict[str, Any]:
    """One rate for so long. Raises LoadTestError when the generator gives no figures."""
    figures = folder / "figures.json"
    figures.unlink(missing_ok=True)
    command = [sys.executable, "-m", "loadtest.lean", exchange.url, "--rps", str(rate)]
    command += ["--measure-s", str(duration_s), "--exchange-pid", str(exchange.pid)]
    command += ["--keys-file", str(folder / "keys.json"), "--figures-file", str(figures), *extra]
    said = follow(command, SETUP_DEADLINE_S + duration_s)
    if not figures.exists():
        raise LoadTestError("the generator gave no figures; it said:\n" + "\n".join(said[-30:]))
    measured: dict[str, Any] = json.loads(figures.read_text())
    urls = process_urls(exchange.url, exchange.data_dir)
    return measured | {"pauses": [str(pauses) for pauses in pauses_of(urls)]}


def _line(step: Step) -> str:
    total = step.measured["total"]
    said = "held" if step.verdict.passed else "did not hold: " + "; ".join(step.verdict.problems)
    return (
        f"{step.rate}/s: p50 {total['p50_ms']:.1f}, p95 {total['p95_ms']:.1f}, p99 {total['p99_ms']:.1f} ms, "
        f"{cpu_us(step):.0f} us of processor a request: {said}"
    )


def cpu_us(step: Step) -> float:
    """Processor time of the exchange, all its processes together, for one request."""
    used_s: float = sum(spent_s for name, spent_s in step.measured["cpu_s"].items() if name not in OUTSIDE)
    requests: int = step.measured["total"]["requests"]
    return used_s / max(1, requests) * 1_000_000


def write_report(
    folder: Path, name: str, setting: Mapping[str, Any], found: Mapping[str, Sequence[Step]]
) -> Path:
    """Write <name>.json and <name>.md; returns the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "setting": dict(setting),
        "modes": {
            mode: [
                {"rate": step.rate, "held": step.verdict.passed, "problems": step.verdict.problems}
                | {"measured": step.measured}
                for step in steps
            ]
            for mode, steps in found.items()
        },
    }
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    lines = [f"# The highest rate, {name.removeprefix('loadtest-max-')}", ""]
    lines += [
        "`make loadtest-max`: requests a second with a p99 below 100 ms and no failure; generator and",
        "exchange on the same cores. Times count from when a request was due.",
        "",
    ]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in setting.items()]
    for mode, steps in found.items():
        lines += _mode_lines(mode, steps)
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _mode_lines(mode: str, steps: Sequence[Step]) -> list[str]:
    best = max((step for step in steps if step.verdict.passed), default=None, key=lambda step: step.rate)
    lines = ["", f"## make {mode}: {best.rate if best else 'no'} requests a second", ""]
    lines += [
        "| rate | p50 ms | p95 ms | p99 ms | failures | exchange, us/request | held |",
        "|--:" * 7 + "|",
    ]
    for step in sorted(steps, key=lambda step: step.rate):
        total = step.measured["total"]
        lines.append(
            f"| {step.rate} | {total['p50_ms']:.1f} | {total['p95_ms']:.1f} | {total['p99_ms']:.1f} "
            f"| {total['failures']} | {cpu_us(step):.0f} "
            f"| {'yes' if step.verdict.passed else '; '.join(step.verdict.problems)} |"
        )
    if best is None:
        return lines
    lines += [
        "",
        f"Processor time at {best.rate}/s:",
        "",
        "| process | us/request | % of a core |",
        "|---|--:|--:|",
    ]
    requests, seconds = best.measured["total"]["requests"], best.measured["seconds"]
    for name, used_s in best.measured["cpu_s"].items():
        lines.append(f"| {name} | {used_s / requests * 1e6:.0f} | {used_s / seconds * 100:.1f} |")
    lines += ["", "How long they stood still:", "", *(f"- {line}" for line in best.measured["pauses"])]
    watched = best.measured["watchers"]
    if watched["sockets"]:
        lines += ["", watched_line(watched)]
    return lines


if __name__ == "__main__":
    typer.run(main)
