"""`python -m tests.abuse.abuser NAME URL SECONDS`: one abuse in a process of its own; a key comes on stdin.

The trader who measures must not share a loop with it. Prints what came of it, as JSON.
"""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

import orjson

from tests.abuse.abuses import ABUSES
from tests.abuse.crowd import Account

# The machine's processor is for the exchange, and for who measures: an abuser has a machine of its own.
NICENESS = 19
AUTOGROUP = Path("/proc/self/autogroup")


def step_back() -> None:
    """Take what the others leave. Where processor time is shared by session, niceness is not enough."""
    os.setsid()
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(str(NICENESS))


async def main(name: str, url: str, seconds: float) -> None:
    """Abuse for so long, then say what was answered."""
    step_back()
    account = Account(*orjson.loads(sys.stdin.read()))
    began_s = time.monotonic()
    crowd, facts = await ABUSES[name](url, account, seconds)
    took_s = time.monotonic() - began_s
    print(orjson.dumps({"answers": dict(crowd.answers), "facts": facts, "took_s": took_s}).decode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
