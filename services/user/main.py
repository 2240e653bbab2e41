"""The user service's process: `python -m services.user.main`."""

import sys

from exchange.adapters.deployed import deployed_resources
from exchange.config import Settings
from exchange.process import run_process, serve
from services.user.api import create_app
from services.user.component import UserService

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Connect to Kafka, PostgreSQL and Redis, and serve until cancelled."""
    async with deployed_resources(settings) as resources:
        service = UserService(resources)
        await serve(create_app(service), [service], settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
