"""What every process is made of: resources, components, and the loop that runs them."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from exchange.ports.world import KeyWrapper, Log
from exchange.process.config import Settings
from exchange.process.turns import Turns

if TYPE_CHECKING:  # Half a second at the start of those processes that need neither.
    import asyncpg
    import redis.asyncio

__all__ = ["Component", "Resources", "run_components"]

logger = logging.getLogger(__name__)
_STOP_DEADLINE_S = 10
# Connections of a pool that these slow reads never take; market data take two more, where all is one process.
HISTORY_LEAVES: Final = 4


@dataclass(frozen=True)
class Resources:
    """Connections to the world, made by the main module.

    `key_wrapper` is needed only where the secrets of API keys are read or made. `database_reader` is for
    `exchange.process.readers` alone. `database_keys` are connections that only look-ups of keys use: every
    signed request needs its key, and no slow read of anybody's history may stand before it.
    """

    settings: Settings
    command_log: Log
    event_log: Log
    database: "asyncpg.Pool[asyncpg.Record]"
    cache: "redis.asyncio.Redis"
    key_wrapper: KeyWrapper | None = None
    database_reader: "asyncpg.Pool[asyncpg.Record] | None" = None
    database_keys: "asyncpg.Pool[asyncpg.Record] | None" = None

    @cached_property
    def history_turns(self) -> Turns:
        """Turns at `database` for all slow reads of this process together: some connections stay for the
        rest.
        """
        return Turns(max(1, self.settings.database_pool_size - HISTORY_LEAVES))


class Component(Protocol):
    """A part of a process: `start` brings it up to date, `run` works until cancelled, `stop` lets go.

    `run` returns only by cancellation; an exception ends the process, which is then started again
    from its durable state (start-up and crash recovery are the same code).
    """

    name: str

    async def start(self) -> None:
        """Recover: read snapshots or databases, open readers. Bounded retries, then raise."""
        ...

    async def run(self) -> None:
        """Work until cancelled."""
        ...

    async def stop(self) -> None:
        """Release what start took, within a deadline."""
        ...

    def readiness(self) -> Mapping[str, str | None]:
        """Part name -> None when it works, else what is wrong, in words."""
        ...


async def run_components(
    components: Sequence[Component], on_started: Callable[[], None] = lambda: None
) -> None:
    """Start the components in order, each running from then on; stop them in reverse.

    `on_started` is called when all have started: where a process is one's own, `settle_heap`.

    Ends only by cancellation or with the first failure (an exception group).
    """
    started: list[Component] = []
    try:
        async with asyncio.TaskGroup() as group:
            for component in components:
                started.append(component)
                await component.start()
                group.create_task(component.run(), name=component.name)
                logger.info("%s started", component.name)
            on_started()
    finally:
        for component in reversed(started):
            try:
                async with asyncio.timeout(_STOP_DEADLINE_S):
                    await component.stop()
            except Exception:
                logger.exception("%s did not stop cleanly", component.name)
