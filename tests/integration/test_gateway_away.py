"""What the real nginx answers for a service that is away: "try again" only where nothing has happened."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from string import Template

import httpx
import pytest

from exchange.contracts.errors import outcome_unknown, unavailable
from local.servers import free_port, nginx
from local.terminal import WEB_ROOT

pytestmark = pytest.mark.integration

TEMPLATE = Path(__file__).parents[2] / "infra" / "nginx" / "exchange.conf.template"
READ_TIMEOUT = "proxy_read_timeout 20s;"
CHANGING = [
    ("POST", "/api/v3/order"),
    ("DELETE", "/api/v3/order"),
    ("DELETE", "/api/v3/openOrders"),
    ("POST", "/api/v3/order/cancelReplace"),
    ("PUT", "/api/v3/userDataStream"),
    ("POST", "/v1/withdrawals"),
]
ASKING = [("GET", "/api/v3/order"), ("GET", "/api/v3/openOrders"), ("GET", "/v1/withdrawals")]


@contextlib.asynccontextmanager
async def gateway(folder: Path, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway with every service at one address."""
    port = free_port()
    names = {f"{name}_ADDRESS": address for name in ("ORDER", "USER", "MARKET_DATA")}
    names |= {"LISTEN": f"127.0.0.1:{port}", "WEB_ROOT": str(WEB_ROOT), "SOCKETS_PER_ADDRESS": "300"}
    text = TEMPLATE.read_text()
    assert text.count(READ_TIMEOUT) == 1
    config = folder / "nginx.conf"
    config.write_text(Template(text.replace(READ_TIMEOUT, "proxy_read_timeout 1s;")).safe_substitute(names))
    server = await nginx.start(
        folder, port, prefix_dir=folder / "nginx", config_file=config, served_dir=WEB_ROOT
    )
    try:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=10) as client:
            yield client
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def service(answers: list[bytes | None]) -> AsyncIterator[str]:
    """A service that takes each request and answers with these bytes and hangs up; None: it says nothing."""
    taken = 0

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        await reader.readuntil(b"\r\n\r\n")
        taken += 1
        answer = answers[0]
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
    assert taken, "no request came"


def told(answer: httpx.Response) -> tuple[int, object]:
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return answer.status_code, answer.json()


@pytest.mark.parametrize("answers", [[b""], [b"HTTP/1.1 200"], [None]], ids=["hangs up", "torn", "silent"])
async def test_what_was_forwarded_and_changes_something_is_told_as_unknown(
    tmp_path: Path, answers: list[bytes | None]
) -> None:
    async with service(answers) as address, gateway(tmp_path, address) as client:
        asked = [client.request(method, path, content=b"a=b") for method, path in CHANGING]
        for (method, path), answer in zip(CHANGING, await asyncio.gather(*asked), strict=True):
            assert told(answer) == (504, outcome_unknown().payload()), (method, path)
            assert "try again" not in answer.text.lower()
        asked = [client.request(method, path) for method, path in ASKING]
        for answer in await asyncio.gather(*asked):
            assert told(answer) == (503, unavailable().payload())


async def test_what_reached_nobody_may_be_tried_again(tmp_path: Path) -> None:
    async with gateway(tmp_path, f"127.0.0.1:{free_port()}") as client:
        for method, path in CHANGING + ASKING:
            answer = await client.request(method, path, content=b"a=b" if method != "GET" else None)
            assert told(answer) == (503, unavailable().payload()), (method, path)


async def test_a_refusal_of_the_service_itself_passes_as_it_is(tmp_path: Path) -> None:
    body = b'{"code":-1008,"msg":"busy"}'
    answer = b"HTTP/1.1 503 Busy\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body)
    async with service([answer]) as address, gateway(tmp_path, address) as client:
        busy = await client.post("/api/v3/order")
        assert (busy.status_code, busy.content) == (503, body)
