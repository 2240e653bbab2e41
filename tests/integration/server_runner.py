"""Starts one server on a data folder, prints its address as JSON, and waits to be killed.

``python -m tests.integration.server_runner NAME DATA_DIR``
"""

import asyncio
import json
import sys
from pathlib import Path

from local.servers import free_port, kafka, postgres, valkey


async def main(name: str, data_dir: Path) -> None:
    """Runs until killed."""
    port = free_port()
    match name:
        case "postgres":
            database = await postgres.start(data_dir, port)
            address, pid = database.dsn, database.process.pid
        case "valkey":
            cache = await valkey.start(data_dir, port)
            address, pid = cache.url, cache.process.pid
        case _:
            broker = await kafka.start(data_dir, port, fast_start=True)
            address, pid = broker.bootstrap_servers, broker.process.pid
    print(json.dumps({"address": address, "pid": pid}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
