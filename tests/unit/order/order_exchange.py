"""A whole exchange in memory for tests of the order service: real engine, memory logs, no servers."""

import asyncio
import contextlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.codec import CommandOutcome, decode_commands, encode_commands
from exchange.contracts.commands import Command, CreditDeposit
from exchange.ports.world import LogRecord
from exchange.process.components import Resources
from exchange.process.config import Settings
from exchange.process.tracing import Tracing
from exchange.security.credentials import HMAC, ApiKey, Credentials
from services.order.api import create_app
from services.order.component import OrderService
from tests.event_streams import ONE, START_MS, EngineStream

ALICE, BOB, READER = 1001, 1002, 1003
SECRETS = {ALICE: b"alice-secret", BOB: b"bob-secret", READER: b"reader-secret"}
KEYS = {ALICE: "A" * 64, BOB: "B" * 64, READER: "R" * 64}


def hmac_key(user_id: int, *permissions: str, ip_allow_list: tuple[str, ...] = ()) -> ApiKey:
    """A key that signs with HMAC."""
    return ApiKey(KEYS[user_id], user_id, HMAC, SECRETS[user_id], None, frozenset(permissions), ip_allow_list)


class FakeCredentials:
    """Keys in a dictionary."""

    def __init__(self) -> None:
        self.keys = {
            KEYS[ALICE]: hmac_key(ALICE, "READ", "TRADE"),
            KEYS[BOB]: hmac_key(BOB, "READ", "TRADE"),
            KEYS[READER]: hmac_key(READER, "READ"),
        }

    async def find(self, api_key: str) -> ApiKey | None:
        return self.keys.get(api_key)


class EmptyDatabase:
    """A PostgreSQL with the schema and no rows but the ledger's position."""

    def __init__(self, ledger_seq: int = 2**62) -> None:
        self.ledger_seq = ledger_seq

    @contextlib.asynccontextmanager
    async def acquire(self, timeout: float) -> "AsyncIterator[EmptyDatabase]":
        yield self

    @contextlib.asynccontextmanager
    async def transaction(self, **_: object) -> AsyncIterator[None]:
        yield

    async def fetchrow(self, *_: object, **__: object) -> None:
        return None

    async def fetch(self, statement: str, *_: object, **__: object) -> list[object]:
        return [(self.ledger_seq,)] if "FROM positions" in statement else []

    async def execute(self, *_: object, **__: object) -> None:
        return None

    async def cursor(self, *_: object, **__: object) -> AsyncIterator[object]:
        rows: tuple[object, ...] = ()
        for row in rows:
            yield row


class FakePipeline:
    """Commands that run at once, when they are queued."""

    def __init__(self, cache: "FakeCache") -> None:
        self._cache = cache
        self._work: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *a, **k: self._work.append(getattr(self._cache, name)(*a, **k))

    async def execute(self) -> list[object]:
        work, self._work = self._work, []
        return [await command for command in work]


