"""Promises of the operator's command for dead letters, run as an operator runs it."""

import asyncio
import os
import sys

import pytest

from exchange.adapters.aws.sqs import SqsQueue
from exchange.adapters.postgres.queue import DatabaseQueue
from exchange.ports.messages import MessageQueue, NewMessage
from exchange.process.components import Resources
from exchange.process.config import Settings
from tests.integration.notifier.conftest import Estate

pytestmark = pytest.mark.integration


async def redrive(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code, and what it said."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.notifier.redrive.main", *arguments),
        env=inherited | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(120):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode().strip()


async def bury(queue: MessageQueue, count: int) -> None:
    await queue.put([NewMessage(str(number), f"body {number}") for number in range(count)])
    while taken := await queue.receive(0):
        for one in taken:
            await queue.retry_later(one, 0)


@pytest.mark.parametrize("kind", ["database", "sqs"])
async def test_dead_letters_come_back_as_many_as_were_asked_for(
    kind: str, estate: Estate, resources: Resources, settings: Settings
) -> None:
    environment = {"EXCHANGE_DATABASE_DSN": settings.database_dsn.get_secret_value()}
    queue: MessageQueue = DatabaseQueue(resources.database, 5_000, settings.notices_attempts_max)
    if kind == "sqs":
        queue = SqsQueue(estate.queue_url, 5_000)
        environment = {"EXCHANGE_NOTICES_QUEUE_URL": estate.queue_url}
    await bury(queue, 5)
    assert await redrive("--limit", "0", **environment) == (0, "dead letters: 5, put back: 0")
    assert await redrive("--limit", "2", **environment) == (0, "dead letters: 5, put back: 2")
    assert len(await queue.receive(0)) == 2
    assert await redrive(**environment) == (0, "dead letters: 3, put back: 3")
    await queue.close()


async def test_what_does_not_work_is_said_in_one_line(estate: Estate) -> None:
    code, said = await redrive(EXCHANGE_NOTICES_QUEUE_URL=f"{estate.endpoint}/123456789012/no-such-queue")
    assert code == 1
    assert said.startswith("redrive: sqs: ")
    assert "\n" not in said
    assert (await redrive("--limit", "-1"))[0] == 2
