"""Brokers may come later than the processes that need them: wait, rather than start again and again."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.ports.world import LogError
from exchange.process.config import Settings

__all__ = ["AwaitedBrokers", "wait_for_brokers"]

logger = logging.getLogger(__name__)
_LISTENS_DEADLINE_S: Final = 120.0
# A broker that listens joins its cluster within moments; a login that it refuses does not get better.
_ANSWERS_DEADLINE_S: Final = 5.0
_CONNECT_DEADLINE_S: Final = 1.0
_PAUSE_S: Final = 0.1


class AwaitedBrokers:
    """Component that stands before those who need the log; the process answers probes while it waits."""

    name = "brokers"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._problem: str | None = "not there yet"

    async def start(self) -> None:
        """Wait for them. Raises as `wait_for_brokers`."""
        await wait_for_brokers(self._settings)
        self._problem = None

    async def run(self) -> None:
        """Nothing: whoever uses the log notices when they are away again."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Nothing."""

    def readiness(self) -> Mapping[str, str | None]:
        """Whether they were there."""
        return {self.name: self._problem}


async def wait_for_brokers(settings: Settings, deadline_s: float = _LISTENS_DEADLINE_S) -> None:
    """Wait up to `deadline_s` seconds until one listens, and then until it tells of its cluster.

    Raises LogError with what is wrong, SettingsError.
    """
    cluster = KafkaCluster.from_settings(settings)
    addresses = settings.kafka_bootstrap.split(",")
    # Kafka's own client would say at length, each time, that nobody listens.
    async for attempt in _tries(deadline_s):
        with attempt:
            if attempt.retry_state.attempt_number == 2:
                logger.info("waiting for Kafka on %s", settings.kafka_bootstrap)
            await _connect_to_one(addresses)
    async for attempt in _tries(_ANSWERS_DEADLINE_S):
        with attempt:
            async with cluster.admin():
                pass


def _tries(deadline_s: float) -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(LogError),
        wait=wait_fixed(_PAUSE_S),
        stop=stop_after_delay(deadline_s),
        reraise=True,
    )


async def _connect_to_one(addresses: list[str]) -> None:
    """Raises LogError when no address, host:port, takes a connection."""
    for address in addresses:
        host, _, port = address.strip().rpartition(":")
        try:
            async with asyncio.timeout(_CONNECT_DEADLINE_S):
                _, writer = await asyncio.open_connection(host, int(port))
        except (OSError, TimeoutError):
            continue
        writer.close()
        return
    raise LogError(f"nobody listens on {', '.join(addresses)}")
