"""One command by somebody who sends few: its own way to the log, and its outcome back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from exchange.contracts.codec import CodecError, CommandOutcome, decode_events
from exchange.contracts.commands import Command
from exchange.contracts.limits import COMMANDS_PER_TICK_MAX
from exchange.log.gateway import (
    CommandGateway,
    GatewayOverloadedError,
    GatewayUnavailableError,
    OutcomeUnknownError,
)
from exchange.ports.world import LogError, LogReader
from exchange.process.components import Resources

__all__ = ["DECIDING_ERRORS", "decide_all", "decide_one", "own_gateway"]

# What `decide_one` and `decide_all` raise when log or engine are away: nothing was sent, or nobody knows.
DECIDING_ERRORS: Final[tuple[type[BaseException], ...]] = (
    LogError,
    GatewayOverloadedError,
    GatewayUnavailableError,
    OutcomeUnknownError,
)
_READ_TIMEOUT_MS: Final = 200
_CLOSE_DEADLINE_S: Final = 5.0


async def decide_one(resources: Resources, make: Callable[[int], Command]) -> CommandOutcome:
    """Send the command that `make` gives for a fresh id, and return the engine's outcome.

    The answer is looked for on the event log's new records whether or not the chain before them is whole.
    Raises LogError, and what `CommandGateway.submit` raises.
    """
    return (await decide_all(resources, [make]))[0]


async def decide_all(resources: Resources, makes: Sequence[Callable[[int], Command]]) -> list[CommandOutcome]:
    """As `decide_one`, for several that are decided in this order, a portion at a time."""
    async with own_gateway(resources) as gateway:
        outcomes: list[CommandOutcome] = []
        for first in range(0, len(makes), COMMANDS_PER_TICK_MAX):
            part = makes[first : first + COMMANDS_PER_TICK_MAX]
            sent = (gateway.submit(make(gateway.new_command_id())) for make in part)
            outcomes += await asyncio.gather(*sent)
        return outcomes


@asynccontextmanager
async def own_gateway(resources: Resources) -> AsyncIterator[CommandGateway]:
    """A way to the engine beside the services': it refuses nobody for having to wait. Raises LogError."""
    settings = resources.settings
    async with asyncio.timeout(settings.log_deadline_ms / 1000):
        end_offset = await resources.event_log.end_offset()
    reader = await resources.event_log.reader(end_offset)
    writer = await resources.command_log.writer()
    gateway = CommandGateway(writer, tick_ms=0, deadline_ms=settings.command_deadline_ms)
    tasks = [asyncio.create_task(gateway.run()), asyncio.create_task(_resolve(reader, gateway))]
    try:
        yield gateway
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(_CLOSE_DEADLINE_S):
            await asyncio.gather(reader.close(), writer.close(), return_exceptions=True)


async def _resolve(reader: LogReader, gateway: CommandGateway) -> None:
    while True:
        for record in await reader.read(_READ_TIMEOUT_MS):
            try:
                gateway.resolve(decode_events(record.value).outcomes)
            except CodecError:
                continue  # Perhaps a breach is what this is about: the next records may still be read.
        await asyncio.sleep(0)
