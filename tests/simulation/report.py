"""What a run of many seeds has shown, as Markdown and JSON."""

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.simulation.world import Result

__all__ = ["figures", "replay_command", "write_report"]


def replay_command(seed: int, mutation: str = "") -> str:
    """What runs exactly this seed again."""
    planted = f' --mutation "{mutation}"' if mutation else ""
    return f".venv/bin/python -m tests.simulation --seed {seed}{planted}"


def figures(results: Sequence[Result], elapsed_s: float) -> dict[str, Any]:
    """Sums over all seeds; the hash is of all trace hashes, in the order of the seeds."""
    ordered = sorted(results)
    return {
        "seeds": len(results),
        "failures": sum(result.failure is not None for result in results),
        "steps": sum(result.steps for result in results),
        "virtual_hours": round(sum(result.virtual_s for result in results) / 3600, 1),
        "commands": sum(result.commands for result in results),
        "events": sum(result.events for result in results),
        "trades": sum(result.trades for result in results),
        "acknowledged": sum(result.acknowledged for result in results),
        "acknowledged_least": min((result.acknowledged for result in results), default=0),
        "kills": sum(result.crashes for result in results),
        "pauses": sum(result.pauses for result in results),
        "leaders": sum(result.leaders for result in results),
        "elapsed_s": round(elapsed_s, 1),
        "first_seed": ordered[0].seed if ordered else None,
        "last_seed": ordered[-1].seed if ordered else None,
    }


def write_report(
    folder: Path, results: Sequence[Result], elapsed_s: float, caught: Mapping[str, tuple[int, str] | None]
) -> Path:
    """Write simulation-<date>.md and .json; returns the former. `caught`: mutation -> (seed, failure)."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    found = figures(results, elapsed_s)
    failures = {r.seed: r.failure for r in sorted(results) if r.failure is not None}
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "date": today,
        "python": platform.python_version(),
        "figures": found,
        "failures": failures,
        "mutations": {name: None if hit is None else list(hit) for name, hit in caught.items()},
    }
    (folder / f"simulation-{today}.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    lines = [f"# Simulation of {today}", "", "| figure | value |", "|---|---|"]
    lines += [f"| {name} | {value:,} |" for name, value in found.items() if value is not None]
    lines += ["", "## Failures", ""]
    lines += [f"- `{replay_command(seed)}`: {failure}" for seed, failure in failures.items()] or ["None."]
    if caught:
        lines += ["", "## Planted bugs", "", "| bug | caught by seed | as |", "|---|---|---|"]
        for name, hit in caught.items():
            seed, failure = ("**not caught**", "") if hit is None else hit
            lines.append(f"| {name} | {seed} | {str(failure)[:90].replace('|', '/')} |")
    path = folder / f"simulation-{today}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
