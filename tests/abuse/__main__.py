"""`make abuse`: each known abuse against a stack, beside a normal trader. Exits 1 when a promise breaks."""

import asyncio
import contextlib
import sys
import time
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from local.exchange_process import ROOT, ExchangeProcess
from local.servers import ServerError
from tests.abuse.abuses import ABUSES
from tests.abuse.crowd import Account
from tests.abuse.report import Result, percentile, write_report
from tests.abuse.trader import NormalTrader, Phase
from tests.abuse.verdict import judge
from tests.e2e.trader import Trader

ABUSER_GRACE_S = 120.0
# After an abuse, until its last requests are answered.
PAUSE_S = 3.0
# Sellers, for orders that walk the book.
ASKS = 90
console = Console()


class AbuserError(Exception):
    """An abuser's process has failed."""


def main(
    seconds: Annotated[float, typer.Option(min=5, help="Of each abuse, and of the quiet before")] = 30,
    only: Annotated[list[str] | None, typer.Option(help=f"Of: {', '.join(ABUSES)}")] = None,
    reports: Annotated[Path, typer.Option(help="Where the report goes")] = ROOT / "docs" / "reports",
) -> None:
    """Abuse a stack of its own and judge what came of it."""
    name = f"abuse-{time.strftime('%Y-%m-%d')}"
    try:
        with console.status("starting a stack ..."):
            stack = ExchangeProcess("stack", settings={"REQUEST_LIMITS": "1", "RATE_LIMITS": "1"})
            stack.__enter__()
        try:
            quiet, results = asyncio.run(campaign(stack.url, seconds, only or list(ABUSES)))
        finally:
            stack.__exit__()
    except ServerError as error:
        console.print(f"[red]abuse failed:[/] {error}", highlight=False)
        raise typer.Exit(2) from None
    problems = [f"quiet: {count} x {answer}" for answer, count in quiet.failures.items()]
    for result in results:
        problems += [f"{result.name}: {broken}" for broken in result.broken]
        failed = result.phase.failures.items()
        problems += [f"{result.name}: the trader was answered {count} x {answer}" for answer, count in failed]
        if not result.phase.orders_ms:
            problems.append(f"{result.name}: the trader placed no order")
    path = write_report(reports, name, f"make abuse SECONDS={seconds:g}", quiet, results, problems)
    console.print(f"report: {path}", highlight=False)
    console.print("[red]broken:[/] " + "; ".join(problems) if problems else "[green]every promise held[/]")
    raise typer.Exit(1 if problems else 0)


async def campaign(url: str, seconds: float, names: list[str]) -> tuple[Phase, list[Result]]:
    """The quiet, then one abuse after the other."""
    accounts = await asyncio.to_thread(_accounts, url, names)
    normal = NormalTrader(url, accounts["normal"])
    trading = asyncio.create_task(normal.run())
    results: list[Result] = []
    try:
        await asyncio.sleep(PAUSE_S)
        normal.phase()  # the first orders warm up what they use
        with console.status("quiet ..."):
            await asyncio.sleep(seconds)
        quiet = normal.phase()
        console.print(_line("quiet", quiet), highlight=False)
        for number, name in enumerate(names, 1):
            with console.status(f"{number} of {len(names)}: {name} ..."):
                result = await _judged(url, name, seconds, accounts[name], normal)
            results.append(result)
            console.print(f"{number} of {len(names)}: {_line(name, result.phase)}", highlight=False)
            for broken in result.broken:
                console.print(f"  [red]{broken}[/]", highlight=False)
            await asyncio.sleep(PAUSE_S)
            normal.phase()
    finally:
        trading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await trading
    return quiet, results


async def _judged(url: str, name: str, seconds: float, account: Account, normal: NormalTrader) -> Result:
    """One abuse and what came of it; one that does not work is a broken promise too."""
    try:
        answers, facts, took_s = await _abuse(url, name, seconds, account)
    except (AbuserError, TimeoutError) as error:
        return Result(name, normal.phase(), {}, {}, [f"the abuse did not work: {error}"])
    return Result(name, normal.phase(), answers, facts, judge(name, answers, facts, took_s))


def _line(name: str, phase: Phase) -> str:
    times = phase.orders_ms
    failed = f", FAILED {phase.failures}" if phase.failures else ""
    return (
        f"{name}: {len(times)} orders, p50 {percentile(times, 50):.1f} ms, "
        f"p99 {percentile(times, 99):.1f} ms{failed}"
    )


async def _abuse(
    url: str, name: str, seconds: float, account: Account
) -> tuple[dict[str, int], dict[str, float], float]:
    """Run one abuse as a process; what it was answered, what it found, and how long it took in seconds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.abuse.abuser", name, url, str(seconds),
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds + ABUSER_GRACE_S):
            output, _ = await process.communicate(orjson.dumps(list(account)))
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise AbuserError(f"its process ended with code {process.returncode}")
    told = orjson.loads(output)
    return told["answers"], told["facts"], told["took_s"]


def _accounts(url: str, names: list[str]) -> dict[str, Account]:
    """An account for each who needs one, and a book to walk."""
    accounts: dict[str, Account] = {}
    with console.status("opening accounts ..."):
        for name in ("normal", "seller", *names):
            money = {} if name == "MARKET orders without money" else {"USDT": "100000", "BTC": "10"}
            trader = Trader.sign_up(url, deposits=money)
            accounts[name] = Account(trader.credentials.api_key, trader.credentials.secret_key)
            if name == "seller":
                for number in range(ASKS):
                    trader.ask(
                        "POST", "/api/v3/order", symbol="BTCUSDT", side="SELL", type="LIMIT",
                        timeInForce="GTC", quantity="0.001", price=f"{65_000 + number}.00",
                    )  # fmt: skip
            trader.close()
    return accounts


if __name__ == "__main__":
    typer.run(main)
