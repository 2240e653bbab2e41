"""`make fuzz SECONDS=60`: every target for that long, or those that are named."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.fuzz.campaign import ROOT, Finding, fuzz
from tests.fuzz.targets import TARGETS

console = Console()


def main(
    targets: Annotated[list[str] | None, typer.Argument(help="Which; all unless named")] = None,
    seconds: Annotated[int, typer.Option(min=1, help="For each target")] = 60,
    folder: Annotated[Path, typer.Option(help="Inputs of interest, and those that break")] = ROOT
    / "build"
    / "fuzz",
) -> None:
    """Fuzz, and end with 1 when something was found."""
    broken = 0
    for target in targets or TARGETS:
        if target not in TARGETS:
            raise typer.BadParameter(f"{target} is none of {', '.join(TARGETS)}")
        try:
            run = fuzz(target, seconds, folder)
        except Finding as finding:
            broken += 1
            console.print(f"[red]{finding}[/]", highlight=False)
        else:
            console.print(
                f"{run.target:<20} {run.inputs:>10,} inputs, {run.edges:>6,} edges", highlight=False
            )
    raise typer.Exit(1 if broken else 0)


if __name__ == "__main__":
    typer.run(main)
