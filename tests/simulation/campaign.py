"""Many seeds at once: over processes, with a bar, and with planted bugs."""

import multiprocessing
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.planted.mutations import MUTATIONS
from tests.simulation.world import Result, run_seed

__all__ = ["catch_all", "console", "first_catch", "run_all"]

console = Console(stderr=True, soft_wrap=True)
CHUNK = 4
MUTATION_SEEDS = 100
LINE_EVERY_S = 30.0  # where no bar can be drawn


def run_seeds(seeds: Sequence[int]) -> list[Result]:
    """Run some seeds in this process."""
    return [run_seed(seed) for seed in seeds]


def first_catch(mutation: str, seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first of the seeds that notices a planted bug, and what it says."""
    with MUTATIONS[mutation]():
        for seed in seeds:
            failure = run_seed(seed).failure
            if failure is not None:
                return seed, failure
    return None


def run_all(first: int, count: int, jobs: int) -> list[Result]:
    """Run `count` seeds from `first` on over `jobs` processes, with a bar."""
    chunks = [range(start, min(start + CHUNK, first + count)) for start in range(first, first + count, CHUNK)]
    results: list[Result] = []
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Spawned, not forked: a worker starts with nothing but its seeds.
    context = multiprocessing.get_context("spawn")
    with (
        Progress(*columns, TextColumn("{task.description}"), console=console) as progress,
        ProcessPoolExecutor(jobs, mp_context=context) as pool,
    ):
        bar, said_s = progress.add_task("", total=count), time.monotonic()
        for done in as_completed([pool.submit(run_seeds, chunk) for chunk in chunks]):
            results += done.result()
            failed = sum(result.failure is not None for result in results)
            shown = f"[red]{failed} failed" if failed else ""
            progress.update(bar, completed=len(results), description=shown)
            if not console.is_terminal and time.monotonic() - said_s > LINE_EVERY_S:
                said_s = time.monotonic()
                console.print(f"simulated {len(results):,} of {count:,} seeds {shown}")
    return sorted(results)


def catch_all(jobs: int) -> dict[str, tuple[int, str] | None]:
    """Plant every bug of the list, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        running = {name: pool.submit(first_catch, name, range(MUTATION_SEEDS)) for name in MUTATIONS}
        return {name: future.result() for name, future in running.items()}
