"""The campaign's report: JSON for machines, Markdown and a plot for people."""

import json
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos.campaign import Result, Struck, kinds_of

__all__ = ["quantile", "read_rounds", "write_cold_start", "write_report"]

Kinds = Mapping[str, Sequence[Struck]]
Skipped = Mapping[str, str]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def write_report(folder: Path, name: str, wanted: int, rounds: Sequence[Result], skipped: Skipped) -> Path:
    """Write <name>.json, .md and .png over all rounds of a campaign; returns the Markdown file.

    `wanted`: how many faults there shall be in the end. `skipped`: kinds that cannot run here, and why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "name": name,
        "machine": _machine(),
        "passed": all(one.passed for one in rounds),
        "wanted": wanted,
        "cannot_run_here": dict(skipped),
        "rounds": [asdict(one) for one in rounds],
    }
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    kinds = kinds_of([struck for one in rounds for struck in one.struck])
    if kinds:
        _plot(folder / f"{name}.png", kinds, _rate(rounds))
    path = folder / f"{name}.md"
    path.write_text(_markdown(name, wanted, rounds, skipped, kinds))
    return path


def read_rounds(path: Path) -> list[Result]:
    """The rounds of a report's JSON file, for a campaign that goes on. Raises ValueError."""
    return msgspec.convert(json.loads(path.read_text())["rounds"], list[Result])


