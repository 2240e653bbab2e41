"""Processes that are started before their brokers wait for them, and say what they wait for."""

import asyncio
import contextlib

import pytest

from exchange.adapters.kafka.waiting import AwaitedBrokers, wait_for_brokers
from exchange.ports.world import LogError
from exchange.process.config import Settings
from local.servers import free_port

pytestmark = pytest.mark.integration


class Door:
    """A port that leads to a broker once it is opened; counts who came."""

    def __init__(self, bootstrap: str) -> None:
        self.port, self.visitors = free_port(), 0
        self._host, _, self._port = bootstrap.rpartition(":")

    async def open(self) -> asyncio.Server:
        return await asyncio.start_server(self._lead, "127.0.0.1", self.port)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visitors += 1
        with contextlib.suppress(OSError):
            there, to = await asyncio.open_connection(self._host, int(self._port))
            await asyncio.gather(_pass_on(reader, to), _pass_on(there, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    writer.close()


def settings(port: int) -> Settings:
    return Settings(kafka_bootstrap=f"127.0.0.1:{port}", log_deadline_ms=20_000)


async def test_a_process_waits_until_a_broker_listens(kafka_bootstrap: str) -> None:
    door = Door(kafka_bootstrap)
    brokers = AwaitedBrokers(settings(door.port))
    waiting = asyncio.create_task(brokers.start())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    assert brokers.readiness() == {"brokers": "not there yet"}
    async with await door.open():
        await asyncio.wait_for(waiting, 60)
    assert brokers.readiness() == {"brokers": None}
    # Who only looks whether somebody listens, and a client that asks.
    assert door.visitors >= 2


async def test_after_a_while_it_says_that_nobody_listens() -> None:
    port = free_port()
    with pytest.raises(LogError, match=f"nobody listens on 127.0.0.1:{port}"):
        await wait_for_brokers(settings(port), deadline_s=0.3)


async def test_a_broker_that_listens_and_says_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.adapters.kafka.waiting._ANSWERS_DEADLINE_S", 0.3)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LogError, match=f"Kafka at 127.0.0.1:{port} does not answer"):
            await wait_for_brokers(Settings(kafka_bootstrap=f"127.0.0.1:{port}", log_deadline_ms=500))
