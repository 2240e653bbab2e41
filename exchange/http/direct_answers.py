"""The short way of an answer: from the parser to a handler and back, without an application in between.

A request whose path has a handler here passes no middleware and no router, and its answer is one write. What
goes over the wire is what the long way through the application would have written, to the byte: uvicorn's
head, the server's own headers, the page policy (tests/unit/order/test_direct_answers.py holds them equal).
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

from starlette.types import Receive, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from exchange.http.answers import POLICY_HEADER

__all__ = ["Answer", "ClientAddresses", "DirectAnswers", "DirectHandler"]

logger = logging.getLogger(__name__)
Headers = list[tuple[bytes, bytes]]
_DIRECT_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE"})
_FORWARDED_SIZE_BYTES_MAX: Final = 256
_KNOWN_MAX: Final = 10_000


class Answer(NamedTuple):
    """A whole answer. `headers`: names in lower case, the length of the body among them."""

    status: int
    headers: Headers
    body: bytes


# The request's scope, its `receive`, and its body where that has come already. None: the client has gone.
DirectHandler = Callable[[Scope, Receive, bytes | None], Awaitable[Answer | None]]


class ClientAddresses:
    """Who is behind a connection: what a trusted proxy says, else the peer; as for uvicorn's own."""

    def __init__(self, trusted_proxies: str = "") -> None:
        self._trusted = None
        if trusted_proxies:
            self._trusted = ProxyHeadersMiddleware(cast(Any, None), trusted_proxies).trusted_hosts
        self._known = lru_cache(maxsize=_KNOWN_MAX)(self._read)

    def of(self, scope: Scope) -> tuple[str, int] | None:
        """Address and port; the port is 0 where a proxy told the address."""
        peer: tuple[str, int] | None = scope.get("client")
        if self._trusted is None or peer is None or peer[0] not in self._trusted:
            return peer
        told = b""
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                told = value if not told else told + b", " + value
        if not told:
            return peer
        found = self._known(told) if len(told) <= _FORWARDED_SIZE_BYTES_MAX else self._read(told)
        return found if found[0] else peer

    def _read(self, told: bytes) -> tuple[str, int]:
        assert self._trusted is not None, "asked for trusted peers alone"
        return self._trusted.get_trusted_client_address(told.decode("latin1"))


class DirectAnswers:
    """`handlers` by exact path; other paths and unusual methods go to the application."""

    def __init__(
        self, handlers: Mapping[str, DirectHandler] | None = None, clients: ClientAddresses | None = None
    ) -> None:
        self._handlers = dict(handlers or {})
        self.clients = clients or ClientAddresses()
        self._defaults: Headers = []
        self._defaults_text = b""

    def handler(self, scope: Scope) -> DirectHandler | None:
        """Who answers a request directly, if anybody does."""
        handler = self._handlers.get(scope["path"])
        return handler if handler is not None and scope["method"] in _DIRECT_METHODS else None

    async def serve(
        self, cycle: RequestResponseCycle, handler: DirectHandler, client: tuple[str, int] | None
    ) -> None:
        """Answer one request of `client`."""
        scope = cast(Scope, cycle.scope)
        scope["client"] = client
        # Who waits to be asked for a body is asked by `receive`, also when he has sent it already.
        is_whole = not (cycle.more_body or cycle.disconnected or cycle.waiting_for_100_continue)
        try:
            answer = await handler(
                scope, cast(Receive, cycle.receive), bytes(cycle.body) if is_whole else None
            )
            if answer is not None:
                await self._write(cycle, answer)
        except BaseException:
            logger.exception("%s failed", scope["path"])
            if cycle.response_started:
                cycle.transport.close()
            else:
                await cycle.send_500_response()
        finally:
            cycle.on_response = _nothing

    async def _write(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """As uvicorn's cycle does it in two messages and two writes."""
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        if cycle.default_headers is not self._defaults:
            self._defaults = cycle.default_headers
            self._defaults_text = b"".join(
                b"%b: %b\r\n" % (name.lower(), value) for name, value in self._defaults
            )
        parts = [STATUS_LINE[answer.status], self._defaults_text]
        for name, value in answer.headers:
            if name == b"connection":
                cycle.keep_alive = False
            parts += (name, b": ", value, b"\r\n")
        parts.append(_POLICY_LINE)
        if not cycle.keep_alive and (b"connection", b"close") not in answer.headers:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", answer.body)
        cycle.transport.write(b"".join(parts))
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


_POLICY_LINE: Final = b"%b: %b\r\n" % POLICY_HEADER


def _nothing() -> None:
    """A cycle that is over holds nothing of its connection."""
