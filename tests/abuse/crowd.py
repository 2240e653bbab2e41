"""Clients with many source addresses, and what they are answered. All of 127.0.0.0/8 is this machine."""

import asyncio
import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

__all__ = ["Account", "Crowd", "addresses", "signed_parameters"]

REQUEST_DEADLINE_S: Final = 15.0
TURN_S: Final = 0.01


class Account(NamedTuple):
    """What signs a request."""

    api_key: str
    secret_key: str


def addresses(block: int, count: int) -> list[str]:
    """Source addresses that no other block has: 127.<block>.0.1 and on."""
    return [f"127.{block}.0.{number + 1}" for number in range(count)]


def signed_parameters(account: Account, parameters: Mapping[str, object]) -> str:
    """The query of a signed request."""
    query = urlencode({**parameters, "timestamp": time.time_ns() // 1_000_000})
    signature = hmac.new(account.secret_key.encode(), query.encode(), hashlib.sha256).hexdigest()
    return f"{query}&signature={signature}"


class Crowd:
    """Sessions by address; `answers` counts "200", or "429 -1015": status and code."""

    def __init__(self, url: str, from_addresses: list[str]) -> None:
        self.url = url
        self.addresses = from_addresses
        self.answers: Counter[str] = Counter()
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._next = 0

    async def __aenter__(self) -> Self:
        for address in self.addresses:
            self._sessions[address] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, local_addr=(address, 0)),
                timeout=aiohttp.ClientTimeout(total=REQUEST_DEADLINE_S),
                trust_env=False,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.close()

    def session(self) -> aiohttp.ClientSession:
        """That of the next address in turn."""
        self._next += 1
        return self._sessions[self.addresses[self._next % len(self.addresses)]]

    async def ask(
        self, method: str, path: str, account: Account | None = None, /, **parameters: object
    ) -> tuple[int, Any]:
        """Send a request from the next address; count and return what is answered, 0 for nothing."""
        query, headers = urlencode(parameters), {}
        if account is not None:
            query = signed_parameters(account, parameters)
            headers["X-MBX-APIKEY"] = account.api_key
        url = URL(f"{self.url}{path}?{query}", encoded=True)
        try:
            async with self.session().request(method, url, headers=headers) as answer:
                return answer.status, self.count(answer.status, await answer.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.answers[type(error).__name__] += 1
            return 0, None

    async def post(self, path: str, body: Mapping[str, object]) -> int:
        """The same with a body of JSON, as /v1 wants it."""
        try:
            async with self.session().post(self.url + path, json=body) as answer:
                self.count(answer.status, b"{}")
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.answers[type(error).__name__] += 1
            return 0

    async def socket(self, path: str) -> aiohttp.ClientWebSocketResponse | None:
        """A socket from the next address; None, counted, when it is refused."""
        try:
            socket = await self.session().ws_connect(self.url + path, max_msg_size=0)
        except aiohttp.WSServerHandshakeError as refused:
            self.answers[f"handshake {refused.status}"] += 1
            return None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.answers[type(error).__name__] += 1
            return None
        self.answers["handshake 101"] += 1
        return socket

    def count(self, status: int, body: bytes) -> Any:
        """Count an answer and return it parsed."""
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            value = None
        code = value.get("code") if isinstance(value, dict) and status != 200 else None
        self.answers[str(status) if code is None else f"{status} {code}"] += 1
        return value

    @staticmethod
    async def at_rate(
        rate: float, until_s: float, in_flight_max: int, make: Callable[[], Coroutine[Any, Any, object]]
    ) -> None:
        """Begin requests at a rate, whether they are answered or not, until the loop's clock says so."""
        loop = asyncio.get_running_loop()
        began_s, sent = loop.time(), 0
        in_flight: set[asyncio.Task[object]] = set()
        while loop.time() < until_s:
            due = int((loop.time() - began_s) * rate)
            while sent < due and len(in_flight) < in_flight_max:
                task = asyncio.create_task(make())
                in_flight.add(task)
                task.add_done_callback(in_flight.discard)
                sent += 1
            # What there was no room for is not sent later, all at once.
            sent = due
            await asyncio.sleep(TURN_S)
        if in_flight:
            await asyncio.wait(in_flight, timeout=REQUEST_DEADLINE_S)
