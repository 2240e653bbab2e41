"""The campaign's report: JSON for machines, Markdown and a plot for people."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from tests.chaos.campaign import Result, Struck, kinds_of

__all__ = ["quantile", "write_cold_start", "write_report"]

Rows = Sequence[Sequence[object]]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def write_report(folder: Path, name: str, result: Result, skipped: Mapping[str, str]) -> Path:
    """Write <name>.json, .md and .png; returns the Markdown file. `skipped`: kinds that cannot run here."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"name": name, "machine": _machine(), "cannot_run_here": dict(skipped), **result.as_json()}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    kinds = kinds_of(result.struck)
    if kinds:
        _plot(folder / f"{name}.png", kinds, result)
    path = folder / f"{name}.md"
    path.write_text(_markdown(name, result, skipped, kinds))
    return path


def write_cold_start(folder: Path, name: str, figures: Mapping[str, Any]) -> Path:
    """Write <name>.json and .md of a cold start; returns the Markdown file."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"name": name, "machine": _machine(), **figures}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    lines = [f"# Cold start, {name.removeprefix('cold-start-')}", "", f"On {_machine()}.", ""]
    lines += _table(("figure", "value"), [(key.replace("_", " "), value) for key, value in figures.items()])
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n")
    return path


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def _markdown(
    name: str, result: Result, skipped: Mapping[str, str], kinds: Mapping[str, Sequence[Struck]]
) -> str:
    options, figures, counts = result.options, result.figures, result.counts
    hit = sum(len(found) for found in kinds.values())
    asked = f"KILLS={options.kills} RATE={options.rate:g} SEED={options.seed}"
    verdict = "passed" if result.passed else "FAILED"
    lines = [f"# Chaos, {name.removeprefix('chaos-')}: {verdict}", ""]
    lines += [f"`make chaos {asked}` on {_machine()}, stack and load on the same cores. {hit} faults hit,"]
    lines += [f"{len(result.struck) - hit} did not.", ""]
    if result.stuck is not None:
        lines += ["It ended early:", "", "```", result.stuck, "```", ""]
    lines += _table(
        ("promise", "broken"),
        [
            ("acknowledged orders, fills or cancels lost", counts.get("lost", "not checked")),
            ("double effects", counts.get("doubled", "not checked")),
            ("invariants broken (money, ledger, book, log)", counts.get("broken", "not checked")),
        ],
    )
    if result.examples:
        lines += ["", *(f"- {example}" for example in result.examples)]
    lines += ["", "## Until it trades again", ""]
    lines += ["Seconds from the fault to the first acknowledgement of a request that was sent after it, and"]
    lines += ["from the end of a fault that lasts; the longest silence; until all of `/readyz` is well.", ""]
    header = ("fault", "count", "trading p50", "p99", "after its end p50", "p99", "silence p99", "ready p50")
    lines += _table(header, [_summary(kind, found) for kind, found in kinds.items()])
    lines += ["", f"![time until it trades again]({name}.png)", ""] if kinds else [""]
    lines += ["## Load", ""]
    lines += _table(("figure", "value"), [(key.replace("_", " "), figures[key]) for key in figures])
    lines += ["", "## Every fault", ""]
    lines += _table(("#", "fault", "trading", "after its end", "silence", "ready"), map(_row, result.struck))
    if result.notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in result.notes)]
    if skipped:
        lines += ["", "## Not run here", "", *(f"- {kind}: {reason}" for kind, reason in skipped.items())]
    return "\n".join(lines) + "\n"


def _summary(kind: str, found: Sequence[Struck]) -> list[object]:
    trading = [one.trading_s for one in found if one.trading_s is not None]
    after = [one.recovered_s for one in found if one.recovered_s is not None]
    silence = [one.silence_s for one in found if one.silence_s is not None]
    ready = [one.ready_s for one in found if one.ready_s is not None]
    figures = [
        quantile(v, share) for v, share in ((trading, 0.5), (trading, 0.99), (after, 0.5), (after, 0.99))
    ]
    return [kind, len(found), *map(_seconds, [*figures, quantile(silence, 0.99), quantile(ready, 0.5)])]


def _row(one: Struck) -> list[object]:
    if one.skipped is not None:
        return [one.number, str(one), f"did not hit: {one.skipped}", "", "", ""]
    return [
        one.number,
        str(one),
        *map(_seconds, (one.trading_s, one.recovered_s, one.silence_s, one.ready_s)),
    ]


def _seconds(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.2f}"


def _table(header: Sequence[str], rows: Any) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return lines + [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]


def _plot(path: Path, kinds: Mapping[str, Sequence[Struck]], result: Result) -> None:
    """A point a fault; the bar is the median."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.55 * len(kinds)), dpi=110, layout="constrained")
    for row, found in enumerate(kinds.values()):
        values = [max(one.trading_s or 0.0, 0.001) for one in found]
        axes.scatter(values, [row] * len(values), alpha=0.6, color="tab:blue")
        axes.plot([quantile(values, 0.5)] * 2, [row - 0.3, row + 0.3], color="tab:red", linewidth=2)
        slowest = max(found, key=lambda one: one.trading_s or 0.0)
        axes.annotate(
            f"{slowest.fault.target} {slowest.role}",
            (max(values), row),
            (4, 6),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_yticks(range(len(kinds)), [f"{kind} ({len(found)})" for kind, found in kinds.items()])
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xlabel("seconds from the fault to the first order that was sent after it and acknowledged")
    axes.set_title(f"{result.figures.get('rate_achieved', '-')} requests/s, seed {result.options.seed}")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path)
    pyplot.close(figure)
