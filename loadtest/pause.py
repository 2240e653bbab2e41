"""`python -m loadtest.pause`: the longest pause of trading while snapshots of many live orders are made.

An exchange is asked at a constant rate, then gets so many live orders, put on its command log, and is asked
again at the same rate while snapshots become due every few seconds. Prints the longest answer and the longest
callback of both, and writes them to `<reports>/pause-<date>.json`.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import psutil
import typer
from rich.console import Console

from exchange.adapters.files.log import FileLog
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.contracts.codec import encode_commands
from exchange.contracts.codes import BUY, GTC, LIMIT, STP_EXPIRE_MAKER
from exchange.contracts.commands import Command, CreditDeposit, PlaceOrder
from exchange.contracts.topics import SHARD_DEFAULT, commands_topic
from exchange.ports.world import Log
from loadtest.processes import cpu_by_name
from loadtest.run import LoadTestError
from loadtest.search import ask
from local.exchange_process import ROOT, ExchangeProcess
from local.servers import ServerError

DEADLINE_MS: Final = 60_000
COMMANDS_PER_RECORD: Final = 500
# As many as a market allows an account (max_open_orders in matching_engine/markets.toml).
ORDERS_PER_USER: Final = 200
# Beyond every account that signs up, and every command that a service numbers.
FIRST_USER_ID: Final = 1_000_000_000
FIRST_COMMAND_ID: Final = 1 << 60
USDT: Final = 3
QUOTE_UNITS_EACH: Final = 1 << 50
# Far below the market, so that they rest; as many levels as the bench's wide book.
LEVELS: Final = 100_000
QUANTITY_LOTS: Final = 1_000
SNAPSHOT_EVERY_COMMANDS: Final = 1_000
START_DEADLINE_S: Final = 900.0
TOLD_EVERY_COMMANDS: Final = 100_000
# Of processor time in a second, all processes together.
CALM_CPU_S: Final = 0.4
CALM_S: Final = 5
console: Final = Console()


def main(
    mode: Annotated[str, typer.Option(help="run or stack")] = "run",
    live: Annotated[int, typer.Option(min=1, help="Live orders")] = 1_000_000,
    rps: Annotated[int, typer.Option(min=1)] = 200,
    duration: Annotated[int, typer.Option(min=5, help="Seconds of asking, twice")] = 30,
    reports: Annotated[Path, typer.Option(help="Where the report goes")] = ROOT / "docs" / "reports",
) -> None:
    """Measure without and with the live orders, and write both down."""
    settings = {"EXCHANGE_SNAPSHOT_EVERY_COMMANDS": str(SNAPSHOT_EVERY_COMMANDS)}
    found: dict[str, Any] = {"mode": mode, "rps": rps, "duration_s": duration, "live": live}
    try:
        with (
            tempfile.TemporaryDirectory(prefix="pause-") as folder,
            ExchangeProcess(mode, settings=settings) as exchange,
        ):
            found["empty"] = _measured(exchange, rps, duration, Path(folder))
            fill(exchange, live)
            found["full"] = _measured(exchange, rps, duration, Path(folder))
    except (ServerError, LoadTestError) as error:
        console.print(f"[red]not measured:[/] {error}", highlight=False)
        raise typer.Exit(2) from None
    reports.mkdir(parents=True, exist_ok=True)
    path = reports / f"pause-{mode}-{time.strftime('%Y-%m-%d')}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    console.print(f"report: {path}", highlight=False)


def _measured(exchange: ExchangeProcess, rps: int, duration_s: int, folder: Path) -> dict[str, Any]:
    before = _snapshots(exchange.data_dir)
    measured = ask(exchange, rps, duration_s, [], folder)
    made = len(_snapshots(exchange.data_dir) - before)
    found = {name: measured[name] for name in ("total", "errors", "pauses")} | {"snapshots": made}
    total = measured["total"]
    console.print(
        f"{made} snapshots, p50 {total['p50_ms']:.1f}, p99 {total['p99_ms']:.1f}, "
        f"longest {total['max_ms']:.1f} ms, {total['failures']} failures",
        *(f"{error['count']} x {error['request']}: {error['error']}" for error in measured["errors"]),
        *measured["pauses"],
        sep="\n",
        highlight=False,
    )
    return found


def _snapshots(data_dir: Path) -> set[str]:
    return {path.name for path in data_dir.rglob("snapshots/*/*") if path.is_file()}


def fill(exchange: ExchangeProcess, live: int) -> None:
    """Put so many resting orders on the command log, and wait until all who read it have done so.

    The log of `run` belongs to its process: it stops meanwhile. Raises ServerError, LogError.
    """
    if exchange.mode == "run":
        exchange.stop()
        [path] = exchange.data_dir.rglob("commands.log")
        asyncio.run(_append_to_file(path, live))
        exchange.start(START_DEADLINE_S)
    else:
        pid = exchange.service_pid("order")
        if pid is None:
            raise ServerError("there is no order service")
        bootstrap = psutil.Process(pid).environ()["EXCHANGE_KAFKA_BOOTSTRAP"]
        log = KafkaLog(KafkaCluster(bootstrap, DEADLINE_MS), commands_topic(SHARD_DEFAULT))
        asyncio.run(_append(log, live))
    _wait_calm(exchange)


async def _append_to_file(path: Path, live: int) -> None:
    log = await FileLog.open(path, DEADLINE_MS)
    try:
        await _append(log, live)
    finally:
        await log.close()


async def _append(log: Log, live: int) -> None:
    writer = await log.writer()
    try:
        batch: list[Command] = []
        for number, command in enumerate(resting(live)):
            batch.append(command)
            if len(batch) == COMMANDS_PER_RECORD:
                await writer.append(encode_commands(batch))
                batch = []
                if number // TOLD_EVERY_COMMANDS != (number - COMMANDS_PER_RECORD) // TOLD_EVERY_COMMANDS:
                    console.print(f"{number + 1:,} commands on the log", highlight=False)
        if batch:
            await writer.append(encode_commands(batch))
    finally:
        await writer.close()


def resting(live: int) -> Iterator[Command]:
    """Orders that rest, of accounts that hold the money for them; a deposit before each account's first."""
    for number in range(live):
        user_id = FIRST_USER_ID + number // ORDERS_PER_USER
        if number % ORDERS_PER_USER == 0:
            yield CreditDeposit(FIRST_COMMAND_ID + live + number, user_id, USDT, QUOTE_UNITS_EACH, user_id)
        price_ticks = 1_000_000 + number % LEVELS
        yield PlaceOrder(
            FIRST_COMMAND_ID + number, user_id, 1, f"p{number}", BUY, LIMIT, GTC,
            price_ticks, QUANTITY_LOTS, 0, STP_EXPIRE_MAKER, 0,
        )  # fmt: skip


def _wait_calm(exchange: ExchangeProcess) -> None:
    """Until all processes together leave most of a core alone for some seconds. Raises ServerError."""
    give_up_s, calm_s = time.monotonic() + START_DEADLINE_S, 0
    used_s = sum(cpu_by_name(exchange.pid).values())
    while calm_s < CALM_S:
        if time.monotonic() > give_up_s:
            raise ServerError(f"still reading its log after {START_DEADLINE_S:g} s")
        time.sleep(1.0)
        now_s = sum(cpu_by_name(exchange.pid).values())
        calm_s = calm_s + 1 if now_s - used_s < CALM_CPU_S else 0
        used_s = now_s


if __name__ == "__main__":
    typer.run(main)
