"""`python -m loadtest.crowd.process URL COUNT`: the process of the watchers; `beside` starts it.

It prints a line of JSON when all sockets are open, then obeys the words of its standard input, a line each:
`reset` counts from zero, `figures` prints a line. It ends with its input.
"""

import asyncio
import json
import resource
import sys
import time
from typing import Any, Final

import uvloop

from loadtest.crowd.crowd import Crowd

__all__ = ["FIGURES", "RESET", "descriptors_missing"]

RESET: Final = "reset"
FIGURES: Final = "figures"
# For all that is no socket.
_DESCRIPTORS_RESERVED: Final = 64


def main() -> None:
    """Watch until the input ends."""
    url, count = sys.argv[1], int(sys.argv[2])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    missing = descriptors_missing(count, hard)
    if missing:
        sys.exit(missing)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(_watch(url, count))


def descriptors_missing(sockets: int, hard: int) -> str:
    """Why so many sockets cannot be opened with this limit of open files; empty when they can."""
    needed = sockets + _DESCRIPTORS_RESERVED
    if hard == resource.RLIM_INFINITY or needed <= hard:
        return ""
    return (
        f"{sockets} sockets need {needed} open files, and this process may have {hard}: "
        f"raise the hard limit (`ulimit -Hn {needed}`) or take fewer watchers"
    )


async def _watch(url: str, count: int) -> None:
    crowd = Crowd(url, count)
    took_s = await crowd.connect()
    _tell({"connect_s": took_s, **crowd.figures()})
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    began_s, used_s = time.perf_counter(), _cpu_s()
    while word := (await reader.readline()).decode().strip():
        if word == RESET:
            crowd.tally.reset()
            began_s, used_s = time.perf_counter(), _cpu_s()
        elif word == FIGURES:
            passed_s = time.perf_counter() - began_s
            _tell({"seconds": passed_s, "cpu_s": _cpu_s() - used_s, "connect_s": took_s, **crowd.figures()})
    crowd.close()


def _tell(figures: dict[str, Any]) -> None:
    print(json.dumps(figures), flush=True)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
