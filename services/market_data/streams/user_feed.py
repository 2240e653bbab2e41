"""Legacy user data streams by listen key (binance-spot-api 6.3): Redis channels to stream clients.

The order service publishes `{"seq": n, "event": {…}}` on `user_data:<key>`; several events may share a
seq. One task owns the one subscription connection, so that commands and messages never cross. When it
breaks, events may be lost: everybody who listens is disconnected, and finds his state by REST.
A key that has died is told to its listeners by `listenKeyExpired`, the last event of its stream.

A connection that loses packets without an end looks like a quiet one. So this sends itself a word through
Redis, and takes it for broken when none comes back. A publisher that had to drop events says so on
LOST_CHANNEL.
"""

import asyncio
import logging
import secrets
from enum import Enum
from typing import Final

import msgspec
import orjson
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from exchange.process.connections import CACHE_ERRORS
from exchange.wall_clock import clock_us
from services.market_data.streams.hub import Client, Hub

__all__ = ["Joined", "UserFeed"]

logger = logging.getLogger(__name__)
_CHANNEL: Final = "user_data:"
# No listen key is so short.
LOST_CHANNEL: Final = "user_data:lost"
PULSE_EVERY_S: Final = 5.0
# Sooner than in 30 s from the last word everybody who listens knows.
PULSE_SILENCE_S_MAX: Final = 15.0
_POLL_S: Final = 0.05
_RETRY_S: Final = 0.5
_REQUESTS_MAX: Final = 10_000
_SAME_SEQ_MAX: Final = 1_000
EXPIRY_EVERY_S: Final = 5.0
_KEYS_PER_LOOK: Final = 500
# Event -> its keys that are times.
_TIMES_OF: Final = {"executionReport": "ETOW", "outboundAccountPosition": "Eu", "balanceUpdate": "ET"}
_JOIN_ERRORS: Final[tuple[type[BaseException], ...]] = (*CACHE_ERRORS, asyncio.QueueFull)


class Joined(Enum):
    """What became of the wish to hear a listen key's events."""

    JOINED = "joined"
    DEAD_KEY = "there is no such key"
    UNKNOWN = "the cache does not answer"


class _UserMessage(msgspec.Struct):
    seq: int
    event: msgspec.Raw


_decoder: Final = msgspec.json.Decoder(_UserMessage)


class _Channel:
    """What was forwarded of one key's events."""

    def __init__(self) -> None:
        self.confirmed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.seq = 0
        self.at_seq: set[bytes] = set()

    def is_new(self, seq: int, event: bytes) -> bool:
        """False for what is strictly older than the last, and for an identical repeat of it."""
        if seq < self.seq:
            return False
        if seq > self.seq:
            self.seq = seq
            self.at_seq.clear()
        if event in self.at_seq:
            return False
        if len(self.at_seq) < _SAME_SEQ_MAX:
            self.at_seq.add(event)
        return True


def _rescaled(event: bytes, scale: int) -> bytes:
    """An event with its times, which are in milliseconds, in microseconds."""
    shape = orjson.loads(event)
    for name in _TIMES_OF.get(shape.get("e"), "E"):
        if name in shape:
            shape[name] *= scale
    return orjson.dumps(shape)


