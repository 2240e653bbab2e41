"""The archive's process: both logs of a shard into the object store; probes and metrics on HTTP."""

import sys
from collections.abc import Mapping, Sequence

from fastapi import FastAPI

from exchange.adapters.kafka_log import shard_logs
from exchange.adapters.object_store import open_object_store
from exchange.config import Settings
from exchange.operations import add_operations_routes
from exchange.process import run_process, serve
from services.archive.component import Archiver, archivers

__all__ = ["create_app", "main"]


def create_app(components: Sequence[Archiver]) -> FastAPI:
    """/healthz, /readyz and /metrics, nothing else."""
    app = FastAPI(title="archive", docs_url=None, redoc_url=None, openapi_url=None)

    def readiness() -> Mapping[str, str | None]:
        return {part: problem for c in components for part, problem in c.readiness().items()}

    add_operations_routes(app, readiness)
    return app


async def main(settings: Settings) -> None:
    """Compose and run the archivers of both logs over Kafka and the object store."""
    command_log, event_log = shard_logs(settings)
    async with open_object_store(settings) as store:
        components = archivers(settings, command_log, event_log, store)
        await serve(create_app(components), components, settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
