"""What stands in the way of a local exchange, found before anything is imported that takes time.

On a busy machine those imports take many seconds, after which nobody wants to be told of a taken port.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

from local.calling import call
from local.console import Steps
from local.disk import require_space
from local.folder import DataFolder
from local.listening import check_port
from local.operating import keep_log
from local.options import LocalOptions
from local.servers import nginx

__all__ = ["Ground", "claim"]


@dataclass(frozen=True, slots=True)
class Ground:
    """What an exchange stands on: its folder, which is locked, and whom its start is told."""

    folder: DataFolder
    steps: Steps


async def claim(options: LocalOptions, mode: Literal["embedded", "stack"]) -> Ground:
    """Take the folder for a start, and look whether the disk has room and the port is free.

    Raises ServerError, with what to do.
    """
    steps, command = Steps(), call("run" if mode == "embedded" else "stack")
    folder = await DataFolder.take(options.data_dir, mode, command, options.port, steps)
    require_space(folder.state, mode)
    if mode == "embedded":
        # Not before the folder is ours: another exchange may be writing its log there.
        keep_log(folder.state)
    else:
        # One that a killed stack has left may have the port.
        await asyncio.to_thread(nginx.end_leftover, folder.state, folder.state / "nginx")
    check_port(options.host, options.port, command)
    return Ground(folder, steps)
