"""The whole exchange behind a real port, over real PostgreSQL and Valkey, with the rules of production
where a test asks for them; and a client that signs."""

import asyncio
import hmac
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import websockets
from pydantic import SecretStr

from exchange.adapters.files.key import FileKeyWrapper
from exchange.http.server import HttpServer, bind
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from exchange.wall_clock import clock_ms
from local.assembly import AssembledExchange, assemble
from local.servers import free_port
from services.projections.ledger.projection import LedgerProjection
from tests.at_work import PATIENT, eventually, open_resources
from tests.integration.user.conftest import cheap_passwords

__all__ = ["cheap_passwords"]

PASSWORD = "correct horse battery"
WAIT_S = 20.0


@pytest.fixture
def settings(database_dsn: str, valkey_url: str, tmp_path: Path) -> Settings:
    port = free_port()
    return Settings(
        port=port,
        market_data_url=f"http://127.0.0.1:{port}",
        database_dsn=SecretStr(database_dsn),
        cache_url=SecretStr(valkey_url),
        data_dir=tmp_path,
        secret_key_file=tmp_path / "secret.key",
        faucet=True,
        withdrawal_allow_list=False,
        auditor_required=False,
        hsts=True,
        **PATIENT,
    )


@pytest.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(settings, wrapper=FileKeyWrapper(settings.secret_key_file)) as opened:
        yield opened


def _whole(path: str) -> str:
    return path if path.startswith("/sapi/") else f"/api/v3{path}"


@dataclass
class Trader:
    """Somebody with a session and an API key that may do everything."""

    client: httpx.AsyncClient
    ws_url: str
    user_id: int = 0
    email: str = ""
    token: str = ""
    api_key: str = ""
    secret: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def open(self, name: str) -> None:
        """Sign up, log in, make a key, and take money."""
        self.email = f"{name}-{secrets.token_hex(4)}@example.com"
        login = {"email": self.email, "password": PASSWORD}
        self.user_id = (await self.post("/v1/users", login))["userId"]
        self.token = (await self.post("/v1/sessions", login))["accessToken"]
        key = {"label": f"{name}-label", "permissions": ["READ", "TRADE", "WITHDRAW"]}
        made = await self.post("/v1/api-keys", key)
        self.api_key, self.secret = made["apiKey"], made["secretKey"]
        for asset in ("USDT", "BTC"):
            await self.post("/v1/deposits", {"asset": asset, "amount": "1000"})

    async def post(self, path: str, body: object) -> Any:
        """A request to /v1 that must succeed."""
        answer = await self.client.post(path, json=body, headers=self.headers if self.token else {})
        assert answer.is_success, answer.text
        return answer.json()

    def signed_parameters(self, parameters: dict[str, str]) -> dict[str, str]:
        named = {**parameters, "timestamp": str(clock_ms())}
        return {**named, "signature": self.sign(urlencode(named))}

    def sign(self, payload: str) -> str:
        return hmac.digest(self.secret.encode(), payload.encode(), "sha256").hex()

    async def signed(self, method: str, path: str, **parameters: str) -> httpx.Response:
        """A signed request to /api/v3, or to the whole path when it lies below /sapi."""
        url = f"{_whole(path)}?{urlencode(self.signed_parameters(parameters))}"
        return await self.client.request(method, url, headers={"X-MBX-APIKEY": self.api_key})

    async def keyed(self, method: str, path: str, **parameters: str) -> httpx.Response:
        """A request with the key alone."""
        url = _whole(path)
        headers = {"X-MBX-APIKEY": self.api_key}
        return await self.client.request(method, url, params=parameters, headers=headers)

    async def ask(self, method: str, parameters: dict[str, str], *, is_signed: bool = True) -> Any:
        """One request of the WebSocket API on a socket of its own; the first frame that comes back."""
        async with websockets.connect(self.ws_url, proxy=None) as socket:
            params = {"apiKey": self.api_key, **parameters}
            if is_signed:
                params["timestamp"] = str(clock_ms())
                payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
                params["signature"] = self.sign(payload)
            await socket.send(json.dumps({"id": 1, "method": method, "params": params}))
            return json.loads(await asyncio.wait_for(socket.recv(), WAIT_S))


@dataclass
class Exchange:
    """What runs."""

    resources: Resources
    assembled: AssembledExchange
    url: str
    client: httpx.AsyncClient

    @property
    def ledger(self) -> LedgerProjection:
        return next(c for c in self.assembled.components if isinstance(c, LedgerProjection))

    async def trader(self, name: str) -> Trader:
        ws_url = self.url.replace("http", "ws", 1) + "/ws-api/v3"
        trader = Trader(self.client, ws_url)
        await trader.open(name)
        return trader

    async def settled(self) -> None:
        """Wait until the ledger has all that was decided."""
        end = await self.resources.command_log.end_offset()
        engine = self.assembled.components[0]
        await eventually(lambda: engine.shard.next_command_offset >= end)  # type: ignore[attr-defined]
        await eventually(lambda: self.ledger.last_seq == engine.shard.engine.seq)  # type: ignore[attr-defined]


@pytest.fixture
async def exchange(resources: Resources) -> AsyncIterator[Exchange]:
    assembled = await assemble(resources)
    settings = resources.settings
    server = HttpServer(assembled.app, bind("127.0.0.1", settings.port), hsts=settings.hsts)
    running: list[tuple[Component, asyncio.Task[None]]] = []
    try:
        for component in (server, *assembled.components):
            await component.start()
            running.append((component, asyncio.create_task(component.run(), name=component.name)))
        await eventually(lambda: all(problem is None for problem in assembled.readiness().values()))
        url = f"http://127.0.0.1:{settings.port}"
        async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
            yield Exchange(resources, assembled, url, client)
    finally:
        for component, task in reversed(running):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await component.stop()
