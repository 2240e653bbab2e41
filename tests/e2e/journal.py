"""What a trader was told: the client-side record that an exchange must live up to after any crash."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

import httpx

from tests.e2e.trader import Trader, signed_query

__all__ = [
    "MIDS",
    "PRICE_STEPS",
    "QUANTITY_STEPS",
    "UNKNOWN_CODES",
    "Journal",
    "Load",
    "Outcome",
    "PlacedOrder",
]

# Binance's codes for "may or may not have happened", and for "not possible now".
UNKNOWN_CODES = frozenset({-1000, -1001, -1006, -1007, -1008})
REQUEST_DEADLINE_S = 15.0
RETRY_PAUSE_S = 0.1
MIDS = {"BTCUSDT": Decimal("50000"), "ETHUSDT": Decimal("3000"), "ETHBTC": Decimal("0.06")}
PRICE_STEPS = {"BTCUSDT": Decimal("1"), "ETHUSDT": Decimal("0.1"), "ETHBTC": Decimal("0.00001")}
QUANTITY_STEPS = {"BTCUSDT": Decimal("0.001"), "ETHUSDT": Decimal("0.01"), "ETHBTC": Decimal("0.01")}


class Outcome(Enum):
    """What the client knows about a request."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class PlacedOrder:
    """One order that was sent. `answer` and `cancel_answer` are the bodies of what came back."""

    trader: int
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    outcome: Outcome = Outcome.UNKNOWN
    answer: dict[str, Any] = field(default_factory=dict)
    cancel: Outcome | None = None
    cancel_answer: dict[str, Any] = field(default_factory=dict)

    @property
    def may_be_open(self) -> bool:
        """Acknowledged, not filled at once, and nobody has tried to cancel it."""
        return (
            self.outcome is Outcome.ACKNOWLEDGED and self.cancel is None and self.answer["status"] != "FILLED"
        )


class Journal:
    """Every order by its client order id, noted before it is sent."""

    def __init__(self) -> None:
        self.orders: dict[str, PlacedOrder] = {}

    def count(self, outcome: Outcome) -> int:
        """How many orders ended so."""
        return sum(order.outcome is outcome for order in self.orders.values())

    def summary(self) -> str:
        """For the test's output."""
        return ", ".join(f"{self.count(outcome)} {outcome.value}" for outcome in Outcome)


class Load:
    """Accounts that place and cancel at random until stopped. The first half only buys, the other only
    sells, so that nobody trades with himself."""

    def __init__(self, traders: Sequence[Trader], journal: Journal, seed: int, pause_s: float) -> None:
        self._traders = traders
        self._journal = journal
        self._random = random.Random(seed)
        self._pause_s = pause_s
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._client: httpx.AsyncClient | None = None
        self._next_id = 0
        self._open: list[list[str]] = [[] for _ in traders]
        for client_order_id, order in journal.orders.items():
            if order.may_be_open:
                self._open[order.trader].append(client_order_id)

    async def __aenter__(self) -> "Load":
        self._stopping = False
        self._client = httpx.AsyncClient(
            base_url=self._traders[0].url, timeout=REQUEST_DEADLINE_S, trust_env=False
        )
        self._tasks = [asyncio.create_task(self._trade(i)) for i in range(len(self._traders))]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the requests under way end, so that the journal is complete."""
        self._stopping = True
        await asyncio.gather(*self._tasks)
        assert self._client is not None
        await self._client.aclose()

    async def _trade(self, trader: int) -> None:
        while not self._stopping:
            mine = self._open[trader]
            if mine and self._random.random() < 0.25:
                known = await self._cancel(mine.pop(self._random.randrange(len(mine))))
            else:
                known = await self._place(trader)
            await asyncio.sleep(self._pause_s if known else RETRY_PAUSE_S)

    async def _place(self, trader: int) -> bool:
        """Whether the exchange gave a definite answer."""
        symbol = self._random.choice(list(MIDS))
        side = "BUY" if trader < len(self._traders) // 2 else "SELL"
        price = MIDS[symbol] + self._random.randint(-20, 20) * PRICE_STEPS[symbol]
        quantity = self._random.randint(1, 9) * QUANTITY_STEPS[symbol]
        self._next_id += 1
        client_order_id = f"j{trader}-{len(self._journal.orders)}-{self._next_id}"
        order = self._journal.orders[client_order_id] = PlacedOrder(trader, symbol, side, price, quantity)
        order.outcome, order.answer = await self._send(
            trader,
            "POST",
            {
                "symbol": symbol,
                "side": side,
                "type": "LIMIT",
                "timeInForce": "GTC",
                "price": str(price),
                "quantity": str(quantity),
                "newClientOrderId": client_order_id,
            },
        )
        if order.may_be_open:
            self._open[trader].append(client_order_id)
        return order.outcome is not Outcome.UNKNOWN

    async def _cancel(self, client_order_id: str) -> bool:
        order = self._journal.orders[client_order_id]
        order.cancel = Outcome.UNKNOWN
        parameters = {"symbol": order.symbol, "origClientOrderId": client_order_id}
        order.cancel, order.cancel_answer = await self._send(order.trader, "DELETE", parameters)
        return order.cancel is not Outcome.UNKNOWN

    async def _send(
        self, trader: int, method: str, parameters: dict[str, str]
    ) -> tuple[Outcome, dict[str, Any]]:
        assert self._client is not None
        credentials = self._traders[trader].credentials
        url = f"/api/v3/order?{signed_query(credentials, parameters)}"
        try:
            response = await self._client.request(method, url, headers={"X-MBX-APIKEY": credentials.api_key})
            body: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            return Outcome.UNKNOWN, {"error": repr(error)}
        if response.status_code == 200:
            return Outcome.ACKNOWLEDGED, body
        if response.status_code >= 500 or body.get("code") in UNKNOWN_CODES:
            return Outcome.UNKNOWN, body
        return Outcome.REFUSED, body
