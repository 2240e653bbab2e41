"""The engine's process: command log in, event log out, probes on HTTP."""

import gc
import logging
import sys
from collections.abc import Mapping

from fastapi import FastAPI

from exchange.adapters.kafka_log import KafkaLog
from exchange.adapters.object_store import open_object_store
from exchange.config import Settings
from exchange.contracts.topics import commands_topic, events_topic
from exchange.object_keys import snapshots_prefix
from exchange.operations import add_operations_routes
from exchange.process import run_process, serve
from matching_engine import build

logger = logging.getLogger(__name__)


async def main(settings: Settings) -> None:
    """Compose and run the engine."""
    # Before anything imports the contracts: they are part of the compiled build.
    logger.info("%s", build.activate(settings.engine_build))
    from matching_engine.genesis import write_genesis
    from matching_engine.runner import EngineRunner
    from matching_engine.snapshots import Snapshots

    command_log = KafkaLog(settings.kafka_bootstrap, commands_topic(settings.shard), settings.log_deadline_ms)
    event_log = KafkaLog(settings.kafka_bootstrap, events_topic(settings.shard), settings.log_deadline_ms)
    await write_genesis(command_log)
    async with open_object_store(settings) as store:
        runner = EngineRunner(
            command_log,
            event_log,
            Snapshots(store, snapshots_prefix(settings.shard)),
            shard_number=settings.shard,
            snapshot_every_commands=settings.snapshot_every_commands,
        )
        # What is alive now stays; a full collection would cost milliseconds in the middle of trading.
        gc.freeze()
        gc.set_threshold(50_000, 50, 1_000)
        app = FastAPI(title="matching engine", docs_url=None, redoc_url=None, openapi_url=None)

        def readiness() -> Mapping[str, str | None]:
            return runner.readiness()

        add_operations_routes(app, readiness)
        await serve(app, [runner], settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
