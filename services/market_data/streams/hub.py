"""Who listens to what: topics, their subscribers, and the bounded queue of each client.

A message is put into bytes once for each of the four ways a client may want it (bare or wrapped in
stream/data, milliseconds or microseconds), and the same bytes go to every subscriber (`deliveries`).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Final

import orjson
from prometheus_client import Counter, Gauge

from exchange.contracts import limits
from exchange.contracts.limits import (
    FRAME_COST_BYTES,
    SOCKET_QUEUE_AGE_S_MAX,
    SOCKET_QUEUE_SIZE_BYTES_MAX,
)
from services.market_data.streams.deliveries import Deliveries, Frame, NextTurn
from services.market_data.streams.names import StreamName, is_listen_key, parse_stream_name

__all__ = ["STREAMS_PER_CLIENT_MAX", "Build", "Client", "Hub", "Topic"]

STREAMS_PER_CLIENT_MAX: Final = limits.STREAMS_PER_SOCKET_MAX
# Names that mean nothing, or not yet, are taken, and remembered only so far: nobody pays for a name.
INVENTED_PER_CLIENT_MAX: Final = limits.INVENTED_STREAMS_PER_SOCKET_MAX
INVENTED_MAX: Final = limits.INVENTED_STREAMS_MAX
# Looked at every tick: a client that does not read is gone within five seconds.
STALL_MAX_S: Final = 4.0
_COMBINED: Final = 1
_MICROSECONDS: Final = 2
_variant_of: Final = attrgetter("variant")
Build = Callable[[int], bytes]
"""Makes a message's JSON; the argument is what milliseconds are multiplied with (1 or 1000)."""
WriteNow = Callable[["Frame"], bool]
"""Hands a frame to the connection at once; False when it must wait for what is before it."""

_clients: Final = Gauge("exchange_market_data_stream_clients", "Open stream connections")
_clients_cut: Final = Counter("exchange_market_data_stream_clients_cut", "Connections ended by the service")
_messages: Final = Counter("exchange_market_data_stream_messages", "Messages queued for clients")


class Client:
    """One connection's subscriptions and outgoing queue. Its socket task takes frames with `next_frames`.

    `write_now`, once there is a connection: what need not queue goes out without waking that task.
    """

    def __init__(self, *, combined: bool, microseconds: bool) -> None:
        self.write_now: WriteNow | None = None
        # Which of the four forms of a message it gets.
        self.variant = (_COMBINED if combined else 0) | (_MICROSECONDS if microseconds else 0)
        # What it has subscribed to and is remembered, and how many names were taken and forgotten.
        self.names: dict[str, None] = {}
        self.invented = 0
        self.forgotten = 0
        self.cut_reason: str | None = None
        # Since when the peer has not taken what it was sent; None while nothing is on its way.
        self.sending_since_s: float | None = None
        self._queue: deque[Frame] = deque()
        self._bytes_queued = 0
        self._oldest_queued_s = 0.0
        self._filled = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def combined(self) -> bool:
        """Whether its messages are wrapped in stream and data."""
        return bool(self.variant & _COMBINED)

    @combined.setter
    def combined(self, value: bool) -> None:
        self.variant = self.variant & ~_COMBINED | (_COMBINED if value else 0)

    def put(self, frame: Frame) -> None:
        """Send a frame, or queue it; a client whose queue has too many bytes, or too old ones, is cut."""
        # While the task is at work with earlier frames, later ones queue behind them.
        if (
            not self._queue
            and self.sending_since_s is None
            and self.write_now is not None
            and self.write_now(frame)
        ):
            return
        now_s, cost = time.monotonic(), len(frame.payload) + FRAME_COST_BYTES
        if not self._queue:
            self._oldest_queued_s = now_s
        elif now_s - self._oldest_queued_s > SOCKET_QUEUE_AGE_S_MAX:
            self.cut("too slow: its queue is old")
            return
        if self._bytes_queued + cost > SOCKET_QUEUE_SIZE_BYTES_MAX:
            self.cut("too slow: its queue is full")
            return
        self._bytes_queued += cost
        self._queue.append(frame)
        self._filled.set()

    def cut(self, reason: str) -> None:
        """Ask the socket task to drop the connection."""
        if self.cut_reason is None:
            self.cut_reason = reason
            self.end()

    def end(self) -> None:
        """Ask the socket task to close the connection in order."""
        self._ended.set()

    async def wait_ended(self) -> None:
        """Wait until the connection is to be dropped or closed."""
        await self._ended.wait()

    async def next_frames(self) -> list[Frame]:
        """Wait for frames and take all that are queued."""
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()
        return self.take_frames()

    def take_frames(self) -> list[Frame]:
        """Take all that are queued."""
        frames = list(self._queue)
        self._queue.clear()
        self._bytes_queued = 0
        return frames


