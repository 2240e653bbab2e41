"""The engine's process: command log in, event log out, probes on HTTP."""

import logging
import os
import secrets
import socket
import sys
import time

from tenacity import (
    AsyncRetrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_delay,
    wait_fixed,
)

from exchange.adapters.chosen.lease import open_lease
from exchange.adapters.chosen.object_store import open_object_store
from exchange.adapters.chosen.tracing import open_tracing
from exchange.adapters.kafka.log import shard_logs
from exchange.adapters.kafka.waiting import wait_for_brokers
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.ports.object_keys import snapshots_prefix
from exchange.ports.world import LogError
from exchange.process.config import Settings
from exchange.process.frame import run_process
from matching_engine import build
from matching_engine.leadership import Elector

logger = logging.getLogger(__name__)
# A broker may be away for longer than a process takes to start: wait, rather than start again and again.
_LOG_DEADLINE_S = 120.0
_LOG_PAUSE_S = 0.5


def _elector(settings: Settings) -> Elector | None:
    """What keeps this engine's place in the succession. Raises SettingsError."""
    if not settings.lease:
        return None
    holder = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    def clock_ms() -> int:
        return time.monotonic_ns() // 1_000_000

    return Elector(open_lease(settings), holder, duration_ms=settings.lease_duration_ms, clock_ms=clock_ms)


async def main(settings: Settings) -> None:
    """Compose and run the engine."""
    # Before anything imports the contracts: they are part of the compiled build.
    logger.info("%s", build.activate(settings.engine_build))
    from matching_engine.genesis import write_genesis
    from matching_engine.poison import PoisonWatch
    from matching_engine.runner import EngineRunner
    from matching_engine.snapshots import Snapshots

    await wait_for_brokers(settings)
    command_log, event_log = shard_logs(settings)
    # The topics may come a little later still.
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(LogError),
        wait=wait_fixed(_LOG_PAUSE_S),
        stop=stop_after_delay(_LOG_DEADLINE_S),
        before_sleep=before_sleep_log(logger, logging.WARNING),
        reraise=True,
    ):
        with attempt:
            await write_genesis(command_log)
    async with open_tracing(settings, "engine") as tracing, open_object_store(settings) as store:
        runner = EngineRunner(
            command_log,
            event_log,
            Snapshots(store, snapshots_prefix(settings.shard)),
            shard_number=settings.shard,
            snapshot_every_commands=settings.snapshot_every_commands,
            elector=_elector(settings),
            poison=PoisonWatch.from_settings(settings),
            tracing=tracing,
            activates_rules=settings.activates_rules,
        )
        await serve(operations_app([runner]), [runner], settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
