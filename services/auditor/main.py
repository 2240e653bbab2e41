"""The auditor's process: `python -m services.auditor.main`."""

import sys

from exchange.adapters.deployed import deployed_resources
from exchange.config import Settings
from exchange.operations import operations_app
from exchange.process import run_process, serve
from services.auditor.component import Auditor

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Compose and run the auditor over Kafka, PostgreSQL and Redis."""
    async with deployed_resources(settings) as resources:
        auditor = Auditor(resources)
        await serve(operations_app("auditor", [auditor]), [auditor], settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
