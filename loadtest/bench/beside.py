"""This checkout's engine beside an older one's, in turns: `python -m loadtest.bench.beside CHECKOUT`.

CHECKOUT: a folder with another commit, `git worktree add --detach CHECKOUT COMMIT`. Each turn is a process
that runs `either_commit.py` on one of both; of a figure the smallest of its turns counts, for a neighbour
only ever adds.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

__all__ = ["compared"]

_HERE: Final = Path(__file__).resolve().parents[2]
_PROBE: Final = Path(__file__).with_name("either_commit.py")
_TURN_DEADLINE_S: Final = 1_800.0
# Figures that say what was done, not what it cost.
_FACTS: Final = ("live", "trades")


def main() -> None:
    """Measure both and print one table."""
    parser = argparse.ArgumentParser(prog="loadtest.bench.beside", description=__doc__)
    parser.add_argument("checkout", type=Path, help="a folder with the other commit")
    parser.add_argument("--commands", type=int, default=300_000)
    parser.add_argument("--live", type=int, default=100_000, help="orders in the wide book")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--build", choices=("interpreted", "compiled"), default="compiled")
    parser.add_argument("--json", type=Path, help="keep all figures in this file")
    options = parser.parse_args()
    found = compared(
        options.checkout, options.commands, options.live, turns=options.turns, build=options.build
    )
    table = Table(
        title=f"{options.build}: {options.checkout.name} and this checkout, smallest of {options.turns}"
    )
    for heading in ("figure", "there", "here", "there / here"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for name, there in found["there"].items():
        here = found["here"][name]
        table.add_row(name, f"{there:,.2f}", f"{here:,.2f}", f"{there / here:.2f}" if here else "")
    Console().print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def compared(checkout: Path, commands: int, live: int, *, turns: int, build: str) -> dict[str, Any]:
    """Each figure there and here, the smallest of its turns; all turns beside them.

    Raises CalledProcessError, and AssertionError when both did not do the same.
    """
    arguments = ["--commands", str(commands), "--live", str(live), "--build", build]
    folders = {"there": checkout.resolve(), "here": _HERE}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in folders}
    for turn in range(turns):
        for name in sorted(folders, reverse=bool(turn % 2)):
            runs[name].append(_turn(folders[name], arguments))
    smallest = {
        name: {figure: min(run[figure] for run in found) for figure in found[0]}
        for name, found in runs.items()
    }
    for fact in _FACTS:
        assert smallest["there"][fact] == smallest["here"][fact], f"both did the same: {fact}"
    return {"build": build, "commands": commands, **smallest, "turns": runs}


def _turn(folder: Path, arguments: list[str]) -> dict[str, float]:
    # The folder of the probe itself is no part of the path: there is another checkout's package in it.
    command = [sys.executable, "-P", str(_PROBE), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, timeout=_TURN_DEADLINE_S, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
