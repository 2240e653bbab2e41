"""A grid bot on ccxt: buys below the market, sells each buy one step higher, and never doubts twice.

The bot of an example suite (docs/bots.md): small, and written the way bots are.
"""

from typing import Any

import ccxt

SYMBOL = "BTC/USDT"
# A buy's fee is paid in what was bought: that much less can be sold.
AFTER_FEE = 0.999


class GridBot:
    """`steps` bids, each `gap` apart; `poll` does what has to be done since the last time."""

    def __init__(self, client: Any, *, steps: int, gap: float, amount: float) -> None:
        self._client = client
        self._steps, self._gap, self._amount = steps, gap, amount
        self._bids: dict[str, float] = {}
        self.sells: list[str] = []

    def start(self) -> None:
        """Lay the grid below the market."""
        market = self._client.fetch_ticker(SYMBOL)["last"]
        for step in range(1, self._steps + 1):
            price = market - step * self._gap
            self._bids[self._place("buy", price, f"grid-buy-{step}")] = price

    def poll(self) -> None:
        """Sell what was bought."""
        for order_id, price in list(self._bids.items()):
            if self._client.fetch_order(order_id, SYMBOL)["status"] == "closed":
                del self._bids[order_id]
                self.sells.append(self._place("sell", price + self._gap, f"grid-sell-{order_id}", AFTER_FEE))

    def _place(self, side: str, price: float, name: str, part: float = 1.0) -> str:
        """Place once, whatever the network does: an order whose answer is lost is looked up by its name."""
        try:
            made = self._client.create_order(
                SYMBOL, "limit", side, self._amount * part, price, {"newClientOrderId": name}
            )
        except (ccxt.RequestTimeout, ccxt.ExchangeNotAvailable, ccxt.NetworkError):
            try:
                made = self._client.fetch_order(None, SYMBOL, {"origClientOrderId": name})
            except ccxt.OrderNotFound:
                return self._place(side, price, name, part)
        return str(made["id"])
