"""The report of an aged exchange: Markdown to read, JSON to compare, a picture of the requests' times."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from loadtest.aged.asking import Answered, Request
from loadtest.aged.filling import Filled
from loadtest.aged.plans import Plan
from loadtest.aged.shape import WHOLE_TRADES, YEARS, Scale

__all__ = ["Asked", "Served", "write_report"]


class Served(NamedTuple):
    """A service: from its start to /readyz, and the memory that is its own, once ready and after all
    requests.
    """

    start_s: float
    ready_bytes: int
    asked_bytes: int


class Asked(NamedTuple):
    """A request, its times, and the plans of what it asked the database."""

    request: Request
    answered: Answered
    plans: Sequence[Plan]


def write_report(
    folder: Path,
    name: str,
    scale: Scale,
    machine: str,
    filled: Filled,
    served: Mapping[str, Served],
    asked: Sequence[Asked],
) -> Path:
    """Write <name>.md, .json and .svg; returns the first one's path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"# An exchange of {YEARS} years, {name.removeprefix('aged-')}",
        "",
        *_setting(scale, machine, filled),
    ]
    lines += ["", "## Tables", "", *_tables(filled), "", "## Services", "", *_services(served)]
    lines += ["", "## Requests", "", f"![times of the requests]({name}.svg)", "", *_requests(asked)]
    lines += ["", "## How the tables were read", "", *_plans(asked)]
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    whole = _whole(scale, machine, filled, served, asked)
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    _plot(folder / f"{name}.svg", asked)
    return path


def _setting(scale: Scale, machine: str, filled: Filled) -> list[str]:
    dense_days = scale.dense_ms / 86_400_000
    return [
        f"- what is meant: {YEARS} years and {WHOLE_TRADES:,} trades; what was made: {scale.trades:,} "
        f"trades, {scale.share:.1%} of it",
        f"- the newest {dense_days:.1f} days are as dense as there; the years before are thinned",
        f"- {scale.users:,} accounts; the requests are those of the busiest, in about a fifth of all trades",
        f"- machine: {machine}",
        f"- filled in {filled.took_s:.0f} s; PostgreSQL's own cache is its default of 128 MB, the files were "
        "in the system's cache as far as its memory reached",
        "- not shown: placing and cancelling (no table is in their way), the engine, the auditor, and many "
        "requests at once",
    ]


def _tables(filled: Filled) -> list[str]:
    lines = ["| table | rows | with indexes |", "|---|---:|---:|"]
    lines += [
        f"| {table} | {rows:,} | {filled.bytes[table] / 2**20:,.0f} MiB |"
        for table, rows in filled.rows.items()
    ]
    lines += ["", "| index, made concurrently | seconds |", "|---|---:|"]
    return lines + [f"| {name} | {took_s:.1f} |" for name, took_s in filled.indexes_s.items()]


def _services(served: Mapping[str, Served]) -> list[str]:
    lines = ["| service | start to ready | memory when ready | after all requests |", "|---|---:|---:|---:|"]
    for name, service in served.items():
        ready, then = service.ready_bytes / 2**20, service.asked_bytes / 2**20
        lines.append(f"| {name} | {service.start_s:.1f} s | {ready:.0f} MiB | {then:.0f} MiB |")
    return lines


def _requests(asked: Sequence[Asked]) -> list[str]:
    lines = [
        "Times in ms, one client, one request after the other. Rows and pages (8 KiB): what PostgreSQL read "
        "for one.",
        "",
        "| request | first | median | worst | answer | rows | pages |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for request, answered, plans in asked:
        rows, pages = sum(plan.rows for plan in plans), sum(plan.pages for plan in plans)
        lines.append(
            f"| {request.name} | {answered.first_ms:.1f} | {answered.median_ms:.1f} "
            f"| {answered.worst_ms:.1f} | {answered.bytes / 1024:.0f} KiB | {rows:,} | {pages:,} |"
        )
    return lines


def _plans(asked: Sequence[Asked]) -> list[str]:
    lines = []
    for request, _, plans in asked:
        if plans:
            reads = "; ".join(f"{', '.join(plan.reads)} ({plan.took_ms:.1f} ms)" for plan in plans)
            lines.append(f"- **{request.name}**: {reads}")
    return lines


def _whole(
    scale: Scale, machine: str, filled: Filled, served: Mapping[str, Served], asked: Sequence[Asked]
) -> dict[str, Any]:
    return {
        "scale": {**scale._asdict(), "users": scale.users, "of_the_whole": scale.share},
        "machine": machine,
        "filled": filled._asdict(),
        "services": {name: service._asdict() for name, service in served.items()},
        "requests": [
            {
                "name": request.name,
                **answered._asdict(),
                "plans": [plan._asdict() for plan in plans],
            }
            for request, answered, plans in asked
        ],
    }


def _plot(path: Path, asked: Sequence[Asked]) -> None:
    # Half a second of a processor, which every process that reads the tests would pay.
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("svg")

    names = [entry.request.name for entry in asked][::-1]
    medians = [entry.answered.median_ms for entry in asked][::-1]
    worst = [entry.answered.worst_ms for entry in asked][::-1]
    figure, axis = pyplot.subplots(figsize=(9, 1 + 0.3 * len(names)), layout="constrained")
    axis.barh(names, medians, color="#4c78a8", label="median")
    axis.plot(worst, names, "o", color="#e45756", label="worst of twenty")
    axis.set_xscale("log")
    axis.set_xlabel("ms")
    axis.legend(loc="lower right")
    figure.savefig(path)
    pyplot.close(figure)
