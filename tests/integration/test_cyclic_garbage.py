"""Orders leave practically nothing to the cyclic garbage collector, which stands still to look for it.

An object of a cycle lives until a collection finds it, and full collections are what stops a loop for
longest. So the whole exchange in one process, over real servers and files, is given orders while the
collector keeps all that it finds.
"""

import asyncio
import dataclasses
import gc
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from exchange.adapters.files.key import FileKeyWrapper
from exchange.adapters.files.log import FileLog
from exchange.process.components import Resources
from exchange.process.config import Settings
from tests.at_work import open_resources
from tests.security.conftest import Exchange, Trader, cheap_passwords, exchange, settings

__all__ = ["cheap_passwords", "exchange", "settings"]

pytestmark = pytest.mark.slow

ORDERS = 300
CONNECTIONS = 6
# A thousand orders left 37,000 when every gulp of a follower made a retry object.
CYCLIC_OBJECTS_PER_1000_ORDERS_MAX = 100


@pytest.fixture
async def resources(settings: Settings, tmp_path: Path) -> AsyncIterator[Resources]:
    """As `make run` has them: both logs are files."""
    logs = [await FileLog.open(tmp_path / name, settings.log_deadline_ms) for name in ("commands", "events")]
    wrapper = FileKeyWrapper(settings.secret_key_file)
    async with open_resources(settings, wrapper=wrapper) as opened:
        yield dataclasses.replace(opened, command_log=logs[0], event_log=logs[1])
    for log in logs:
        await log.close()


async def place(
    trader: Trader, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, orders: int
) -> None:
    """Send orders, each when the one before is answered. No client library: it would leave garbage too."""
    for number in range(orders):
        price = f"{60_000 + number % 50}.00"
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        query = urlencode(trader.signed_parameters({**order, "quantity": "0.0001", "price": price}))
        head = f"POST /api/v3/order?{query} HTTP/1.1\r\nHost: local\r\nX-MBX-APIKEY: {trader.api_key}\r\n"
        writer.write(f"{head}Content-Length: 0\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        size = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(size)


async def test_orders_leave_next_to_nothing_to_the_cyclic_collector(exchange: Exchange) -> None:
    traders = [await exchange.trader(f"trader{number}") for number in range(CONNECTIONS)]
    port = exchange.resources.settings.port
    sockets = [await asyncio.open_connection("127.0.0.1", port) for _ in traders]

    async def place_from_all(orders: int) -> None:
        each = orders // CONNECTIONS
        pairs = zip(traders, sockets, strict=True)
        await asyncio.gather(*(place(trader, *socket, each) for trader, socket in pairs))

    await place_from_all(CONNECTIONS * 5)  # What is made once is made now.
    await exchange.settled()
    gc.collect()
    flags = gc.get_debug()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await place_from_all(ORDERS)
        await exchange.settled()
        gc.collect()
        found = Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.garbage)
    finally:
        gc.set_debug(flags)
        gc.garbage.clear()
    for _, writer in sockets:
        writer.close()
    per_1000 = sum(found.values()) * 1_000 / ORDERS
    assert per_1000 <= CYCLIC_OBJECTS_PER_1000_ORDERS_MAX, found.most_common(12)
