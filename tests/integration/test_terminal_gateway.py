"""The web terminal through the real nginx with its real file; behind it nobody is at home."""

from collections.abc import AsyncIterator
from pathlib import Path
from string import Template

import httpx
import pytest

from local.servers import free_port, nginx
from local.terminal import WEB_ROOT
from tests.unit.test_terminal import FILES, PAGE, policies

pytestmark = pytest.mark.integration

TEMPLATE = Path(__file__).parents[2] / "infra" / "nginx" / "exchange.conf.template"
AWAY = '{"code":-1001,"msg":"Internal error; unable to process your request. Please try again."}'
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the gateway."""
    port, nobody = free_port(), free_port()
    names = {f"{name}_ADDRESS": f"127.0.0.1:{nobody}" for name in ("ORDER", "USER", "MARKET_DATA")}
    names |= {"LISTEN": f"127.0.0.1:{port}", "WEB_ROOT": str(WEB_ROOT), "SOCKETS_PER_ADDRESS": "300"}
    config = tmp_path / "nginx.conf"
    config.write_text(Template(TEMPLATE.read_text()).safe_substitute(names))
    server = await nginx.start(
        tmp_path, port, prefix_dir=tmp_path / "nginx", config_file=config, served_dir=WEB_ROOT
    )
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=10) as asking:
        yield asking
    await server.stop()


async def test_page_and_files_come_with_policy_type_and_validator(client: httpx.AsyncClient) -> None:
    page = await client.get("/terminal/")
    assert page.text == PAGE
    assert page.headers["content-type"] == "text/html"
    for path in FILES:
        answer = await client.get(f"/terminal/{path.name}")
        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"] == MEDIA_TYPES[path.suffix]
        for checked in (page, answer):
            assert [checked.headers["content-security-policy"]] == policies(TEMPLATE.read_text())
            assert checked.headers["x-content-type-options"] == "nosniff"
            assert checked.headers["referrer-policy"] == "no-referrer"
            assert checked.headers["cache-control"] == "no-cache"
        if path.stat().st_size > 1_000:
            assert answer.headers["content-encoding"] == "gzip"
        etag = {"If-None-Match": answer.headers["etag"]}
        again = await client.get(f"/terminal/{path.name}", headers=etag)
        assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/terminal/nothing.js",
        "/terminal/../tests/rules.test.mjs",
        "/terminal/%2e%2e/package.json",
    ],
)
async def test_nothing_else_of_the_folder_is_served(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code in (404, 503)
    assert "import" not in answer.text
    assert '"private"' not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/index.html",
        "/terminal",
        "/package.json",
        "/tests/rules.test.mjs",
        "/favicon.ico",
        "/x",
        "/api/v3/time",
    ],
)
async def test_every_other_path_is_still_the_services(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.text) == (503, AWAY)
    assert "cache-control" not in answer.headers
