"""`python -m loadtest.aged --trades 5000000`: fill an exchange with five years, serve it, ask it, report."""

import asyncio
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import httpx
import psutil
import typer
from pydantic import SecretStr

from exchange.process.config import Settings
from loadtest.aged.asking import Account, ask, open_account, requests_for
from loadtest.aged.filling import Progress, begin_exchange, fill
from loadtest.aged.plans import LOGGED, Plan, plan_of, statements_of
from loadtest.aged.report import Asked, Served, write_report
from loadtest.aged.shape import BUSIEST, Scale
from local.servers import ManagedProcess, ServerError, free_port, postgres, valkey
from local.servers.process import Command

__all__ = ["measure"]

SERVICES: Final = ("user", "order", "market-data")
_PYTHON: Final = Path(sys.executable).resolve().name
START_DEADLINE_S: Final = 300.0
# A load is not a life: what a crash would lose is made anew.
_SERVER: Final = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "8GB", "autovacuum": "off"}
# Of the first third.
_OLD_ORDER: Final = """
SELECT order_id FROM orders WHERE user_id = $1 AND market_id = 1 AND order_id >= $2 AND status = 3
ORDER BY order_id LIMIT 1
"""


async def measure(scale: Scale, folder: Path, reports: Path, name: str, progress: Progress) -> Path:
    """Do all of it in `folder`, and return the report's path. Raises ServerError and RuntimeError."""
    database = await postgres.start(folder, free_port(), settings=_SERVER, on_progress=progress)
    cache = await valkey.start(folder, free_port(), on_progress=progress)
    services: dict[str, ManagedProcess] = {}
    try:
        dsn = SecretStr(database.dsn)
        settings = Settings(database_dsn=dsn, cache_url=SecretStr(cache.url), data_dir=folder)
        await begin_exchange(settings, folder / "log")
        filled = await fill(dsn, scale, progress)
        urls: dict[str, str] = {}
        starts: dict[str, tuple[float, int]] = {}
        for service in SERVICES:
            progress(f"starting {service}")
            urls[service], services[service], starts[service] = await _serve(
                service, folder, database.dsn, cache.url
            )
        account = await asyncio.to_thread(open_account, urls["user"])
        asked = await _ask_all(scale, urls, account, database, progress)
        served = {
            service: Served(start_s, ready_bytes, _memory_bytes(services[service]))
            for service, (start_s, ready_bytes) in starts.items()
        }
        return write_report(reports, name, scale, _machine(), filled, served, asked)
    finally:
        await asyncio.gather(*(service.stop() for service in services.values()), return_exceptions=True)
        await asyncio.gather(cache.stop(), database.stop(), return_exceptions=True)


async def _serve(
    service: str, folder: Path, dsn: str, cache_url: str
) -> tuple[str, ManagedProcess, tuple[float, int]]:
    """Start a service over a copy of the logs: its address, its process, and what its start took."""
    own, port = folder / service, free_port()
    shutil.copytree(folder / "log", own / "log")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("EXCHANGE_")},
        "EXCHANGE_DATA_DIR": str(own),
        "EXCHANGE_PORT": str(port),
        "EXCHANGE_DATABASE_DSN": dsn,
        "EXCHANGE_CACHE_URL": cache_url,
        "EXCHANGE_SECRET_KEY_FILE": str(folder / "secret.key"),
        "EXCHANGE_REQUEST_LIMITS": "false",
    }
    command = Command(
        [sys.executable, "-X", f"folder={own}", "-m", "loadtest.aged.serving", service],
        program=_PYTHON,
        marker=str(own),
        environment=environment,
    )
    url, began_s = f"http://127.0.0.1:{port}", time.monotonic()
    process = await ManagedProcess.start(service, own, command)

    async def is_ready() -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
                return (await client.get(f"{url}/readyz")).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        await process.wait_ready(is_ready, START_DEADLINE_S)
    except BaseException:
        await process.stop()
        raise
    return url, process, (time.monotonic() - began_s, _memory_bytes(process))


def _memory_bytes(process: ManagedProcess) -> int:
    size: int = psutil.Process(process.pid).memory_full_info().uss
    return size


async def _ask_all(
    scale: Scale, urls: Mapping[str, str], account: Account, database: postgres.Server, progress: Progress
) -> list[Asked]:
    connection = await asyncpg.connect(database.dsn, command_timeout=START_DEADLINE_S)
    log = database.process.log_file
    asked = []
    try:
        old_order = await connection.fetchval(_OLD_ORDER, BUSIEST, scale.trades)
        for request in requests_for(scale, old_order):
            progress(request.name)
            began = log.stat().st_size
            await _log_statements(connection, True)
            answered, ended = await asyncio.to_thread(_asked, urls[request.service], request, account, log)
            await _log_statements(connection, False)
            with log.open("rb") as file:
                file.seek(began)
                text = file.read(max(0, ended - began)).decode(errors="replace")
            asked.append(Asked(request, answered, await _plans(connection, text)))
    finally:
        await connection.close()
    return asked


def _asked(url: str, request: Any, account: Account, log: Path) -> tuple[Any, int]:
    """The answer's times, and where the database's log ended after the first."""
    ends: list[int] = []

    def after_first() -> None:
        # What the server has said of this request is on its way to the file.
        time.sleep(0.1)
        ends.append(log.stat().st_size)

    return ask(url, request, account, after_first), ends[0]


async def _log_statements(connection: Any, is_on: bool) -> None:
    """Of every session, from now on; the server reads its settings anew within a moment."""
    for setting, value in LOGGED.items():
        change = f"SET {setting} = '{value}'" if is_on else f"RESET {setting}"
        await connection.execute(f"ALTER SYSTEM {change}")
    await connection.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(0.1)


async def _plans(connection: Any, log: str) -> list[Plan]:
    return [
        await plan_of(connection, statement)
        for statement in dict.fromkeys(statements_of(log))
        if statement.text.startswith(("SELECT", "WITH"))
    ]


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.machine()}, Python {platform.python_version()}"
    )


def main(
    trades: Annotated[int, typer.Option(min=1_000, help="How many of fifty million to make")] = 5_000_000,
    reports: Annotated[Path, typer.Option(help="Folder of the report")] = Path("docs/reports"),
) -> None:
    """Fill an exchange with five years, serve it, ask it, report."""
    # Ended from outside, it takes its servers and its gigabytes along as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # PostgreSQL runs as another user where this runs as root, and has to reach its files.
    folder = Path(tempfile.mkdtemp(prefix="exchange-aged-"))
    folder.chmod(0o755)
    began_s = time.monotonic()

    def progress(text: str) -> None:
        print(f"{time.monotonic() - began_s:6.0f} s  {text}", flush=True)

    scale = Scale(trades, time.time_ns() // 1_000_000)
    try:
        path = asyncio.run(measure(scale, folder, reports, f"aged-{time.strftime('%F')}", progress))
    except (ServerError, RuntimeError, TimeoutError, OSError, asyncpg.PostgresError) as error:
        print(f"aged: {type(error).__name__}: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(path.read_text(encoding="utf-8"))
    print(f"report: {path}")


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
