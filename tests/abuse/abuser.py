"""`python -m tests.abuse.abuser NAME URL SECONDS`: one abuse in a process of its own; a key comes on stdin.

The trader who measures must not share a loop with it. Prints what came of it, as JSON.
"""

import asyncio
import os
import sys
import time

import orjson

from tests.abuse.abuses import ABUSES
from tests.abuse.crowd import Account

# The machine's processor is for the exchange, and for who measures.
NICENESS = 10


async def main(name: str, url: str, seconds: float) -> None:
    """Abuse for so long, then say what was answered."""
    os.nice(NICENESS)
    account = Account(*orjson.loads(sys.stdin.read()))
    began_s = time.monotonic()
    crowd, facts = await ABUSES[name](url, account, seconds)
    took_s = time.monotonic() - began_s
    print(orjson.dumps({"answers": dict(crowd.answers), "facts": facts, "took_s": took_s}).decode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
