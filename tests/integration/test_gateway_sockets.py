"""The gateway's own bound on sockets: the real nginx with its real file, and services that take all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from string import Template
from typing import NamedTuple

import httpx
import pytest
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from local.servers import free_port, nginx
from local.terminal import WEB_ROOT

pytestmark = pytest.mark.integration

TEMPLATE = Path(__file__).parents[2] / "infra" / "nginx" / "exchange.conf.template"
PER_ADDRESS = 5
ALL = 12
DEADLINE_S = 60.0
ONE, TWO, THREE = "127.0.0.1", "127.0.0.2", "127.0.0.3"


class Gateway(NamedTuple):
    """`told`: what the services were told of their clients' addresses."""

    url: str
    told: list[str]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    told: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        told.append(request.headers["X-Forwarded-For"])
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.json_response({})
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    upstream, port = free_port(), free_port()
    await web.TCPSite(runner, ONE, upstream).start()
    names = {f"{name}_ADDRESS": f"{ONE}:{upstream}" for name in ("ORDER", "USER", "MARKET_DATA")}
    names |= {
        "LISTEN": f"{ONE}:{port}",
        "WEB_ROOT": str(WEB_ROOT),
        "SOCKETS_PER_ADDRESS": str(PER_ADDRESS),
    }
    text = TEMPLATE.read_text()
    assert text.count("limit_conn all_sockets 6144;") == 2
    text = text.replace("all_sockets 6144", f"all_sockets {ALL}")
    config = tmp_path / "nginx.conf"
    config.write_text(Template(text).safe_substitute(names))
    server = await nginx.start(
        tmp_path, port, prefix_dir=tmp_path / "nginx", config_file=config, served_dir=WEB_ROOT
    )
    yield Gateway(server.url, told)
    await server.stop()
    await runner.cleanup()


async def socket(gateway: Gateway, path: str, address: str) -> ClientConnection:
    url = gateway.url.replace("http", "ws", 1) + path
    return await connect(url, proxy=None, local_addr=(address, 0), open_timeout=DEADLINE_S)


async def refusal(gateway: Gateway, path: str, address: str) -> InvalidStatus | None:
    try:
        await (await socket(gateway, path, address)).close()
    except InvalidStatus as error:
        return error
    return None


@pytest.mark.parametrize(("path", "other"), [("/ws/btcusdt@trade", "/ws-api/v3"), ("/ws-api/v3", "/stream")])
async def test_an_address_holds_so_many_sockets_and_others_do_not_notice(
    gateway: Gateway, path: str, other: str
) -> None:
    async with AsyncExitStack() as held:
        for _ in range(PER_ADDRESS):
            await held.enter_async_context(await socket(gateway, path, ONE))
        error = await refusal(gateway, path, ONE)
        assert error is not None
        assert error.response.status_code == 429
        assert error.response.headers["Retry-After"] == "60"
        assert b'"code":-1003' in error.response.body
        assert await refusal(gateway, path, TWO) is None
        assert await refusal(gateway, other, ONE) is None
        async with httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S) as client:
            for asked in ("/api/v3/time", "/api/v3/order", "/v1/me"):
                assert (await client.get(gateway.url + asked)).status_code == 200
    async with asyncio.timeout(DEADLINE_S):
        while await refusal(gateway, path, ONE) is not None:
            await asyncio.sleep(0.05)
    assert set(gateway.told) == {ONE, TWO}


async def test_all_addresses_together_leave_room_for_requests(gateway: Gateway) -> None:
    async with AsyncExitStack() as held:
        for number in range(ALL):
            path = ("/ws/x", "/ws-api/v3")[number % 2]
            address = (ONE, TWO, THREE)[number % 3]
            await held.enter_async_context(await socket(gateway, path, address))
        error = await refusal(gateway, "/ws/x", "127.0.0.4")
        assert error is not None
        assert error.response.status_code == 429
        async with httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S) as client:
            answers = await asyncio.gather(*(client.post(gateway.url + "/api/v3/order") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
