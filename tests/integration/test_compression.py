"""What the gateway packs and what it leaves alone: the real nginx with its real file, before a server."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from string import Template

import httpx
import pytest
from aiohttp import web
from websockets.asyncio.client import connect

from local.servers import free_port, nginx
from local.terminal import WEB_ROOT

pytestmark = pytest.mark.integration

TEMPLATE = Path(__file__).parents[2] / "infra" / "nginx" / "exchange.conf.template"
LONG, SHORT = 2_000, 1_999
JSON = "application/json;charset=UTF-8"


def body_of(size_bytes: int) -> bytes:
    return b'["' + b"0" * (size_bytes - 4) + b'"]'


async def _answer(request: web.Request) -> web.StreamResponse:
    if request.headers.get("Upgrade", "").lower() == "websocket":
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.send_str("0" * LONG)
        await socket.close()
        return socket
    body = body_of(int(request.query["size"]))
    return web.Response(body=body, headers={"Content-Type": request.query.get("type", JSON)})


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[str]:
    """nginx as the stack starts it; every service behind it is the same few lines."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _answer)
    runner = web.AppRunner(app)
    await runner.setup()
    upstream, port = free_port(), free_port()
    await web.TCPSite(runner, "127.0.0.1", upstream).start()
    addresses = {f"{name}_ADDRESS": f"127.0.0.1:{upstream}" for name in ("ORDER", "USER", "MARKET_DATA")} | {
        "LISTEN": f"127.0.0.1:{port}",
        "WEB_ROOT": str(WEB_ROOT),
        "SOCKETS_PER_ADDRESS": "300",
    }
    config = tmp_path / "nginx.conf"
    config.write_text(Template(TEMPLATE.read_text()).safe_substitute(addresses))
    server = await nginx.start(
        tmp_path, port, prefix_dir=tmp_path / "nginx", config_file=config, served_dir=WEB_ROOT
    )
    yield server.url
    await server.stop()
    await runner.cleanup()


async def get(url: str, encoding: str = "gzip") -> tuple[httpx.Headers, bytes]:
    """Headers and body as they travel."""
    async with (
        httpx.AsyncClient(trust_env=False, timeout=10) as client,
        client.stream("GET", url, headers={"Accept-Encoding": encoding}) as answer,
    ):
        assert answer.status_code == 200
        return answer.headers, b"".join([part async for part in answer.aiter_raw()])


@pytest.mark.parametrize("path", ["/api/v3/depth", "/api/v3/klines", "/api/v3/allOrders", "/api/v3/myTrades"])
async def test_long_answers_are_packed_for_who_takes_it(gateway: str, path: str) -> None:
    headers, body = await get(f"{gateway}{path}?size={LONG}")
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "Accept-Encoding"
    assert len(body) < LONG / 2
    assert gzip.decompress(body) == body_of(LONG)


async def test_who_does_not_take_it_gets_plain_text_and_caches_are_told(gateway: str) -> None:
    headers, body = await get(f"{gateway}/api/v3/depth?size={LONG}", "identity")
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"
    assert body == body_of(LONG)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (f"/api/v3/order?size={SHORT}", "short"),
        (f"/v1/sessions?size={LONG}", "secrets may be in it"),
        (f"/api/v3/depth?size={LONG}&type=application/octet-stream", "no JSON"),
        (f"/metrics?size={LONG}&type=text/plain", "asked for inside"),
    ],
)
async def test_all_else_stays_as_it_is(gateway: str, what: str, why: str) -> None:
    headers, body = await get(f"{gateway}{what}")
    assert "content-encoding" not in headers, why
    assert len(body) in (LONG, SHORT)


async def test_streams_stay_as_they_are(gateway: str) -> None:
    url = gateway.replace("http", "ws", 1) + "/ws/btcusdt@depth"
    async with connect(url, proxy=None, additional_headers={"Accept-Encoding": "gzip"}) as socket:
        assert await socket.recv() == "0" * LONG
        assert socket.response is not None
        assert "Content-Encoding" not in socket.response.headers
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
