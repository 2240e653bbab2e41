"""Orders at a constant rate of arrival, whether the exchange answers or not, each noted before it is sent."""

import asyncio
import hashlib
import hmac
import random
import time
from array import array
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

from tests.e2e.journal import MIDS, PRICE_STEPS, QUANTITY_STEPS, UNKNOWN_CODES, Journal, Outcome, PlacedOrder
from tests.e2e.trader import Credentials

__all__ = ["OpenLoad", "Request"]

# Longer than the exchange's own deadline of 10 s, so that its answer "status unknown" is seen.
REQUEST_DEADLINE_S: Final = 12.0
# A request takes two of the gateway's 8,192 connections.
IN_FLIGHT_MAX: Final = 3_800
CANCEL_SHARE: Final = 0.1
# Markets allow 200 open orders of one account; some of ours are open without our knowing.
KNOWN_OPEN_MAX: Final = 60
TURN_S: Final = 0.005

# What one request is: the order it is about, its client order id, and whether it cancels.
Request = tuple[str, PlacedOrder, bool]


class OpenLoad:
    """Accounts that place `rate` orders a second, and cancel some besides, at random. The first half only
    buys, the other only sells, so that nobody trades with himself. Times are those of `time.monotonic()`.

    `answered_s` and `sent_s`: for every acknowledged request, in the order of the answers.
    """

    def __init__(
        self, url: str, accounts: Sequence[Credentials], journal: Journal, *, rate: float, seed: int
    ) -> None:
        self.rate = rate
        self.answered_s = array("d")
        self.sent_s = array("d")
        # Requests that got an answer, refusals included, and are not audited yet.
        self.settled: list[Request] = []
        self.outcomes: Counter[str] = Counter()
        self.shed = 0
        self.latencies_ms = array("f")
        self._url = url
        self._accounts = accounts
        self._secrets = [account.secret_key.encode() for account in accounts]
        self._journal = journal
        self._random = random.Random(seed)
        self._symbols = list(MIDS)
        self._open: dict[tuple[int, str], list[str]] = {
            (trader, symbol): [] for trader in range(len(accounts)) for symbol in self._symbols
        }
        self._in_flight: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._pacing: asyncio.Task[None] | None = None
        self._orders = 0
        self._cancels = 0
        self._running_s = 0.0

    @property
    def running_s(self) -> float:
        """How long requests have been sent, in seconds."""
        return self._running_s

    @property
    def orders_sent(self) -> int:
        """Orders that were sent."""
        return self._orders

    @property
    def cancels_sent(self) -> int:
        """Cancels that were sent."""
        return self._cancels

    async def start(self) -> None:
        """Begin, or go on after `stop`."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60.0),
            timeout=aiohttp.ClientTimeout(total=REQUEST_DEADLINE_S),
            trust_env=False,
        )
        # A DELETE that is sent a second time behind our back would tell us that our own cancel failed.
        self._session._retry_connection = False
        self._pacing = asyncio.create_task(self._pace(), name="load")

    async def stop(self) -> None:
        """Send nothing more and let the requests under way end, so that the journal is complete."""
        if self._pacing is None or self._session is None:
            return
        self._pacing.cancel()
        await asyncio.wait([self._pacing])
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=2 * REQUEST_DEADLINE_S)
        await self._session.close()
        self._pacing = self._session = None

    def first_after(self, moment_s: float, since: int = 0) -> float | None:
        """When the first acknowledgement came of a request sent after `moment_s`. `since`: an index to
        begin at."""
        for index in range(since, len(self.sent_s)):
            if self.sent_s[index] > moment_s:
                return self.answered_s[index]
        return None

    async def _pace(self) -> None:
        began, done_before = time.monotonic(), self._running_s
        count = 0
        while True:
            elapsed = time.monotonic() - began
            self._running_s = done_before + elapsed
            due = int(elapsed * self.rate)
            while count < due:
                count += 1
                if len(self._in_flight) >= IN_FLIGHT_MAX:
                    self.shed += 1
                    continue
                self._next()
            await asyncio.sleep(TURN_S)

    def _next(self) -> None:
        """One more order, and a cancel where the market holds enough of this account's."""
        trader = self._random.randrange(len(self._accounts))
        symbol = self._random.choice(self._symbols)
        mine = self._open[trader, symbol]
        if mine and (len(mine) >= KNOWN_OPEN_MAX or self._random.random() < CANCEL_SHARE):
            self._begin(self._cancel(mine.pop(self._random.randrange(len(mine)))))
        self._begin(self._place(trader, symbol))

    def _begin(self, request: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(request)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _place(self, trader: int, symbol: str) -> None:
        self._orders += 1
        side = "BUY" if trader < len(self._accounts) // 2 else "SELL"
        price = MIDS[symbol] + self._random.randint(-20, 20) * PRICE_STEPS[symbol]
        quantity = self._random.randint(1, 3) * QUANTITY_STEPS[symbol]
        name = f"c{trader}-{self._orders}"
        order = self._journal.orders[name] = PlacedOrder(trader, symbol, side, price, quantity)
        parameters = {
            "symbol": symbol,
            "side": side,
            "type": "LIMIT",
            "timeInForce": "GTC",
            "price": str(price),
            "quantity": str(quantity),
            "newClientOrderId": name,
        }
        order.outcome, body = await self._send("POST", trader, parameters)
        order.answer = _essence(body)
        self.outcomes[f"order {order.outcome.value}"] += 1
        if order.may_be_open or order.outcome is Outcome.UNKNOWN:
            self._open[trader, symbol].append(name)
        if order.outcome is not Outcome.UNKNOWN:
            self.settled.append((name, order, False))

    async def _cancel(self, name: str) -> None:
        self._cancels += 1
        order = self._journal.orders[name]
        order.cancel = Outcome.UNKNOWN
        parameters = {"symbol": order.symbol, "origClientOrderId": name}
        order.cancel, body = await self._send("DELETE", order.trader, parameters)
        order.cancel_answer = _essence(body)
        self.outcomes[f"cancel {order.cancel.value}"] += 1
        if order.cancel is not Outcome.UNKNOWN:
            self.settled.append((name, order, True))

    async def _send(
        self, method: str, trader: int, parameters: dict[str, str]
    ) -> tuple[Outcome, dict[str, Any]]:
        assert self._session is not None, "start comes first"
        query = urlencode({**parameters, "timestamp": time.time_ns() // 1_000_000})
        signature = hmac.new(self._secrets[trader], query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": self._accounts[trader].api_key}
        url = URL(f"{self._url}/api/v3/order?{query}&signature={signature}", encoded=True)
        sent_s = time.monotonic()
        try:
            async with self._session.request(method, url, headers=headers) as response:
                body: dict[str, Any] = orjson.loads(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Outcome.UNKNOWN, {"error": repr(error)}
        if response.status == 200:
            answered_s = time.monotonic()
            self.sent_s.append(sent_s)
            self.answered_s.append(answered_s)
            self.latencies_ms.append((answered_s - sent_s) * 1000)
            return Outcome.ACKNOWLEDGED, body
        if response.status >= 500 or body.get("code") in UNKNOWN_CODES:
            return Outcome.UNKNOWN, body
        return Outcome.REFUSED, body


def _essence(body: dict[str, Any]) -> dict[str, Any]:
    """What the audits look at: there are hundreds of thousands of these."""
    if "orderId" not in body:
        return body
    kept = {name: body[name] for name in ("orderId", "status", "executedQty")}
    if body.get("fills"):
        kept["fills"] = [
            {name: fill[name] for name in ("tradeId", "price", "qty", "commission")} for fill in body["fills"]
        ]
    return kept
