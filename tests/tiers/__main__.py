"""`python -m tests.tiers lint|check|test|verify`: what the make targets of these names call."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from tests.tiers.campaigns import CAMPAIGNS, run_campaigns
from tests.tiers.groups import GroupTime
from tests.tiers.pytests import Choice, PytestRun, run_pytest
from tests.tiers.statics import Done, run_statics

CHECK = Choice(
    "not thorough and not slow",
    ("tests/unit", "tests/property", "tests/simulation", "tests/soak"),
    needs_servers=False,
)
TEST = Choice("not thorough")
THOROUGH = Choice("thorough")

app = typer.Typer(add_completion=False, no_args_is_help=True)
Arguments = Annotated[str, typer.Option("--pytest", help='More arguments for pytest, e.g. "-k ledger -x"')]
Processes = Annotated[int, typer.Option(min=1, help="Test processes at once")]
_CORES = max(2, os.cpu_count() or 2)
# Five for two cores: tests wait for servers a half of their time.
PROCESSES = 5 * _CORES // 2
# Three for two cores: hardly anything waits there, and each process spends five seconds on reading all tests.
PROCESSES_WITHOUT_SERVERS = 3 * _CORES // 2


@app.command()
def lint() -> None:
    """What reads the code and runs none of it."""
    end(run_statics(), [])


@app.command()
def check(arguments: Arguments = "", processes: Processes = PROCESSES_WITHOUT_SERVERS) -> None:
    """What needs no server: lint, types, import rules, unit and property tests, a few simulated seeds."""
    end(
        *statics_beside(lambda: run_pytest("tests without servers", CHECK, shlex.split(arguments), processes))
    )


@app.command("test")
def all_tests(arguments: Arguments = "", processes: Processes = PROCESSES) -> None:
    """All that a change could break, real servers included."""
    end(*statics_beside(lambda: run_pytest("tests", TEST, shlex.split(arguments), processes)))


@app.command()
def verify(
    arguments: Arguments = "",
    only: Annotated[list[str] | None, typer.Option(help=f"Of: {', '.join(CAMPAIGNS)}, tests")] = None,
) -> None:
    """The thorough tests, one process at a time, then every long campaign."""
    chosen = only or []
    parts: list[Done] = []
    groups: list[GroupTime] = []
    if not chosen or "tests" in chosen:
        run = run_pytest("thorough tests", THOROUGH, shlex.split(arguments), 1)
        parts.append(run.done)
        groups = run.groups
    parts += run_campaigns([name for name in chosen if name != "tests"]) if chosen != ["tests"] else []
    end(parts, groups)


def statics_beside(run: Callable[[], PytestRun]) -> tuple[list[Done], list[GroupTime]]:
    """The static checks keep one core busy for a quarter of a minute, while the first tests run."""
    with ThreadPoolExecutor(1) as pool:
        statics = pool.submit(run_statics)
        tests = run()
        return [*statics.result(), tests.done], tests.groups


def end(parts: Sequence[Done], groups: Sequence[GroupTime]) -> None:
    """Say what failed and what took how long, and exit 1 if a part failed."""
    for part in parts:
        if part.code and part.output:
            print(f"\n=== {part.name} failed:\n{part.output}")
    if groups:
        print("\n| group | tests | seconds |\n|---|---:|---:|")
        for group in groups:
            print(f"| {group.group} | {group.tests} | {group.took_s:.1f} |")
    print("\n| part | result | seconds |\n|---|---|---:|")
    for part in parts:
        print(f"| {part.name} | {'FAILED' if part.code else 'ok'} | {part.took_s:.0f} |")
    sys.exit(1 if any(part.code for part in parts) else 0)


if __name__ == "__main__":
    app()
