"""User-service replicas over real PostgreSQL and Valkey, with the real engine and ledger; logs in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from exchange.adapters.files.key import FileKeyWrapper
from exchange.adapters.files.objects import FolderStore
from exchange.contracts.codec import decode_commands, encode_commands
from exchange.contracts.commands import Command, KeepTime
from exchange.log.records import records_between
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from matching_engine.genesis import write_genesis
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots
from services.projections.ledger.projection import LedgerProjection
from services.user.api import create_app
from services.user.component import UserService
from services.user.people import passwords
from tests.at_work import PATIENT, eventually, open_resources

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing at full strength is tests/unit/user/test_passwords.py's matter."""
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "_PASSES", 1)


class Running:
    """Components at work, each in a task that can be paused by ending it."""

    def __init__(self) -> None:
        self._running: list[tuple[Component, asyncio.Task[None]]] = []

    async def start(self, component: Component) -> None:
        await component.start()
        self._running.append((component, asyncio.create_task(component.run(), name=component.name)))

    async def stop(self, component: Component) -> None:
        entry = next(entry for entry in self._running if entry[0] is component)
        self._running.remove(entry)
        entry[1].cancel()
        results = await asyncio.gather(entry[1], return_exceptions=True)
        await component.stop()
        assert isinstance(results[0], asyncio.CancelledError), results

    async def stop_all(self) -> None:
        for component, _ in reversed(self._running.copy()):
            await self.stop(component)


@pytest.fixture
def settings(database_dsn: str, valkey_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_dsn=SecretStr(database_dsn),
        cache_url=SecretStr(valkey_url),
        **PATIENT,
        command_deadline_ms=5_000,
        database_pool_size=6,
        data_dir=tmp_path,
        secret_key_file=tmp_path / "secret.key",
        faucet=True,
        rate_limits=False,
        withdrawal_allow_list=False,
        withdrawal_daily_count_max=1_000_000,
        withdrawal_daily_amounts_max="*=1000000000",
        auditor_required=False,
    )


@pytest.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(settings, wrapper=FileKeyWrapper(settings.secret_key_file)) as opened:
        yield opened


@dataclass
class Exchange:
    """Engine, ledger and two replicas of the user service."""

    resources: Resources
    running: Running
    ledger: LedgerProjection
    engine: EngineRunner
    replicas: Sequence[UserService]
    clients: Sequence[httpx.AsyncClient]

    @property
    def client(self) -> httpx.AsyncClient:
        return self.clients[0]

    async def command(self, *commands: Command) -> None:
        """Send commands as another service would."""
        await (await self.resources.command_log.writer()).append(encode_commands(commands))

    async def sent_since(self, offset: int) -> list[Command]:
        """What has been asked of the engine; the leader's word that it is at work is nobody's wish."""
        log = self.resources.command_log
        return [
            command
            async for record in records_between(log, offset, await log.end_offset())
            for command in decode_commands(record.value)
            if not isinstance(command, KeepTime)
        ]

    async def signed_in(self, email: str | None = None) -> "Person":
        """A new account with a session."""
        login = {"email": email or f"{secrets.token_hex(6)}@example.com", "password": PASSWORD}
        created = await self.client.post("/v1/users", json=login)
        assert created.status_code == 201, created.text
        session = await self.client.post("/v1/sessions", json=login)
        assert session.status_code == 201, session.text
        return Person(created.json()["userId"], login["email"], session.json()["accessToken"])


@dataclass(frozen=True)
class Person:
    """Someone with a session."""

    user_id: int
    email: str
    token: str

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def client_of(service: UserService) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(service))
    return httpx.AsyncClient(transport=transport, base_url="http://exchange")


@pytest.fixture
async def exchange(resources: Resources, tmp_path: Path) -> AsyncIterator[Exchange]:
    await write_genesis(resources.command_log)
    engine = EngineRunner(
        resources.command_log,
        resources.event_log,
        Snapshots(FolderStore(tmp_path / "snapshots")),
        shard_number=0,
        snapshot_every_commands=1_000_000,
    )
    ledger = LedgerProjection(resources)
    replicas = [UserService(resources), UserService(resources)]
    running = Running()
    clients = [client_of(service) for service in replicas]
    try:
        components: list[Component] = [engine, ledger, *replicas]
        for component in components:
            await running.start(component)
        await eventually(lambda: ledger.last_seq == engine.shard.engine.seq)
        yield Exchange(resources, running, ledger, engine, replicas, clients)
    finally:
        for client in clients:
            await client.aclose()
        await running.stop_all()


def assert_problem(response: httpx.Response, status: int) -> None:
    """The answer is RFC 9457 and nothing else."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert {"type", "title", "status", "detail"} <= set(body)
    assert isinstance(body["detail"], str)


@asynccontextmanager
async def replica(exchange: Exchange, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one more replica, whose settings differ."""
    settings = exchange.resources.settings.model_copy(update=changes)
    service = UserService(replace(exchange.resources, settings=settings))
    await exchange.running.start(service)
    try:
        async with client_of(service) as client:
            yield client
    finally:
        await exchange.running.stop(service)
