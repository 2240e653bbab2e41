"""The auditor's process: `python -m services.auditor.main`."""

import sys

from exchange.adapters.chosen.resources import deployed_resources
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.process.config import Settings
from exchange.process.frame import run_process
from services.auditor.component import Auditor

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Compose and run the auditor over Kafka, PostgreSQL and Redis."""
    async with deployed_resources(settings) as resources:
        auditor = Auditor(resources)
        await serve(operations_app("auditor", [auditor]), [auditor], settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
