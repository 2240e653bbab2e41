"""The archive's process: both logs of a shard into the object store; probes and metrics on HTTP."""

import sys

from exchange.adapters.chosen.object_store import open_object_store
from exchange.adapters.kafka.log import shard_logs
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.process.components import Component
from exchange.process.config import Settings
from exchange.process.frame import run_process
from exchange.wall_clock import clock_ms
from services.archive.component import archivers
from services.archive.retention import retentions

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Compose and run the archivers of both logs over Kafka and the object store."""
    command_log, event_log = shard_logs(settings)
    async with open_object_store(settings) as store:
        components: list[Component] = [*archivers(settings, command_log, event_log, store)]
        components += retentions(settings, command_log, event_log, store, clock_ms)
        await serve(operations_app(components), components, settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