class UserFeed:
    """Forwards user events to the hub's topics named after listen keys. Run `run()` as a task."""

    def __init__(self, cache: Redis, hub: Hub, deadline_ms: int) -> None:
        self._cache = cache
        self._hub = hub
        self._deadline_s = deadline_ms / 1000
        self._channels: dict[str, _Channel] = {}
        self._wanted: asyncio.Queue[str] = asyncio.Queue(_REQUESTS_MAX)
        self._look_at_s = 0.0
        self._pulse = f"{_CHANNEL}pulse:{secrets.token_hex(8)}"
        self._pulse_at_s = 0.0
        self._pulse_heard_s = 0.0

    async def join(self, client: Client, key: str) -> Joined:
        """Subscribe the client if the key is alive."""
        try:
            async with asyncio.timeout(self._deadline_s):
                if not await self._cache.exists(f"listen_key:{key}"):
                    return Joined.DEAD_KEY
                self._hub.subscribe(client, [key])
                channel = self._channels.get(key)
                if channel is None:
                    channel = self._channels[key] = _Channel()
                    self._wanted.put_nowait(key)
                joined = await asyncio.shield(channel.confirmed)
        except _JOIN_ERRORS as error:
            logger.warning("cannot join a user data stream: %r", error)
            joined = False
        if not joined:
            self._hub.unsubscribe(client, [key])
            self.left(key)
        return Joined.JOINED if joined else Joined.UNKNOWN

    def left(self, key: str) -> None:
        """Call when a client left; the channel is given up with its last listener."""
        if key in self._channels and key not in self._hub.topics and not self._wanted.full():
            self._wanted.put_nowait(key)

    def look_now(self) -> None:
        """Do not wait for the next turn to find keys that have died."""
        self._look_at_s = 0

    async def run(self) -> None:
        """Hold the subscription until cancelled; reconnect when it breaks."""
        while True:
            try:
                await self._hold()
            except CACHE_ERRORS as error:
                logger.warning("the subscription to user data broke: %r", error)
                self._drop_listeners()
                await asyncio.sleep(_RETRY_S)

    async def _hold(self) -> None:
        subscription: PubSub = self._cache.pubsub()
        try:
            while True:
                if not self._channels:
                    await self._settle(subscription, await self._wanted.get())
                    await self._begin_pulse(subscription)
                while not self._wanted.empty():
                    await self._settle(subscription, self._wanted.get_nowait())
                if not self._channels:
                    continue
                message = await subscription.get_message(timeout=_POLL_S)
                if message is not None:
                    self._take(message)
                await self._dismiss_expired()
                await self._beat()
        finally:
            async with asyncio.timeout(self._deadline_s):
                await subscription.aclose()

    async def _begin_pulse(self, subscription: PubSub) -> None:
        """From now on somebody listens: the connection must show that it lives."""
        self._pulse_heard_s = self._pulse_at_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(self._deadline_s):
            await subscription.subscribe(self._pulse, LOST_CHANNEL)

    async def _beat(self) -> None:
        """Say a word to ourselves now and then. Raises ConnectionError when none came back for too long."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._pulse_heard_s > PULSE_SILENCE_S_MAX:
            raise ConnectionError(f"nothing has come for {now_s - self._pulse_heard_s:.0f} s")
        if now_s >= self._pulse_at_s:
            self._pulse_at_s = now_s + PULSE_EVERY_S
            async with asyncio.timeout(self._deadline_s):
                await self._cache.publish(self._pulse, b"")

    async def _settle(self, subscription: PubSub, key: str) -> None:
        """Make the subscription fit what is wanted of this key now."""
        async with asyncio.timeout(self._deadline_s):
            channel = self._channels.get(key)
            if channel is not None and key in self._hub.topics:
                if not channel.confirmed.done():
                    await subscription.subscribe(_CHANNEL + key)
            else:
                self._channels.pop(key, None)
                await subscription.unsubscribe(_CHANNEL + key)

    async def _dismiss_expired(self) -> None:
        """Now and then: a last event for the listeners of keys that have died, who then leave."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + EXPIRY_EVERY_S
        keys = list(self._channels)
        try:
            for first in range(0, len(keys), _KEYS_PER_LOOK):
                some = keys[first : first + _KEYS_PER_LOOK]
                pipeline = self._cache.pipeline(transaction=False)
                for key in some:
                    pipeline.exists(f"listen_key:{key}")
                async with asyncio.timeout(self._deadline_s):
                    are_alive = await pipeline.execute()
                for key, is_alive in zip(some, are_alive, strict=True):
                    if not is_alive:
                        self._dismiss(key)
        except CACHE_ERRORS as error:
            logger.warning("the ages of listen keys are not known: %r", error)

    def _dismiss(self, key: str) -> None:
        now_us = clock_us()

        def farewell(unit: int) -> bytes:
            time_now = now_us * unit // 1_000
            return orjson.dumps({"e": "listenKeyExpired", "E": time_now, "listenKey": key})

        self._hub.publish(key, farewell)
        for client in self._listeners(key):
            self._hub.unsubscribe(client, [key])
        self.left(key)

    def _take(self, message: dict[str, object]) -> None:
        name = message["channel"]
        channel_name = name.decode() if isinstance(name, bytes) else str(name)
        if channel_name in (self._pulse, LOST_CHANNEL):
            self._pulse_heard_s = asyncio.get_running_loop().time()
            if channel_name == LOST_CHANNEL and message["type"] == "message":
                logger.warning("a publisher of user data has dropped events: all listeners are cut")
                for key in self._channels:
                    self._cut_listeners(key)
            return
        key = channel_name.removeprefix(_CHANNEL)
        channel = self._channels.get(key)
        if channel is None:
            return
        if message["type"] == "subscribe":
            if channel.confirmed.done():
                # The client library has reconnected by itself; who knows what was said meanwhile.
                self._cut_listeners(key)
            else:
                channel.confirmed.set_result(True)
            return
        data = message["data"]
        if message["type"] != "message" or not isinstance(data, bytes | str):
            return
        try:
            user_message = _decoder.decode(data)
        except msgspec.DecodeError as error:
            logger.error("a user data message cannot be read: %s", error)
            return
        event = bytes(user_message.event)
        if channel.is_new(user_message.seq, event):
            self._hub.publish(key, lambda scale: event if scale == 1 else _rescaled(event, scale))

    def _drop_listeners(self) -> None:
        for key, channel in self._channels.items():
            if not channel.confirmed.done():
                channel.confirmed.set_result(False)
            self._cut_listeners(key)
        self._channels.clear()
        while not self._wanted.empty():
            self._wanted.get_nowait()

    def _cut_listeners(self, key: str) -> None:
        for client in self._listeners(key):
            client.cut("the user data stream was interrupted")

    def _listeners(self, key: str) -> list[Client]:
        topic = self._hub.topics.get(key)
        return list(topic.clients) if topic else []
