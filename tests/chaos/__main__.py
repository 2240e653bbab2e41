"""`python -m tests.chaos`: what `make chaos` calls. Exit code 0 only if no promise was broken."""

import asyncio
import contextlib
import math
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import asyncpg
import httpx
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from exchange.ports.world import LogError
from local.servers import ServerError, kafka_jars
from tests.chaos import isolation
from tests.chaos.campaign import SNAPSHOT_EVERY_COMMANDS, Campaign, Options, Result, running_stack
from tests.chaos.cold_start import measure_cold_start
from tests.chaos.faults import StackUnderTest
from tests.chaos.report import read_rounds, write_cold_start, write_report

ROOT = Path(__file__).resolve().parents[2]
ISOLATED_KINDS = ("cut", "disk full")
# What a round writes fits on its small disks, and its replay takes less than a minute.
FAULTS_PER_ROUND = 50
console = Console(soft_wrap=True)


def main(
    kills: Annotated[int, typer.Option(min=1, help="Faults, one after the other")] = 50,
    rate: Annotated[float, typer.Option(min=1, help="Orders a second, open loop; cancels besides")] = 300,
    seed: Annotated[int, typer.Option(help="Of the faults and of the orders")] = 20_261_121,
    reports: Annotated[Path, typer.Option(help="Where the report goes")] = ROOT / "docs" / "reports",
    api_audit: Annotated[bool, typer.Option(help="After round 1, ask for everything as a client")] = True,
    resume: Annotated[
        Path | None, typer.Option(help="The .json of a report: go on behind its rounds, and replace it")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0, help="Begin no fault after so long; 0: no limit")] = 0,
    only: Annotated[str, typer.Option(help='Faults that begin so, e.g. "restart kafka"')] = "",
    logs: Annotated[Path | None, typer.Option(help="Keep the stack's logs in this folder")] = None,
    cold_start_commands: Annotated[
        int, typer.Option(min=0, help="Instead: start over a tail of so many commands")
    ] = 0,
) -> None:
    """Hurt a stack of its own under load, and hold it to what it has acknowledged."""
    # Whatever ends this process must leave by way of the `finally`s.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    reason = isolation.problem() if not isolation.is_isolated() else None
    if not isolation.is_isolated():
        # The network that we may go to has no way out: fetch now what the stack may need.
        asyncio.run(kafka_jars.ensure(on_progress=console.print))
        if reason is None:
            isolation.enter(["-m", "tests.chaos", *sys.argv[1:]])
    isolated = isolation.is_isolated()
    if isolated:
        isolation.prepare_network()
    skipped = dict.fromkeys(ISOLATED_KINDS, reason) if reason else {}
    console.print(f"seed {seed}; cut wires and full disks: {reason or 'yes'}", highlight=False)
    stamp = time.strftime("%Y-%m-%d")
    try:
        if cold_start_commands:
            with console.status(f"cold start with {cold_start_commands} commands ...") as status:
                figures = uvloop.run(measure_cold_start(cold_start_commands, seed, status.update))
            path = write_cold_start(reports, f"cold-start-{stamp}", figures)
            console.print(f"{figures}\n{path}", highlight=False)
            raise typer.Exit(0)
        rounds = read_rounds(resume) if resume is not None else []
        name = resume.stem if resume is not None else f"chaos-{stamp}"
        give_up = time.monotonic() + minutes * 60 if minutes else math.inf
        while (done := sum(len(one.struck) for one in rounds)) < kills and time.monotonic() < give_up:
            audited = api_audit and not rounds
            count = min(FAULTS_PER_ROUND, kills - done)
            options = Options(count, rate, seed + len(rounds), isolated, audited, only)
            rounds.append(run_round(options, give_up, logs))
            path = write_report(reports if resume is None else resume.parent, name, kills, rounds, skipped)
            if not rounds[-1].passed:
                break
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("interrupted; the stack is gone; --resume goes on behind the last round that ended")
        raise typer.Exit(130) from None
    except ServerError as error:
        console.print(f"[red]chaos could not run:[/] {error}", highlight=False)
        raise typer.Exit(2) from None
    if not rounds:
        raise typer.Exit(2)
    last = rounds[-1]
    colour, said = ("green", "passed") if last.passed else ("red", "FAILED")
    console.print(f"{path}\n[{colour}]{said}[/] {last.counts} {last.stuck or ''}", highlight=False)
    raise typer.Exit(0 if last.passed else 1)


def run_round(options: Options, give_up: float, logs: Path | None) -> Result:
    """One stack, its faults, and the checks. `give_up`: begin no fault after this moment."""
    with contextlib.ExitStack() as exits:
        with console.status(f"seed {options.seed}: starting a stack ..."):
            stack = exits.enter_context(
                running_stack(isolated=options.isolated, snapshot_every_commands=SNAPSHOT_EVERY_COMMANDS)
            )
        if logs is not None:
            exits.callback(keep_logs, stack, logs / str(options.seed))
        campaign = Campaign(stack, options)
        uvloop.run(run_campaign(campaign, stack, give_up))
    return campaign.result


def keep_logs(stack: StackUnderTest, folder: Path) -> None:
    """Copy the console and the log of every process."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in [stack.process.data_dir / "console.log", *stack.state("logs").glob("*.log*")]:
        shutil.copy(path, folder / path.name)


async def run_campaign(campaign: Campaign, stack: StackUnderTest, give_up: float) -> None:
    """All faults for which there is time, then the checks. What stops it is in the result."""
    columns = (
        TextColumn("{task.description:<44}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    task = asyncio.current_task()
    assert task is not None
    # uvloop drops an exception that is raised by a signal's handler while one of its callbacks runs.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        faults = await campaign.prepare()
        await campaign.warm_up()
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("faults", total=len(faults))
            for number, fault in enumerate(faults, 1):
                if time.monotonic() > give_up:
                    break
                progress.update(bar, description=str(fault))
                await campaign.strike(number, fault)
                progress.advance(bar)
                tell(campaign, progress)
            progress.update(bar, description="the last check")
            await campaign.finish()
    except (
        ServerError,
        LogError,
        OSError,
        httpx.HTTPError,
        asyncpg.PostgresError,
        TimeoutError,
        ValueError,
    ) as error:
        campaign.stop_with(error)
        console.print(stack.process.log_tail(), highlight=False, markup=False)
    finally:
        await campaign.close()


def tell(campaign: Campaign, progress: Progress) -> None:
    """One line a fault."""
    one = campaign.result.struck[-1]
    assert campaign.witness is not None
    counts = campaign.witness.findings.counts
    found = f"  {dict(counts)}" if any(counts.values()) else ""
    if one.skipped is not None:
        said = f"did not hit: {one.skipped}"
    else:
        said = f"trades after {one.trading_s:.2f} s, silence {one.silence_s:.2f} s, ready {one.ready_s:.1f} s"
    progress.console.print(f"{one.number:>3} {one}: {said}{found}", highlight=False, markup=False)


if __name__ == "__main__":
    typer.run(main)
