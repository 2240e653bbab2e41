"""How long a peer may take and how much it may queue, and what the connections of a server have in common."""

from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

from exchange.http.direct_answers import DirectAnswers
from exchange.http.fair_turns import FairTurns, call_in_next_round

__all__ = ["SOCKETS_CUT", "ConnectionLimits", "Shared"]

SOCKETS_CUT: Final = Counter(
    "exchange_sockets_cut_total", "Connections that the server ended for the peer's behaviour", ["reason"]
)


@dataclass(frozen=True)
class ConnectionLimits:
    """Times in seconds, sizes in bytes."""

    # From the connection, or from a request's first byte, to the end of its head.
    head_s: float = 10.0
    # From there to the end of its body; the services' own answers come first (request_deadline_ms).
    body_s: float = 20.0
    # How long the peer may leave more than the transport's high-water mark (64 KiB) unread.
    http_stall_s: float = 30.0
    # A little less than the five seconds after which a stream client is cut.
    websocket_stall_s: float = 4.5
    # How long a connection that is being closed may take to send the rest.
    close_s: float = 5.0
    # As large as the gateway's (infra/nginx: large_client_header_buffers).
    head_size_bytes_max: int = 65_536
    headers_max: int = 100
    pipelined_max: int = 1_000
    fragments_max: int = 1_000
    # Pings and pongs of a peer within a second; they are answered without the application.
    controls_per_s_max: int = 50
    # How many of the connections may be WebSockets; the others are for requests. None: three quarters.
    sockets_max: int | None = None
    # Above limit_concurrency, where requests get 503; here connections are dropped unheard.
    spare_connections: int = 256


class Shared:
    """What the connections of a server share: how many are WebSockets, and whose request begins next."""

    def __init__(self, direct: DirectAnswers) -> None:
        self.sockets = 0
        self.direct = direct
        self.turns = FairTurns(call_in_next_round)
