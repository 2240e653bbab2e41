"""How a test ends the program of a browser that it started."""

import asyncio
from typing import Final

__all__ = ["end"]

STOP_DEADLINE_S: Final = 10.0


async def end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and kill it at the deadline; what it still says is read, so that it can end."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_DEADLINE_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
