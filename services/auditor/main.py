"""The auditor's process: `python -m services.auditor.main`."""

import sys

from fastapi import FastAPI

from exchange.adapters.deployed import deployed_resources
from exchange.config import Settings
from exchange.operations import add_operations_routes
from exchange.process import run_process, serve
from services.auditor.component import Auditor

__all__ = ["create_app", "main"]


def create_app(auditor: Auditor) -> FastAPI:
    """/healthz, /readyz and /metrics, nothing else."""
    app = FastAPI(title="auditor", docs_url=None, redoc_url=None, openapi_url=None)
    add_operations_routes(app, auditor.readiness)
    return app


async def main(settings: Settings) -> None:
    """Compose and run the auditor over Kafka, PostgreSQL and Redis."""
    async with deployed_resources(settings) as resources:
        auditor = Auditor(resources)
        await serve(create_app(auditor), [auditor], settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
