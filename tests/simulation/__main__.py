"""`python -m tests.simulation --seeds N`: run seeds on all cores; `--seed S`: one, with its trace."""

import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from tests.simulation.campaign import catch_all, console, run_all
from tests.simulation.planted.mutations import MUTATIONS
from tests.simulation.report import figures, replay_command, write_report
from tests.simulation.world import Result, run_seed

FAILURES_SHOWN = 3


def show_failure(result: Result, mutation: str = "") -> None:
    """A failed seed in words: its last steps, the promise, how to see it again."""
    console.print("\n".join(result.trace), markup=False, highlight=False)
    console.print(f"\n[bold red]seed {result.seed} fails:[/] ", end="")
    console.print(result.failure or "", markup=False)
    console.print(f"replay: {replay_command(result.seed, mutation)}", markup=False)


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds to run.")] = 100,
    first: Annotated[int, typer.Option(help="The first of them.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Run this one alone and show its last steps.")] = None,
    mutation: Annotated[str, typer.Option(help="Plant this bug (with --seed).")] = "",
    mutations: Annotated[bool, typer.Option(help="Also see that every planted bug is caught.")] = False,
    jobs: Annotated[int, typer.Option(help="Processes at once.")] = os.cpu_count() or 1,
    reports: Annotated[Path | None, typer.Option(help="Folder for the report; none without.")] = None,
) -> None:
    """Run the whole exchange in virtual time under seeded faults; exit 1 when a promise is broken."""
    if seed is not None:
        with MUTATIONS[mutation]() if mutation else nullcontext():
            result = run_seed(seed)
        if result.failure is not None:
            show_failure(result, mutation)
            raise typer.Exit(1)
        print(result._replace(trace=[]))
        return
    started_s = time.monotonic()
    results = run_all(first, seeds, jobs)
    elapsed_s = time.monotonic() - started_s
    caught = catch_all(jobs) if mutations else {}
    failures = [result for result in results if result.failure is not None]
    for result in failures[:FAILURES_SHOWN]:
        show_failure(result)
    for result in failures[FAILURES_SHOWN:]:
        console.print(f"{replay_command(result.seed)}: {result.failure}", markup=False)
    for name, value in figures(results, elapsed_s).items():
        print(f"{name:15} {value}")
    missed = [name for name, hit in caught.items() if hit is None]
    if caught:
        print(f"planted bugs    {len(caught) - len(missed)} of {len(caught)} caught")
    for name in missed:
        console.print(f"not caught: {name}", markup=False)
    if reports is not None:
        print(f"report          {write_report(reports, results, elapsed_s, caught)}")
    raise typer.Exit(1 if failures or missed else 0)


if __name__ == "__main__":
    typer.run(main)
