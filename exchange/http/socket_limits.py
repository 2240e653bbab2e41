"""How many WebSockets an address may open and hold (binance-spot-api 4), refused before the handshake.

Attempts are counted by all processes together, by way of `exchange.http.usage_sharing`; open sockets by each
process. While an address is banned, or has no weight left, it gets no socket either.
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import orjson
from prometheus_client import Counter

from exchange.contracts import limits
from exchange.contracts.errors import ApiError, LimitError, overloaded, too_many_requests
from exchange.http.addresses import owner_with_network
from exchange.http.request_limits import RequestLimits
from exchange.http.weights import REFUSED
from exchange.http.windows import Limit, Window

__all__ = ["ATTEMPTS_MAX", "OPEN_MAX", "SocketLimits", "refuse_handshake"]

ATTEMPTS_MAX: Final = limits.SOCKET_ATTEMPTS_PER_ADDRESS_MAX
_ATTEMPTS_WINDOW_MS: Final = 300_000
# What an address may open in one window, it may hold: a bot that needs more reads by several addresses.
OPEN_MAX: Final = limits.SOCKETS_PER_ADDRESS_MAX
# All addresses of a /48 of IPv6 hold as many as four of them; a /16 of IPv4 belongs to many.
_NETWORK_SIBLINGS_PER_SHARE: Final = 16
_RETRY_OPEN_MS: Final = 60_000
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_refused: Final = Counter("exchange_sockets_refused_total", "WebSockets refused before they opened", ["kind"])


class SocketLimits:
    """The sockets of one kind of a process. `most`: of all addresses together."""

    def __init__(self, kind: str, requests: RequestLimits, clock_ms: Callable[[], int], most: int) -> None:
        limit = Limit(f"{kind}_CONNECTIONS", "MINUTE", 5, _ATTEMPTS_WINDOW_MS, ATTEMPTS_MAX)
        self.attempts = Window(limit, clock_ms)
        self._requests = requests
        self._clock_ms = clock_ms
        self._most = most
        self._count = 0
        # By owner and by network; at most two entries a socket.
        self._open: dict[str, int] = {}
        self._refused = _refused.labels(kind)

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Hold a place while a socket is open. Raises LimitError with 429 or 418, ApiError with 503."""
        try:
            names = self._admit(address)
        except ApiError as error:
            self._refused.inc()
            if isinstance(error, LimitError):
                # What is refused weighs something: who goes on all the same is banned.
                self._requests.add_weight(address, REFUSED)
            raise
        for name in names:
            self._open[name] = self._open.get(name, 0) + 1
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            for name in names:
                left = self._open[name] - 1
                if left:
                    self._open[name] = left
                else:
                    del self._open[name]

    def _admit(self, address: str) -> tuple[str, ...]:
        """Under which names the socket is counted."""
        requests = self._requests
        if self._count >= self._most:
            raise overloaded()
        if requests.is_exempt(address):
            return ()
        requests.admit(address)
        owner = owner_with_network(address)
        attempts, limit = self.attempts.add(owner, 1), self.attempts.limit
        if not requests.is_enforced:
            return owner.name, owner.network
        if attempts > limit.most:
            raise too_many_requests("connections", limit.most, limit.interval_text, self.attempts.wait_ms())
        network_max = OPEN_MAX * max(1, owner.siblings_max // _NETWORK_SIBLINGS_PER_SHARE)
        for name, most in ((owner.name, OPEN_MAX), (owner.network, network_max)):
            if self._open.get(name, 0) >= most:
                now_ms = self._clock_ms()
                raise too_many_requests("connections", most, "address", (now_ms, now_ms + _RETRY_OPEN_MS))
        return owner.name, owner.network


async def refuse_handshake(scope: MutableMapping[str, Any], send: Send, error: ApiError) -> None:
    """Answer a handshake as REST answers a request; where the server cannot, close."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.message[:120]})
        return
    body = orjson.dumps(error.payload())
    headers = [(b"content-type", b"application/json;charset=UTF-8"), (b"content-length", b"%d" % len(body))]
    if isinstance(error, LimitError):
        headers.append((b"retry-after", b"%d" % error.retry_after_s))
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
