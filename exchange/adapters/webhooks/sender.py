"""A `WebhookSender` over HTTP/1.1: judges every address of a name, and connects to one of those alone."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import httpcore

from exchange.ports.messages import MessageError
from exchange.security.webhook_targets import TargetRefusedError, may_connect, target_of

__all__ = ["WEBHOOK_DEADLINE_MS", "HttpWebhookSender", "resolve"]

# From the name to the status.
WEBHOOK_DEADLINE_MS: Final = 5_000

# Room for every connection that the worker opens at once.
_CONNECTIONS_MAX: Final = 64
Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Every address of a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class _ClosedStream(httpcore.AsyncNetworkStream):
    """A stream that is closed when TLS does not come about: httpcore leaves it open when it is cancelled."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As the stream inside."""
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As the stream inside."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """As the stream inside."""
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """The stream under TLS; closed unless it comes about."""
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        """As the stream inside."""
        return self._inner.get_extra_info(info)


class _JudgingBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to public addresses alone. TLS stays bound to the name."""

    def __init__(self, resolve: Resolve, *, loopback: bool) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._resolve = resolve
        self._loopback = loopback

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge, connect. Raises MessageError when one of the addresses is not public."""
        try:
            addresses = await self._resolve(host, port)
        except OSError:
            raise MessageError("the name is not known") from None
        # One that is not public spoils them all: who answers with both tries his luck.
        if not addresses or not all(may_connect(one, loopback=self._loopback) for one in addresses):
            raise MessageError("the address is not public")
        inner = await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)
        return _ClosedStream(inner)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise MessageError("no sockets of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait, as the pool asks for."""
        await asyncio.sleep(seconds)


class HttpWebhookSender:
    """A new connection for each request, so that each is judged; all within `deadline_ms`."""

    def __init__(self, deadline_ms: int, *, loopback: bool = False, resolve: Resolve = resolve) -> None:
        """`loopback`: this machine's own address is taken too, for exchanges on one machine."""
        self._deadline_s = deadline_ms / 1000
        self._loopback = loopback
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=_CONNECTIONS_MAX,
            max_keepalive_connections=0,
            network_backend=_JudgingBackend(resolve, loopback=loopback),
        )

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> int:
        """The status of the answer, whose body nobody reads. Raises MessageError, in words for its owner."""
        try:
            target_of(url, loopback=self._loopback)
        except TargetRefusedError as error:
            raise MessageError(str(error)) from None
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._pool.stream(
                    "POST", url, headers=list(headers.items()), content=body.encode()
                ) as answer,
            ):
                return int(answer.status)
        except TimeoutError:
            raise MessageError(f"no answer within {self._deadline_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise MessageError(f"no answer: {type(error).__name__}") from None

    async def close(self) -> None:
        """Let go."""
        await self._pool.aclose()
