"""The operator's command for data keys: `python -m services.data_keys.main rotate`.

Secrets that are sealed from now on use the new key; those that are there keep theirs, and still open.
No process needs to start again.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from exchange.adapters.chosen.resources import deployed_resources
from exchange.process.config import Settings, SettingsError
from exchange.process.connections import CONNECTION_ERRORS
from exchange.security.key_ring import KeyRing, KeyRingError

__all__ = ["rotate", "run"]

_FAILURES: Final[tuple[type[BaseException], ...]] = (KeyRingError, SettingsError, *CONNECTION_ERRORS)


async def rotate(settings: Settings) -> int:
    """Make a new data key and return its version. Raises KeyRingError, CONNECTION_ERRORS."""
    async with deployed_resources(settings) as resources:
        return await KeyRing.from_resources(resources).rotate()


def run(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.data_keys.main", description=__doc__)
    parser.add_argument("action", choices=["rotate"])
    parser.parse_args(arguments)
    try:
        version = asyncio.run(rotate(Settings.load()))
    except _FAILURES as error:
        print(f"data keys: {error or type(error).__name__}", file=sys.stderr)
        return 1
    print(f"new secrets are sealed with data key {version}")
    return 0


if __name__ == "__main__":
    sys.exit(run())