def write_cold_start(folder: Path, name: str, figures: Mapping[str, Any]) -> Path:
    """Write <name>.json and .md of a cold start; returns the Markdown file."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"name": name, "machine": _machine(), **figures}
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    asked = f"TAIL={figures['commands']} SEED={figures['seed']}"
    lines = [
        f"# Cold start, {name.removeprefix('cold-start-')}",
        "",
        f"`make cold-start {asked}` on {_machine()}.",
        "No snapshot is taken: all commands are decided anew after `kill -9` of everything.",
        "First in the middle of the flood, when the event log ended at the seq below and nobody had",
        "followed it; then at rest, when everything had been published and settled.",
        "",
    ]
    lines += _table(("figure", "value"), [(key.replace("_", " "), value) for key, value in figures.items()])
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n")
    return path


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def _rate(rounds: Sequence[Result]) -> str:
    """Orders a second, over all rounds that came to their end."""
    ended = [one.figures for one in rounds if one.figures]
    seconds = sum(figures["load_s"] for figures in ended)
    return f"{sum(figures['orders_sent'] for figures in ended) / seconds:.1f}" if seconds else "-"


def _markdown(name: str, wanted: int, rounds: Sequence[Result], skipped: Skipped, kinds: Kinds) -> str:
    options = rounds[0].options
    hit = sum(len(found) for found in kinds.values())
    struck = sum(len(one.struck) for one in rounds)
    asked = f"KILLS={wanted} RATE={options.rate:g} SEED={options.seed}"
    verdict = "passed" if all(one.passed for one in rounds) else "FAILED"
    so_far = f", {struck} of {wanted} faults so far" if struck < wanted else ""
    lines = [f"# Chaos, {name.removeprefix('chaos-')}: {verdict}{so_far}", ""]
    lines += [f"`make chaos {asked}` on {_machine()}, stack and load on the same cores. {hit} faults hit,"]
    lines += [f"{struck - hit} did not. {_rate(rounds)} orders a second were sent, and cancels besides.", ""]
    for one in rounds:
        if one.stuck is not None:
            lines += [f"The round with seed {one.options.seed} ended early:", "", "```", one.stuck, "```", ""]

    def broken(promise: str) -> int | str:
        known = all(one.counts for one in rounds)
        return sum(one.counts[promise] for one in rounds) if known else "not checked everywhere"

    lines += _table(
        ("promise", "broken"),
        [
            ("acknowledged orders, fills or cancels lost", broken("lost")),
            ("double effects", broken("doubled")),
            ("invariants broken (money, ledger, book, log)", broken("broken")),
        ],
    )
    examples = [example for one in rounds for example in one.examples]
    if examples:
        lines += ["", *(f"- {example}" for example in examples)]
    lines += ["", "## Until it trades again", ""]
    lines += ["Seconds from the fault to the first acknowledgement of a request that was sent after it, and"]
    lines += ["from the end of a fault that lasts; the longest silence; until all of `/readyz` is well.", ""]
    header = ("fault", "count", "trading p50", "p99", "after its end p50", "p99", "silence p99", "ready p50")
    single = [one for found in kinds.values() for one in found]
    lines += _table(header, [_summary(kind, found) for kind, found in kinds.items()])
    lines += ["", "Of these:", ""]
    lines += _table(header, [_summary(n, f) for n, f in _singled_out(single).items() if f])
    lines += ["", f"![time until it trades again]({name}.png)", ""] if kinds else [""]
    lines += ["## Load", "", "Each round is a stack of its own.", ""]
    seeds = [f"seed {one.options.seed}" for one in rounds]
    lines += _table(("figure", *seeds), _figures(rounds))
    lines += ["", "## Every fault", ""]
    rows = [row for number, one in enumerate(rounds, 1) for row in _rows(number, one)]
    lines += _table(("#", "fault", "trading", "after its end", "silence", "ready"), rows)
    notes = [note for one in rounds for note in one.notes]
    if notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in notes)]
    if skipped:
        lines += ["", "## Not run here", "", *(f"- {kind}: {reason}" for kind, reason in skipped.items())]
    return "\n".join(lines) + "\n"


def _figures(rounds: Sequence[Result]) -> list[list[object]]:
    """A row a figure, a column a round."""
    names = dict.fromkeys(name for one in rounds for name in one.figures)
    return [[name.replace("_", " "), *(one.figures.get(name, "-") for one in rounds)] for name in names]


def _singled_out(struck: Sequence[Struck]) -> dict[str, list[Struck]]:
    """The faults about which something is promised by name."""

    def those(kind: str, target: str, role: str = "") -> list[Struck]:
        return [
            one
            for one in struck
            if one.fault.kind == kind and one.fault.target.startswith(target) and role in ("", one.role)
        ]

    return {
        "kill of the leader": those("kill", "engine", "leader"),
        "crash of the engine at a marked point": those("crash point", "engine."),
        "pause of the leader": those("pause", "engine", "leader"),
        "kill of the standby": those("kill", "engine", "standby"),
        "kill of Kafka": those("kill", "kafka"),
        "restart of Kafka": those("restart", "kafka"),
    }


def _summary(kind: str, found: Sequence[Struck]) -> list[object]:
    trading = [one.trading_s for one in found if one.trading_s is not None]
    after = [one.recovered_s for one in found if one.recovered_s is not None]
    silence = [one.silence_s for one in found if one.silence_s is not None]
    ready = [one.ready_s for one in found if one.ready_s is not None]
    figures = [
        quantile(v, share) for v, share in ((trading, 0.5), (trading, 0.99), (after, 0.5), (after, 0.99))
    ]
    return [kind, len(found), *map(_seconds, [*figures, quantile(silence, 0.99), quantile(ready, 0.5)])]


def _rows(round_number: int, result: Result) -> Iterator[list[object]]:
    for one in result.struck:
        number = f"{round_number}.{one.number}"
        if one.skipped is not None:
            yield [number, str(one), f"did not hit: {one.skipped}", "", "", ""]
        else:
            times = (one.trading_s, one.recovered_s, one.silence_s, one.ready_s)
            yield [number, str(one), *map(_seconds, times)]


def _seconds(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.2f}"


def _table(header: Sequence[str], rows: Any) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return lines + [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]


def _plot(path: Path, kinds: Kinds, rate: str) -> None:
    """A point a fault; the bar is the median."""
    # Half a second of a processor, which every process that reads the tests would pay.
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("Agg")

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
    axes.set_title(f"{rate} orders/s")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path)
    pyplot.close(figure)
