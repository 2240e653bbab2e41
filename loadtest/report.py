"""The verdict on a load test, and its summary as JSON and Markdown."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest.crowd.beside import watched_line

__all__ = ["Verdict", "judge", "write_reports"]

P99_MS_LIMIT = 100.0
RATE_SHARE_MIN = 0.98
COLUMNS = ("requests", "failures", "rps", "mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms")


@dataclass(frozen=True)
class Verdict:
    """Passed when there are no problems."""

    passed: bool
    problems: tuple[str, ...]


def judge(measured: Mapping[str, Any], asked_rps: int) -> Verdict:
    """Hold the figures of one run against the promises."""
    total = measured["total"]
    problems: list[str] = []
    if total["requests"] == 0:
        problems.append("no request was made")
    elif total["p99_ms"] >= P99_MS_LIMIT:
        problems.append(f"p99 {total['p99_ms']:g} ms, must be below {P99_MS_LIMIT:g} ms")
    if total["failures"]:
        problems.append(f"{total['failures']} requests failed")
    if total["rps"] < RATE_SHARE_MIN * asked_rps:
        problems.append(f"{total['rps']:.1f} requests a second of {asked_rps}")
    return Verdict(not problems, tuple(problems))


def write_reports(
    folder: Path, name: str, setting: Mapping[str, Any], measured: Mapping[str, Any], verdict: Verdict
) -> Path:
    """Write <name>.json and <name>.md; returns the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"setting": dict(setting), "verdict": asdict(verdict), "measured": dict(measured)}
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    lines = [f"# Load test {name}", ""]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in setting.items()]
    lines += [f"- verdict: {'passed' if verdict.passed else 'failed: ' + '; '.join(verdict.problems)}", ""]
    lines += ["| request | " + " | ".join(column.replace("_", " ") for column in COLUMNS) + " |"]
    lines += ["|---" * (len(COLUMNS) + 1) + "|"]
    for request, figures in sorted(measured["requests"].items()):
        lines.append(_row(request, figures))
    lines.append(_row("**all**", measured["total"]))
    for error in measured["errors"]:
        lines += ["", f"{error['count']} x {error['request']}: `{error['error']}`"]
    lines += ["", *(f"- {line}" for line in measured.get("pauses", []))]
    watched = measured.get("watchers", {})
    if watched.get("sockets"):
        lines += ["", watched_line(watched)]
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _row(name: str, figures: Mapping[str, Any]) -> str:
    cells = [_cell(figures.get(column, "")) for column in COLUMNS]
    return f"| {name} | " + " | ".join(cells) + " |"


def _cell(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
