"""`python -m loadtest.replay`: records a day, replays it in an exchange of its own, says what came of it."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
import psutil
import typer

from loadtest.replay.market_files import many_markets
from loadtest.replay.recording import record_day
from local.replay.feeding import Summary
from local.servers import free_port

__all__ = ["measure"]

_POLL_S: Final = 2.0
# Beyond the time that the market takes: the start, and what the ledger has left to do.
_SLACK_S: Final = 1_500.0
# The three that there always are, of which ETHBTC has another price than all.
_LEFT_OUT: Final = "ETHBTC"


class Cost(NamedTuple):
    """Of the exchange's process and of its servers: processor seconds, and the most memory at once."""

    exchange_cpu_s: float
    servers_cpu_s: float
    memory_mb: float


def measure(
    folder: Path, markets: int, hours: float, per_minute: int, speed: float, seed: int
) -> tuple[Summary, Cost]:
    """Do it in `folder`. Raises RuntimeError with what the exchange said when it did not end well."""
    text = many_markets(markets + 1, max(3, min(markets, 100)))
    file, summary = folder / "markets.toml", folder / "summary.json"
    file.write_text(text, "utf-8")
    rows = tomllib.loads(text)["markets"]
    symbols = [name for row in rows if (name := f"{row['base']}{row['quote']}") != _LEFT_OUT][:markets]
    (folder / "day").mkdir()
    recorded = record_day(folder / "day", symbols, round(hours * 60), per_minute, seed)
    command = [
        *(sys.executable, "-m", "local", "replay", "--speed", str(speed), "--levels", "0", "--exit"),
        *("--summary", str(summary), "--markets", str(file), "--data-dir", str(folder / "data")),
        *("--port", str(free_port()), *map(str, recorded)),
    ]
    deadline_s = time.monotonic() + (hours * 3_600 / speed if speed else 0) + _SLACK_S
    cost = Cost(0, 0, 0)
    log = (folder / "said.txt").open("w+", encoding="utf-8")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        while process.poll() is None and time.monotonic() < deadline_s:
            cost = _cost(process.pid, cost)
            time.sleep(_POLL_S)
    finally:
        process.terminate()
        process.wait(120)
        log.close()
    if not summary.exists():
        raise RuntimeError((folder / "said.txt").read_text("utf-8")[-4_000:])
    return msgspec.json.decode(summary.read_bytes(), type=Summary), cost


def _memory_bytes(process: psutil.Process) -> int:
    """Its share of the memory. Each of PostgreSQL's processes shows the shared buffers as its own."""
    told = process.memory_full_info()
    return int(getattr(told, "pss", told.uss))  # Only Linux knows the share.


def _cost(pid: int, before: Cost) -> Cost:
    try:
        process = psutil.Process(pid)
        own, servers, memory = sum(process.cpu_times()[:2]), 0.0, _memory_bytes(process)
        for child in process.children(recursive=True):
            servers += sum(child.cpu_times()[:2])
            memory += _memory_bytes(child)
    except psutil.Error:
        return before
    return Cost(own, max(servers, before.servers_cpu_s), max(memory / 1e6, before.memory_mb))


def _report(found: Summary, cost: Cost, hours: float, speed: float, seed: int) -> str:
    p50, p99, most = (value / 1_000 for value in found.lag_ms)
    lost = found.prints - found.trades
    call = f"make replay-day DAY_MARKETS={found.markets} HOURS={hours:g} SPEED={speed:g} SEED={seed}"
    machine = f"{os.cpu_count()} cores ({platform.machine()})"
    rate, commands = found.prints / found.took_s, found.commands / found.took_s
    return f"""# {hours:g} hours of {found.markets} markets, to be replayed at {speed:g} times their speed

`{call}`, on {machine}, with a load of {os.getloadavg()[2]:.1f} over the last 15 minutes.

The exchange of `make run` (logs in files, PostgreSQL, Valkey), fed by `exchange replay` from made-up files
in the format of Binance's aggregate trades. Each print is two orders and one trade in the real book.

| what | |
|---|---:|
| recorded | {found.market_s / 3_600:.2f} h of {found.markets} markets, {found.prints:,} prints |
| replayed in | {found.took_s:,.0f} s: {found.market_s / found.took_s:.1f} times its speed |
| rate | {rate:,.0f} trades a second, {commands:,.0f} commands a second |
| orders sent after their time, p50 | {p50:.3f} s |
| p99 | {p99:.3f} s |
| most | {most:.3f} s |
| trades made | {found.trades:,} |
| prints that made none | {lost:,} |
| trades in the ledger at the end | {found.trades_ledger:,} |
| the ledger had caught up after | {found.caught_up_s:.1f} s more |
| prints whose size the market's rules changed | {found.adapted:,} |
| processor, exchange | {cost.exchange_cpu_s:,.0f} s, {cost.exchange_cpu_s / found.took_s:.2f} of a core |
| processor, PostgreSQL and Valkey | {cost.servers_cpu_s:,.0f} s |
| memory, at most | {cost.memory_mb:,.0f} MB |

{"Nothing was lost." if lost == 0 and found.trades_ledger == found.trades else "SOMETHING WAS LOST."}
"""


def main(
    reports: Annotated[Path, typer.Option()] = Path("docs/reports"),
    markets: Annotated[int, typer.Option(min=1, max=1_000)] = 300,
    hours: Annotated[float, typer.Option(min=0.01, max=24)] = 24.0,
    per_minute: Annotated[int, typer.Option(min=1, max=600, help="Trades of a market in a minute.")] = 1,
    speed: Annotated[float, typer.Option(min=0)] = 60.0,
    seed: Annotated[int, typer.Option()] = 20_240_501,
) -> None:
    """Exit 1 if anything was lost."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-replay-"))
    folder.chmod(0o755)
    try:
        found, cost = measure(folder, markets, hours, per_minute, speed, seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = _report(found, cost, hours, speed, seed)
    path = reports / f"replay-{time.strftime('%Y-%m-%d')}.md"
    path.write_text(text, "utf-8")
    print(text)
    if not found.prints == found.trades == found.trades_ledger:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
