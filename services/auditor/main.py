"""The auditor's process: `python -m services.auditor.main`."""

import logging
import sys

from exchange.adapters.chosen.object_store import open_object_store
from exchange.adapters.chosen.resources import deployed_resources
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.process.components import Component
from exchange.process.config import Settings
from exchange.process.frame import run_process
from matching_engine import build

__all__ = ["main"]

logger = logging.getLogger(__name__)


async def main(settings: Settings) -> None:
    """Compose and run the auditor over Kafka, PostgreSQL, Redis and the object store."""
    # Before anything imports the contracts: what the auditor checks by is compiled with them.
    logger.info("%s", build.activate(settings.engine_build))
    from services.anomalies.component import AnomalyWatcher
    from services.auditor.component import Auditor

    async with open_object_store(settings) as store, deployed_resources(settings) as resources:
        auditor = Auditor(resources, store)
        # Beside the auditor, not in it: it reads the same log, and nobody waits for it.
        parts: list[Component] = [auditor, AnomalyWatcher(resources)]
        await serve(operations_app(parts), parts, settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
