"""The auditor's process: `python -m services.auditor.main`."""

import sys

from exchange.adapters.chosen.object_store import open_object_store
from exchange.adapters.chosen.resources import deployed_resources
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.process.config import Settings
from exchange.process.frame import run_process
from services.auditor.component import Auditor

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Compose and run the auditor over Kafka, PostgreSQL, Redis and the object store."""
    async with open_object_store(settings) as store, deployed_resources(settings) as resources:
        auditor = Auditor(resources, store)
        await serve(operations_app("auditor", [auditor]), [auditor], settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
