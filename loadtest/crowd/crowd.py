"""The sockets of the watchers: opened from many addresses, read, and counted when they end."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from picows import WSError, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from exchange.contracts.limits import SOCKETS_PER_ADDRESS_MAX
from loadtest.crowd.tally import StreamSeen, Tally
from loadtest.orders import MARKETS

__all__ = ["Crowd", "source_addresses"]

HANDSHAKES_AT_ONCE: Final = 100
_HANDSHAKE_DEADLINE_S: Final = 30.0
# A depth update has some hundred bytes to some ten thousand; a peer that sends more than this is left.
_FRAME_SIZE_BYTES_MAX: Final = 1_048_576
_BUFFER_SIZE_BYTES: Final = 4_096
_TEXT: Final = WSMsgType.TEXT


def source_addresses(host: str) -> Iterator[str | None]:
    """From where the sockets come, one after the other: an address may hold so many, and 127/8 has many."""
    if host != "localhost" and not (_is_address(host) and ip_address(host).is_loopback):
        while True:
            yield None
    for number in range(256 * 254):
        for _ in range(SOCKETS_PER_ADDRESS_MAX):
            yield f"127.0.{number // 254}.{number % 254 + 1}"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class _Watcher(WSListener):
    """One client of one stream."""

    def __init__(self, crowd: "Crowd", stream: StreamSeen) -> None:
        self._crowd, self._stream = crowd, stream
        self._tally = crowd.tally
        self._last = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake has passed."""
        self._crowd.open.add(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A message; pings are answered without this."""
        if frame.msg_type is _TEXT:
            self._last = self._tally.take(
                self._stream, self._last, frame.get_payload_as_bytes(), time.time_ns() // 1_000_000
            )
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Closed by the peer, or by us at the end."""
        self._crowd.ended(transport)


class Crowd:
    """`count` clients of `<symbol>@depth@100ms`, over the markets of the load in turn."""

    def __init__(self, url: str, count: int) -> None:
        self._url, self._count = url, count
        self.tally = Tally()
        self.open: set[WSTransport] = set()
        self.refused: Counter[str] = Counter()
        self._ends: Counter[str] = Counter()

    async def connect(self) -> float:
        """Open all, HANDSHAKES_AT_ONCE at a time; those that are refused are counted. Returns the seconds."""
        began_s = time.perf_counter()
        places = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
        streams = [(market.symbol.lower(), StreamSeen()) for market in MARKETS]
        addresses = source_addresses(urlsplit(self._url).hostname or "")
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                await places.acquire()
                symbol, stream = streams[number % len(streams)]
                task = group.create_task(self._open(symbol, stream, next(addresses)))
                task.add_done_callback(lambda _: places.release())
        return time.perf_counter() - began_s

    async def _open(self, symbol: str, stream: StreamSeen, address: str | None) -> None:
        url = f"{self._url.replace('http', 'ws', 1)}/ws/{symbol}@depth@100ms"
        try:
            await ws_connect(
                lambda: _Watcher(self, stream),
                url,
                websocket_handshake_timeout=_HANDSHAKE_DEADLINE_S,
                max_frame_size=_FRAME_SIZE_BYTES_MAX,
                read_buffer_init_size=_BUFFER_SIZE_BYTES,
                local_addr=None if address is None else (address, 0),
            )
        except WSHandshakeError as refusal:
            status = refusal.response.status if refusal.response is not None else "no answer"
            self.refused[f"handshake: {status}"] += 1
        except (WSError, OSError, TimeoutError) as error:
            self.refused[f"{type(error).__name__}: {error}"[:100]] += 1

    def ended(self, transport: WSTransport) -> None:
        """One is gone."""
        if transport not in self.open:
            return
        self.open.discard(transport)
        told = transport.close_handshake
        closed = told.recv if told is not None else None
        self._ends["cut" if closed is None else f"closed: {closed.code} {closed.reason}"[:100]] += 1

    def close(self) -> None:
        """Leave; these ends are not counted."""
        leaving, self.open = list(self.open), set()
        for transport in leaving:
            transport.disconnect()

    def figures(self) -> dict[str, Any]:
        """What was seen since the last reset; refusals and ends are those of all the time."""
        return {
            "sockets": self._count,
            "open": len(self.open),
            "ended": self._ends.total(),
            "ends": dict(self._ends),
            "refused": dict(self.refused),
            **self.tally.figures(),
        }
