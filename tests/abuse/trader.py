"""The normal trader: an order, a look at it, a cancel, again and again, and how long each took."""

import asyncio
import time
from collections import Counter
from typing import Final, NamedTuple

from tests.abuse.abuses import BUY
from tests.abuse.crowd import Account, Crowd

__all__ = ["NormalTrader", "Phase"]

ADDRESS: Final = "127.1.0.1"
PAUSE_S: Final = 0.2
PRICE: Final = "59000.00"


class Phase(NamedTuple):
    """What the trader saw of one phase. Times in ms, of orders alone; failures by answer."""

    orders_ms: list[float]
    failures: dict[str, int]


class NormalTrader:
    """Trades while `run` is a task; `phase` ends a phase and begins the next one."""

    def __init__(self, url: str, account: Account) -> None:
        self._crowd = Crowd(url, [ADDRESS])
        self._account = account
        self._orders_ms: list[float] = []
        self._failures: Counter[str] = Counter()

    def phase(self) -> Phase:
        """What was seen since the last call."""
        seen = Phase(self._orders_ms, dict(self._failures))
        self._orders_ms, self._failures = [], Counter()
        return seen

    async def run(self) -> None:
        """Trade until cancelled."""
        async with self._crowd:
            while True:
                began_s = time.monotonic()
                await self._trade()
                await asyncio.sleep(max(0.0, PAUSE_S - (time.monotonic() - began_s)))

    async def _trade(self) -> None:
        sent_s = time.monotonic()
        placed = await self._ask("POST", **{**BUY, "price": PRICE})
        if not isinstance(placed, dict):
            return
        self._orders_ms.append((time.monotonic() - sent_s) * 1_000)
        for method in ("GET", "DELETE"):
            await self._ask(method, symbol="BTCUSDT", orderId=placed["orderId"])

    async def _ask(self, method: str, **parameters: object) -> object:
        status, body = await self._crowd.ask(method, "/api/v3/order", self._account, **parameters)
        if status == 200:
            return body
        code = body.get("code") if isinstance(body, dict) else ""
        self._failures[f"{method} {status} {code}"] += 1
        return None