class FakeCache:
    """The few Redis commands that listen keys and usage need. `published`: (channel, message)."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.published: list[tuple[str, bytes]] = []

    def pipeline(self, transaction: bool) -> FakePipeline:
        return FakePipeline(self)

    async def set(self, name: str, value: object, ex: int, nx: bool = False) -> None:
        if not nx or name not in self.values:
            self.values[name] = value

    async def get(self, name: str) -> object:
        return self.values.get(name)

    async def exists(self, name: str) -> bool:
        return name in self.values

    async def expire(self, name: str, lifetime_s: int) -> None:
        return None

    async def eval(self, script: str, keys: int, name: str, lifetime_ms: int, *counted: Any) -> bytes:
        assert "HINCRBY" in script, "the only script that there is: usage's"
        assert (keys, lifetime_ms > 0) == (1, True)
        counts = cast("dict[str, int]", self.values.setdefault(name, {}))
        names = counted[::2]
        for key, count in zip(names, counted[1::2], strict=True):
            counts[key] = counts.get(key, 0) + count
        return b",".join(b"%d" % counts[key] for key in names)

    async def hmget(self, name: str, keys: list[str]) -> list[bytes | None]:
        assert keys, "Redis refuses to be asked for nothing"
        counts = cast("dict[str, int]", self.values.get(name, {}))
        return [b"%d" % counts[key] if key in counts else None for key in keys]

    async def delete(self, *names: str) -> None:
        for name in names:
            self.values.pop(name, None)

    async def execute_command(self, command: str, channel: str, message: bytes) -> None:
        assert command == "PUBLISH"
        self.published.append((channel, message))

    async def ping(self) -> None:
        return None


class CommandedStream(EngineStream):
    """What tests apply directly stands on the command log too, as in any exchange."""

    def __init__(self, command_log: MemoryLog) -> None:
        self._command_log = command_log
        self.applied: set[int] = set()
        super().__init__()

    def apply(self, *commands: Command) -> list[CommandOutcome]:
        outcomes = []
        for command in commands:
            records = self._command_log.records
            offset, time_ms = len(records), START_MS + len(self.outcomes)
            records.append(LogRecord(offset, time_ms, encode_commands([command])))
            self.applied.add(offset)
            events = self.engine.apply(command, time_ms)
            outcomes.append(self.append(*events, command_id=command.command_id, place=(offset, 0)))
        return outcomes


class OrderExchange:
    """The service with an engine behind it, which does nothing while `is_engine_away` is set.

    With `permits`, it decides one command for each of them.
    """

    def __init__(
        self,
        database: Any = None,
        cache: Any = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        tracing: Tracing | None = None,
        credentials: Credentials | None = None,
        **settings: object,
    ) -> None:
        now_ms = lambda: time.time_ns() // 1_000_000  # noqa: E731
        self.command_log, self.event_log = MemoryLog(now_ms), MemoryLog(now_ms)
        self.cache = cast("Any", cache or FakeCache())
        self.credentials = FakeCredentials()
        # Tests place in a moment what nobody may, but for those of the limits.
        settings = {"request_limits": False, **settings}
        self.settings = Settings(database_dsn=SecretStr("unused"), command_tick_ms=0, **cast("Any", settings))
        self.stream = CommandedStream(self.command_log)
        self.resources = Resources(
            self.settings,
            self.command_log,
            self.event_log,
            database or cast("Any", EmptyDatabase()),
            self.cache,
        )
        self.service = OrderService(self.resources, credentials or self.credentials, monotonic_s, tracing)
        self.app = create_app(self.service)
        self.is_engine_away = False
        self.permits: asyncio.Semaphore | None = None
        self._deposits = 0
        self.commands: list[Command] = []
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app, client=("203.0.113.7", 4711)),
            base_url="http://exchange.test",
        )

    @classmethod
    def beside(cls, other: "OrderExchange", service: OrderService) -> "OrderExchange":
        """The door of another order service of the same exchange."""
        door = cls.__new__(cls)
        door.__dict__ |= other.__dict__
        door.service = service
        door.app = create_app(service)
        door.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=door.app, client=("203.0.113.7", 4711)),
            base_url="http://exchange.test",
        )
        return door

    async def run_engine(self) -> None:
        reader = await self.command_log.reader(0)
        writer = await self.event_log.writer()
        while True:
            for record in await reader.read(10_000):
                if self.is_engine_away or record.offset in self.stream.applied:
                    continue
                for index, command in enumerate(decode_commands(record.value)):
                    if self.permits is not None:
                        await self.permits.acquire()
                    self.commands.append(command)
                    events = self.stream.engine.apply(command, record.timestamp_ms)
                    self.stream.append(
                        *events,
                        time_ms=record.timestamp_ms,
                        command_id=command.command_id,
                        place=(record.offset, index),
                    )
                    await writer.append(self.stream.take_record())

    async def publish(self) -> None:
        """Write to the event log what was applied to the engine directly, and let it be read."""
        await (await self.event_log.writer()).append(self.stream.take_record())
        for _ in range(1_000):
            if self.service.engine.view.seq >= self.stream.seq:
                return
            await asyncio.sleep(0.001)
        raise TimeoutError("the view does not follow")

    async def deposit(self, user_id: int, **amounts: int) -> None:
        """Credit whole units, e.g. USDT=1000."""
        assets = {asset.code: asset.asset_id for asset in self.service.engine.view.assets.values()}
        for code, amount in amounts.items():
            self._deposits += 1
            self.stream.apply(CreditDeposit(0, user_id, assets[code], amount * ONE, self._deposits))
        await self.publish()

    async def request(
        self,
        method: str,
        path: str,
        user_id: int = ALICE,
        headers: Mapping[str, str] | None = None,
        /,
        **parameters: object,
    ) -> httpx.Response:
        """A signed request with the parameters in the query."""
        all_headers = {"X-MBX-APIKEY": KEYS[user_id], **(headers or {})}
        return await self.raw(method, path, query=signed(user_id, **parameters), headers=all_headers)

    async def request_in_body(
        self, method: str, path: str, user_id: int = ALICE, /, **parameters: object
    ) -> httpx.Response:
        """A signed request with the parameters in the body."""
        body = signed(user_id, **parameters).encode()
        return await self.raw(method, path, body=body, headers={"X-MBX-APIKEY": KEYS[user_id]})

    async def raw(
        self,
        method: str,
        path: str,
        query: str | bytes = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A request whose bytes are the caller's, handed to the application as a server would."""
        sent: list[Any] = []
        chunks = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return chunks.pop() if chunks else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path if path.startswith("/sapi/") else "/api/v3" + path,
            "root_path": "",
            "query_string": query.encode() if isinstance(query, str) else query,
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in (headers or {}).items()],
            "client": ("203.0.113.7", 4711),
        }
        await self.app(scope, receive, send)
        content = b"".join(message["body"] for message in sent[1:])
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=content)


def signed(user_id: int, /, **parameters: object) -> str:
    """The parameters as a query that is signed, and stamped now unless it has a time."""
    payload = urlencode({**parameters, "timestamp": parameters.get("timestamp", time.time_ns() // 1_000_000)})
    return f"{payload}&signature={sign(payload.encode(), user_id)}"


def sign(payload: bytes, user_id: int) -> str:
    """HMAC-SHA256 in hex."""
    return hmac.new(SECRETS[user_id], payload, "sha256").hexdigest()


LIMIT = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC"}


def limit_order(side: str, price: object, quantity: object, /, **more: object) -> dict[str, object]:
    """Parameters of a limit order on BTCUSDT."""
    return {**LIMIT, "side": side, "price": price, "quantity": quantity, **more}


@contextlib.asynccontextmanager
async def running_exchange(
    database: Any = None,
    cache: Any = None,
    monotonic_s: Callable[[], float] = time.monotonic,
    tracing: Tracing | None = None,
    credentials: Credentials | None = None,
    **settings: object,
) -> AsyncIterator[OrderExchange]:
    """An exchange where Alice and Bob have money. There are fakes for what is not given."""
    exchange = OrderExchange(database, cache, monotonic_s, tracing, credentials, **settings)
    await (await exchange.event_log.writer()).append(exchange.stream.take_record())
    await exchange.service.start()
    tasks = [
        asyncio.create_task(exchange.service.run(), name="order service"),
        asyncio.create_task(exchange.run_engine()),
    ]
    try:
        for user_id in (ALICE, BOB):
            await exchange.deposit(user_id, BTC=10, USDT=1_000_000)
        yield exchange
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await exchange.client.aclose()
        await exchange.service.stop()
