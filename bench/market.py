"""A market whose price the test sets."""

from decimal import Decimal
from typing import Any

from bench.control import Control

__all__ = ["Market"]

Price = Decimal | int | str


class Market:
    """One market. The house quotes it: a ladder on both sides of `price`, and as much as anybody takes."""

    def __init__(self, control: Control, symbol: str) -> None:
        self._control = control
        self.symbol = symbol

    def walk_to(self, price: Price, steps: int = 10) -> None:
        """Move the price there in `steps` equal steps, trading at each.

        Whatever rests in the way is filled at its own price, as if a stranger had come for it. When this
        returns, account and market data show it; streams have it under way. Raises BenchError for a price
        that is no multiple of the tick, and outside of the market's filters.
        """
        self._control.ask("POST", "/bench/walk", {"symbol": self.symbol, "price": str(price), "steps": steps})

    def jump_to(self, price: Price) -> None:
        """Move the price there at once."""
        self.walk_to(price, steps=1)

    def empty(self) -> None:
        """The house takes its orders away: the book holds what accounts have placed, until the next walk."""
        self._control.ask("POST", "/bench/empty", {"symbol": self.symbol})

    def halt(self) -> None:
        """Neither orders nor cancels, until `resume` or the next test."""
        self._mode("halt")

    def cancel_only(self) -> None:
        """Cancels alone, until `resume` or the next test."""
        self._mode("cancel-only")

    def resume(self) -> None:
        """Trade again."""
        self._mode("reopen")

    def _mode(self, word: str) -> None:
        self._control.ask("POST", "/bench/mode", {"symbol": self.symbol, "mode": word})

    @property
    def price(self) -> Decimal:
        """The last trade's price."""
        answer = self._control.ask("GET", f"/api/v3/ticker/price?symbol={self.symbol}")
        return Decimal(answer["price"])

    def book(self, limit: int = 100) -> dict[str, Any]:
        """Bids and asks as [price, quantity], best first."""
        answer = self._control.ask("GET", f"/api/v3/depth?symbol={self.symbol}&limit={limit}")
        return {side: [tuple(map(Decimal, row)) for row in answer[side]] for side in ("bids", "asks")}
