"""The campaign's report: Markdown for people, a picture of the trader's latency."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from tests.abuse.trader import Phase

__all__ = ["Result", "percentile", "write_report"]

_ANSWERS_SHOWN = 5


class Result(NamedTuple):
    """One abuse: what the trader saw meanwhile, what the abuser was answered, which promises broke."""

    name: str
    phase: Phase
    answers: Mapping[str, int]
    facts: Mapping[str, float]
    broken: Sequence[str]


def percentile(values_ms: Sequence[float], percent: int) -> float:
    """0 for nothing."""
    if len(values_ms) < 2:
        return values_ms[0] if values_ms else 0.0
    return quantiles(values_ms, n=100, method="inclusive")[percent - 1]


def write_report(
    folder: Path, name: str, asked: str, quiet: Phase, results: Sequence[Result], problems: Sequence[str]
) -> Path:
    """Write <name>.md and .png; returns the first one's path."""
    folder.mkdir(parents=True, exist_ok=True)
    _plot(folder / f"{name}.png", quiet, results)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    calm = [percentile(quiet.orders_ms, percent) for percent in (50, 99)]
    lines = [
        f"# Abuse, {name.removeprefix('abuse-')}: {'FAILED' if problems else 'passed'}",
        "",
        f"`{asked}` on {machine}; stack, abusers and trader on the same cores.",
        "",
        "A normal trader places an order, looks at it and cancels it, five times a second, while a stack",
        "that enforces its limits is abused, one way after the other. A promise is that each abuse is",
        "bounded or refused as the limits say, and that the trader is never refused. Times are reported",
        "and judge nothing: the abusers' own work is on the same machine, though they take only what of",
        "the processor the others leave.",
        "",
        f"Without abuse: {len(quiet.orders_ms)} orders, p50 {calm[0]:.1f} ms, p99 {calm[1]:.1f} ms.",
        "",
    ]
    lines += [f"- **{problem}**" for problem in problems] + ([""] if problems else [])
    lines += ["| abuse | orders of the trader | p50 ms | p99 ms | p50 / quiet | p99 / quiet | failed |"]
    lines += ["|---|--:|--:|--:|--:|--:|--:|"]
    for result in results:
        times = result.phase.orders_ms
        found = [percentile(times, percent) for percent in (50, 99)]
        ratios = [
            f"{each / quiet_ms:.2f}" if quiet_ms else "-" for each, quiet_ms in zip(found, calm, strict=True)
        ]
        cells = [result.name, len(times), *(f"{each:.1f}" for each in found), *ratios]
        cells.append(sum(result.phase.failures.values()))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", f"![latency of the trader's orders]({name}.png)", ""]
    lines += [
        "## What the abusers were answered",
        "",
        "| abuse | answers | found afterwards |",
        "|---|---|---|",
    ]
    for result in results:
        most = sorted(result.answers.items(), key=lambda pair: -pair[1])[:_ANSWERS_SHOWN]
        answers = ", ".join(f"{count} x {answer}" for answer, count in most)
        facts = ", ".join(f"{value:.0f} {fact}" for fact, value in result.facts.items())
        lines.append(f"| {result.name} | {answers} | {facts} |")
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _plot(path: Path, quiet: Phase, results: Sequence[Result]) -> None:
    # Half a second of a processor, which every process that reads the tests would pay.
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("agg")

    named = [("quiet", quiet.orders_ms), *((result.name, result.phase.orders_ms) for result in results)]
    shown = [(name, times) for name, times in named if times]
    figure, axis = pyplot.subplots(figsize=(10, 5))
    axis.boxplot([times for _, times in shown], tick_labels=[name for name, _ in shown], whis=(1, 99), sym="")
    if quiet.orders_ms:
        axis.axhline(2 * median(quiet.orders_ms), color="grey", linestyle=":", label="twice the quiet median")
        axis.legend()
    axis.set_yscale("log")
    axis.set_ylabel("ms from sending an order to its answer (box 25-75 %, whiskers 1-99 %)")
    axis.tick_params(axis="x", rotation=30)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
