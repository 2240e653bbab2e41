"""16 MiB of anything by any door: a clear refusal, nothing changed, and the next one is served."""

import asyncio
import socket
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from local.exchange_process import ExchangeProcess
from tests.e2e.conftest import SignUp
from tests.e2e.trader import Trader, signed_query

pytestmark = pytest.mark.integration

SIZE_BYTES = 16 * 1024 * 1024
MUCH = b"x" * SIZE_BYTES
DEADLINE_S = 60.0
# Bad request, not found (of an unreadable path), too large: body, address, headers.
REFUSED = {400, 404, 413, 414, 431}
TOO_BIG = 1009

KEY = b"X-MBX-APIKEY: %b\r\n"


def request(door: str, trader: Trader) -> bytes:
    """The bytes of a request that is too large in one of its parts."""
    key = KEY % trader.credentials.api_key.encode()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    signed = signed_query(trader.credentials, {**order, "price": "40000"}).encode()
    bearer = b"Authorization: Bearer %b\r\n" % trader.credentials.access_token.encode()
    json = b"Content-Type: application/json\r\n"
    form = b"Content-Type: application/x-www-form-urlencoded\r\n"
    length = b"Content-Length: %d\r\n"
    host = b"Host: exchange\r\n"
    return {
        "order's query": b"POST /api/v3/order?%b&x=%b HTTP/1.1\r\n" % (signed, MUCH) + host + key + b"\r\n",
        "order's body": b"POST /api/v3/order HTTP/1.1\r\n" + host + key + form
        + length % (len(signed) + 3 + SIZE_BYTES) + b"\r\n" + signed + b"&x=" + MUCH,
        "order's header": b"POST /api/v3/order?%b HTTP/1.1\r\n" % signed + host + key
        + b"X-Much: %b\r\n\r\n" % MUCH,
        "many headers": b"POST /api/v3/order?%b HTTP/1.1\r\n" % signed + host + key
        + b"X-Much: much\r\n" * (SIZE_BYTES // 14) + b"\r\n",
        "market data's query": b"GET /api/v3/depth?symbol=%b HTTP/1.1\r\n" % MUCH + host + b"\r\n",
        "path": b"GET /%b HTTP/1.1\r\n" % MUCH + host + b"\r\n",
        "user service's body": b"POST /v1/deposits HTTP/1.1\r\n" + host + bearer + json
        + length % SIZE_BYTES + b"\r\n" + MUCH,
        "user service's query": b"GET /v1/ledger?asset=%b HTTP/1.1\r\n" % MUCH + host + bearer + b"\r\n",
        "socket's query": b"GET /ws/%b HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" % MUCH
        + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + host + b"\r\n",
    }[door]  # fmt: skip


DOORS = [
    "order's query",
    "order's body",
    "order's header",
    "many headers",
    "market data's query",
    "path",
    "user service's body",
    "user service's query",
    "socket's query",
]


def status_of(url: str, data: bytes) -> int:
    """The status that comes back, however much of the request the server cares to read."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=DEADLINE_S) as connection:
        sender_failed = False
        try:
            connection.sendall(data)
        except OSError:
            sender_failed = True  # The server had heard enough; its answer is there all the same.
        try:
            answer = connection.recv(4_096)
        except ConnectionResetError:
            assert sender_failed, "reset without a word"
            return 0
        return int(answer.split()[1]) if answer else 0


def check_unharmed(trader: Trader, before: object) -> None:
    """Nothing was placed or moved, and the same account is served."""
    assert trader.balances() == before
    assert trader.orders("BTCUSDT") == {}


# On the stack nginx is before all of them: one part of each kind there, all at the services themselves.
ON_STACK = pytest.mark.thorough_for("stack")
AT_NGINX = {"order's body", "many headers", "user service's body", "socket's query"}


@pytest.mark.parametrize(
    "door",
    [door if door in AT_NGINX else pytest.param(door, marks=ON_STACK) for door in DOORS],
)
def test_16_mib_by_http(door: str, exchange: ExchangeProcess, sign_up: SignUp) -> None:
    trader = sign_up()
    before = trader.balances()
    # Closing while the rest still comes may lose the answer on the way (0); it may not always.
    statuses = set[int]()
    for _ in range(3):
        statuses.add(status_of(exchange.url, request(door, trader)))
        if statuses & REFUSED:
            break
    assert statuses & REFUSED, f"{door}: {statuses}"
    assert statuses <= {0} | REFUSED, f"{door}: {statuses}"
    check_unharmed(trader, before)


async def say_much(peer: ClientConnection, kind: str) -> None:
    """Send it, and listen until the other side ends the connection."""
    if kind == "fragments":
        await peer.send(b"x" * 1_024 for _ in range(SIZE_BYTES // 1_024))
    else:
        await peer.send(MUCH.decode() if kind == "text" else MUCH)
    while True:
        await peer.recv()


@pytest.mark.parametrize(
    "path",
    ["/ws-api/v3", "/ws", *(pytest.param(p, marks=ON_STACK) for p in ("/stream", "/ws/btcusdt@trade"))],
)
@pytest.mark.parametrize(
    "kind", ["fragments", *(pytest.param(kind, marks=ON_STACK) for kind in ("text", "bytes"))]
)
async def test_16_mib_by_socket(path: str, kind: str, exchange: ExchangeProcess, sign_up: SignUp) -> None:
    trader = await asyncio.to_thread(sign_up)
    before = await asyncio.to_thread(trader.balances)
    url = exchange.url.replace("http://", "ws://") + path
    async with asyncio.timeout(DEADLINE_S), connect(url, proxy=None) as peer:
        with pytest.raises(ConnectionClosed) as closed:
            await say_much(peer, kind)
    told = closed.value.rcvd
    assert told is None or told.code == TOO_BIG
    await asyncio.to_thread(check_unharmed, trader, before)
