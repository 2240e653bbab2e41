"""The books in memory, from the events' book rule alone. Pure.

OrderAccepted adds `resting_lots` to its side and price; TradeExecuted takes from the maker's level;
OrderClosed takes `unbooked_lots`; of orders with terms exchange/trading/book_rule.py tells. Inside one
outcome a book may look crossed, after it never.
"""

from collections.abc import Iterable

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import BUY
from exchange.contracts.events import Event, MarketRegistered, OrderAccepted, OrderClosed, TradeExecuted
from exchange.trading.book_rule import level_change

__all__ = ["BookError", "Books", "MarketBook"]


class BookError(Exception):
    """The events contradict the book: stop, do not guess."""


class MarketBook:
    """Levels of one market, price_ticks -> lots, and which prices changed since the last write."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.touched_bids: set[int] = set()
        self.touched_asks: set[int] = set()

    def change(self, side: int, price_ticks: int, lots: int) -> None:
        """Add `lots` (negative: take them away). Raises BookError when a level would be negative."""
        is_bid = side == BUY
        levels = self.bids if is_bid else self.asks
        left = levels.get(price_ticks, 0) + lots
        if left < 0:
            raise BookError(f"{self.symbol}: {left} lots at {price_ticks} on side {side}")
        if left:
            levels[price_ticks] = left
        else:
            levels.pop(price_ticks, None)
        (self.touched_bids if is_bid else self.touched_asks).add(price_ticks)

    @property
    def is_touched(self) -> bool:
        """Whether something changed since `forget_touched`."""
        return bool(self.touched_bids or self.touched_asks)

    def touched(self) -> tuple[dict[int, int], dict[int, int]]:
        """Lots now at every changed price of bids and asks, 0 where the level is gone."""
        bids = {price: self.bids.get(price, 0) for price in sorted(self.touched_bids)}
        asks = {price: self.asks.get(price, 0) for price in sorted(self.touched_asks)}
        return bids, asks

    def forget_touched(self) -> None:
        """The changes have been written."""
        self.touched_bids.clear()
        self.touched_asks.clear()

    def levels(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """All bids and asks as (price_ticks, lots), best first."""
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())


class Books:
    """The books of a shard by market_id."""

    def __init__(self) -> None:
        self.markets: dict[int, MarketBook] = {}

    def add(self, market_id: int, symbol: str) -> MarketBook:
        """Open an empty book."""
        book = self.markets[market_id] = MarketBook(symbol)
        return book

    def apply(self, outcomes: Iterable[CommandOutcome]) -> None:
        """Apply whole outcomes in log order. Raises BookError."""
        for outcome in outcomes:
            for recorded in outcome.events:
                self._apply_event(recorded.event)

    def _apply_event(self, event: Event) -> None:
        if isinstance(event, TradeExecuted):
            maker_side = 3 - event.taker_side
            self._book(event.market_id).change(maker_side, event.price_ticks, -event.quantity_lots)
        elif isinstance(event, OrderAccepted):
            if event.resting_lots:
                self._book(event.market_id).change(event.side, event.price_ticks, event.resting_lots)
        elif isinstance(event, OrderClosed):
            if event.unbooked_lots:
                self._book(event.market_id).change(event.side, event.price_ticks, -event.unbooked_lots)
        elif isinstance(event, MarketRegistered):
            self.add(event.market_id, event.symbol)
        else:
            change = level_change(event)
            if change is not None:
                self._book(change.market_id).change(change.side, change.price_ticks, change.lots)

    def _book(self, market_id: int) -> MarketBook:
        try:
            return self.markets[market_id]
        except KeyError:
            raise BookError(f"market {market_id} was never registered") from None
