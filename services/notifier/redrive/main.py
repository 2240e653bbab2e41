"""The operator's command for dead letters: `python -m services.notifier.redrive.main [--limit 100]`.

Look first why they died (docs/runbooks/NoticesDead.md): what is sent back and fails again is dead again.
With `--limit 0` it only counts.
"""

import asyncio
import sys
from typing import Annotated, Final, NamedTuple

import typer

from exchange.adapters.aws.sqs import SqsQueue
from exchange.adapters.chosen.notice_channels import notice_queue
from exchange.adapters.postgres.pool import close_pool, open_pool
from exchange.ports.messages import MessageError, MessageQueue
from exchange.process.config import Settings, SettingsError
from exchange.process.connections import CONNECTION_ERRORS

__all__ = ["Redriven", "redrive"]

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 100_000
_DEADLINE_S: Final = 600.0
_FAILURES: Final[tuple[type[BaseException], ...]] = (MessageError, SettingsError, *CONNECTION_ERRORS)


class Redriven(NamedTuple):
    """How many dead letters there were, about, and how many went back onto the queue."""

    found: int
    moved: int


async def redrive(settings: Settings, limit: int) -> Redriven:
    """Put up to `limit` dead letters back. Raises MessageError, SettingsError, CONNECTION_ERRORS."""
    async with asyncio.timeout(_DEADLINE_S):
        if settings.notices_queue_url:
            queue = SqsQueue(settings.notices_queue_url, settings.notices_deadline_ms)
            try:
                return await _redrive(queue, limit)
            finally:
                await queue.close()
        database = await open_pool(settings)
        try:
            return await _redrive(notice_queue(settings, database), limit)
        finally:
            await close_pool(database, settings.database_deadline_ms)


async def _redrive(queue: MessageQueue, limit: int) -> Redriven:
    found = await queue.dead_count()
    return Redriven(found, await queue.redrive(limit) if limit else 0)


def _run(
    limit: Annotated[
        int, typer.Option(min=0, max=LIMIT_MAX, help="How many at most; 0 only counts.")
    ] = LIMIT_DEFAULT,
) -> None:
    """Put dead letters back onto the queue of notices: 0 when it worked, 1 when it did not."""
    try:
        done = asyncio.run(redrive(Settings.load(), limit))
    except _FAILURES as error:
        print(f"redrive: {error or type(error).__name__}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(f"dead letters: {done.found}, put back: {done.moved}")


if __name__ == "__main__":
    typer.run(_run)
