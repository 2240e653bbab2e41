"""The HTTP server of a process: uvicorn on a bound socket, as one of the process's components."""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import Generator, Mapping, Sequence
from typing import Any, cast

import uvicorn

from exchange.contracts import limits
from exchange.contracts.limits import CONNECTIONS_MAX
from exchange.http.answers import WithPagePolicy, answer_headers
from exchange.http.connection_guard import ConnectionLimits, guarded_protocols
from exchange.http.direct_answers import ClientAddresses, DirectAnswers, DirectHandler
from exchange.process.components import Component, run_components
from exchange.process.config import Settings
from exchange.process.loop.pulse import settle_process

__all__ = ["HttpServer", "bind", "serve"]

_SHUTDOWN_DEADLINE_S = 5
_BACKLOG = 1_024
# As Binance does (binance-spot-api 4).
_PING_INTERVAL_S = 20.0
_KEEP_ALIVE_S = 75
# Descriptors for all that is no client: logs, files, databases.
_DESCRIPTORS_RESERVED = 512
# A bound on what the kernel keeps for a client that does not read; it would take megabytes.
_SEND_BUFFER_SIZE_BYTES = 262_144
_WEBSOCKET_MESSAGE_SIZE_BYTES_MAX = limits.WEBSOCKET_MESSAGE_SIZE_BYTES_MAX


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything else is started. Raises OSError with the reason in words."""
    # Its protocol is named: where it is not, asyncio (unlike uvloop) leaves Nagle's algorithm on, and the end
    # of an answer waits 40 ms for the other side to acknowledge its beginning.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_SIZE_BYTES)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno, f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}"
        ) from None
    listener.setblocking(False)
    return listener


def _connections_max() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    return max(64, min(CONNECTIONS_MAX, soft - _DESCRIPTORS_RESERVED))


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: `run_process` does that for the whole process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class HttpServer:
    """The component that answers HTTP and WebSocket on a bound socket."""

    name = "http"

    def __init__(
        self,
        app: Any,
        listener: socket.socket,
        trusted_proxies: str = "",
        limits: ConnectionLimits | None = None,
        *,
        hsts: bool = False,
        direct: Mapping[str, DirectHandler] | None = None,
    ) -> None:
        """`direct`: handlers that answer their paths without the application."""
        self._listener = listener
        answers = DirectAnswers(direct, ClientAddresses(trusted_proxies))
        http, websocket = guarded_protocols(limits or ConnectionLimits(), answers)
        self._server = _Server(
            uvicorn.Config(
                WithPagePolicy(app),
                loop="none",
                http=cast(Any, http),
                ws=cast(Any, websocket),
                headers=answer_headers(hsts=hsts),
                lifespan="off",
                access_log=False,
                log_config=None,
                ws_per_message_deflate=False,
                ws_max_size=_WEBSOCKET_MESSAGE_SIZE_BYTES_MAX,
                ws_ping_interval=_PING_INTERVAL_S,
                ws_ping_timeout=60.0,
                limit_concurrency=_connections_max(),
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_SHUTDOWN_DEADLINE_S,
                server_header=False,
                # The client's address matters for IP allow-lists: trust only our own gateway for it.
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
            )
        )

    async def start(self) -> None:
        """Nothing to recover."""

    async def run(self) -> None:
        """Serve until cancelled, then let open requests end within a deadline."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="uvicorn")
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self._server.should_exit = True
            await asyncio.wait({serving}, timeout=_SHUTDOWN_DEADLINE_S + 2)
            raise
        raise RuntimeError("the HTTP server ended by itself")

    async def stop(self) -> None:
        """Close the listening socket."""
        self._listener.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Always ready: whoever reads this came through it."""
        return {}


async def serve(
    app: Any,
    components: Sequence[Component],
    settings: Settings,
    direct: Mapping[str, DirectHandler] | None = None,
) -> None:
    """Run the components and serve `app` on settings.host:settings.port; `direct`: see HttpServer.

    The port opens first, so that probes get an answer while the components recover. When they have, the heap
    is settled.
    """
    listener = bind(settings.host, settings.port)
    server = HttpServer(app, listener, settings.trusted_proxies, hsts=settings.hsts, direct=direct)
    await run_components([server, *components], settle_process)
