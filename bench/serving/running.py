"""Starts the bench's exchange: servers and imports side by side, logs in memory, nothing kept."""

import asyncio
import contextlib
import importlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from bench.serving.template import HASTY, copy_template
from local.servers import free_port, postgres

__all__ = ["run_bench"]


async def run_bench(markets: Path | None, prices: Mapping[str, str], history: bool) -> None:
    """Run until standard input ends or a signal comes. Raises ServerError, LogError, MarketsFileError."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-bench-"))
    folder.chmod(0o755)
    try:
        # Two seconds of work, done while PostgreSQL starts: so this module imports nothing heavy itself.
        imports = asyncio.create_task(asyncio.to_thread(importlib.import_module, "bench.serving.opening"))
        async with _servers(folder) as (database_dsn, cache_url):
            await imports
            from bench.serving.opening import open_exchange

            await open_exchange(folder, database_dsn, cache_url, markets, prices, history)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def _servers(folder: Path) -> AsyncIterator[tuple[str, str]]:
    async def database() -> postgres.Server:
        await copy_template(folder)
        return await postgres.start(folder, free_port(), settings=HASTY)

    starting = asyncio.create_task(database())
    # Its client is a large package.
    valkey = await asyncio.to_thread(importlib.import_module, "local.servers.valkey")
    cache_server = await valkey.start(folder, free_port(), settings={"appendonly": "no"})
    database_server = await starting
    try:
        yield database_server.dsn, cache_server.url
    finally:
        await asyncio.gather(cache_server.stop(), database_server.stop(), return_exceptions=True)