class Topic:
    """A stream somebody listens to. `fresh`: somebody joined since the last timer message."""

    def __init__(self, name: str, parsed: StreamName | None, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self.name = name
        self.parsed = parsed
        self.clients: dict[Client, None] = {}
        self.fresh = True
        self._prefix = b'{"stream":' + orjson.dumps(name) + b',"data":'

    def publish(self, build: Build) -> None:
        """Send a message to every subscriber: made now, of the state as it is, and delivered in turns."""
        clients = list(self.clients)
        variants = set(map(_variant_of, clients))
        for variant in sorted(variants):
            payload = build(1000 if variant & _MICROSECONDS else 1)
            if variant & _COMBINED:
                payload = self._prefix + payload + b"}"
            those = clients if len(variants) == 1 else [c for c in clients if c.variant == variant]
            self._deliveries.add(Frame(payload), those)
        _messages.inc(len(clients))


class Hub:
    """All topics and clients. Only a stream that exists has a topic, whatever clients ask for."""

    def __init__(self) -> None:
        self.topics: dict[str, Topic] = {}
        self.clients: dict[Client, None] = {}
        self._deliveries = Deliveries()
        self._by_kind: dict[str, dict[str, Topic]] = {}
        # Symbols of the markets; None before they are known, when each could be one.
        self._symbols: set[str] | None = None
        self._invented = 0

    def take_turns(self, next_turn: NextTurn) -> None:
        """From now on deliver a part in each turn of the event loop; before, all is delivered at once."""
        self._deliveries.next_turn = next_turn

    def know(self, symbols: Iterable[str]) -> None:
        """These markets exist: their streams begin for those who have asked for them already."""
        new = set(symbols)
        was_first, self._symbols = self._symbols is None, (self._symbols or set()) | new
        for client in self.clients:
            for name in list(client.names):
                topic = self.topics.get(name)
                if topic is None and self._exists(name):
                    self._invented -= 1
                    client.invented -= 1
                    self._join(client, name)
                elif was_first and topic is not None and not self._exists(name):
                    self.unsubscribe(client, [name])
                    self._remember(client, name)

    def connect(self, client: Client) -> None:
        """Take in a connection."""
        self.clients[client] = None
        _clients.set(len(self.clients))

    def disconnect(self, client: Client) -> None:
        """Forget a connection and its subscriptions."""
        self.unsubscribe(client, list(client.names))
        self.clients.pop(client, None)
        _clients.set(len(self.clients))
        if client.cut_reason is not None:
            _clients_cut.inc()

    def subscribe(self, client: Client, names: Iterable[str]) -> None:
        """Subscribe; a name twice counts once. Names that mean nothing are kept, within bounds."""
        for name in names:
            if name in client.names:
                topic = self.topics.get(name)
                if topic is not None:
                    topic.fresh = True
            elif self._exists(name):
                self._join(client, name)
            else:
                self._remember(client, name)

    def unsubscribe(self, client: Client, names: Iterable[str]) -> None:
        """Unsubscribe from what the client had subscribed to; other names are ignored."""
        for name in names:
            if name not in client.names:
                continue
            del client.names[name]
            topic = self.topics.get(name)
            if topic is None:
                self._invented -= 1
                client.invented -= 1
                continue
            topic.clients.pop(client, None)
            if not topic.clients:
                del self.topics[name]
                if topic.parsed is not None:
                    del self._by_kind[topic.parsed.kind][name]

    def _exists(self, name: str) -> bool:
        """Whether anything can ever be sent under a name, as markets are now."""
        parsed = parse_stream_name(name)
        if parsed is None:
            return is_listen_key(name)
        return not parsed.symbol or self._symbols is None or parsed.symbol in self._symbols

    def _join(self, client: Client, name: str) -> None:
        client.names[name] = None
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, parse_stream_name(name), self._deliveries)
            if topic.parsed is not None:
                self._by_kind.setdefault(topic.parsed.kind, {})[name] = topic
        topic.clients[client] = None
        topic.fresh = True

    def _remember(self, client: Client, name: str) -> None:
        if client.invented >= INVENTED_PER_CLIENT_MAX or self._invented >= INVENTED_MAX:
            client.forgotten += 1
            return
        client.names[name] = None
        client.invented += 1
        self._invented += 1

    def of_kind(self, kind: str) -> list[Topic]:
        """Topics of one kind that somebody listens to."""
        topics = self._by_kind.get(kind)
        return list(topics.values()) if topics else []

    def publish(self, name: str, build: Build) -> None:
        """Send a message to a stream's subscribers, if it has any."""
        topic = self.topics.get(name)
        if topic is not None:
            topic.publish(build)

    def send(self, client: Client, payload: bytes) -> None:
        """Answer one client, behind what was published before: once a stream is left nothing of it comes."""
        self._deliveries.add(Frame(payload), (client,))

    def send_to_all(self, build: Build, stream: str) -> None:
        """Send one message to every connection, as each wants it, before this returns."""
        topic = Topic(stream, None, self._deliveries)
        topic.clients = dict(self.clients)
        topic.publish(build)
        self._deliveries.finish()

    def cut_stalled(self) -> None:
        """End connections that have not taken anything for STALL_MAX_S."""
        limit_s = time.monotonic() - STALL_MAX_S
        for client in self.clients:
            if client.sending_since_s is not None and client.sending_since_s < limit_s:
                client.cut("too slow: it does not read")
