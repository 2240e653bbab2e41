"""What the server's own pings carry: clients have to send it back, and some can send text alone."""

import asyncio

import pytest

from exchange.http import server
from tests.unit.exchange.test_connection_guard import DEADLINE_S, PING, Site, frame, site

__all__ = ["site"]

PONG = 10


@pytest.fixture(autouse=True)
def pings_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the site starts, which takes the interval with it."""
    monkeypatch.setattr(server, "_PING_INTERVAL_S", 0.05)


async def next_ping(reader: asyncio.StreamReader) -> bytes:
    """Its payload."""
    head, size = await asyncio.wait_for(reader.readexactly(2), DEADLINE_S)
    assert head == 0x80 | PING
    return await reader.readexactly(size)


async def test_a_ping_carries_the_time_as_text_as_binance_s_do(site: Site) -> None:
    """It was four random bytes: nautilus_trader could not answer, for it copies text, and was cut."""
    reader, writer = await site.open_socket()
    first = await next_ping(reader)
    assert first.isdigit()
    assert len(first) == 13
    # Answered with the same, the next one comes: it is known as the answer.
    writer.write(frame(PONG, first))
    second = await next_ping(reader)
    assert int(second) >= int(first)
    writer.transport.abort()
