"""What an event about an order with terms does to a book's level: one rule for all who keep books."""

from typing import Final, NamedTuple

from exchange.contracts.codes import BUY, SELL
from exchange.contracts.events import Event
from exchange.contracts.order_events import (
    IcebergRefilled,
    OrderAmended,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderPlaced,
    SelfTradeDecremented,
)

__all__ = ["LevelChange", "level_change"]

# Made once: a union of types is made anew each time that it is asked for.
_COMES_TO_THE_BOOK: Final = (OrderWithTermsAccepted, OrderTriggered, PendingOrderPlaced)


class LevelChange(NamedTuple):
    """`lots` more (negative: fewer) at a price of one side."""

    market_id: int
    side: int
    price_ticks: int
    lots: int


def level_change(event: Event) -> LevelChange | None:
    """None when the book stays as it is. What waits stands on no book, of an iceberg its slice alone."""
    if isinstance(event, _COMES_TO_THE_BOOK):
        return _change(event.market_id, event.side, event.price_ticks, event.resting_lots)
    if isinstance(event, IcebergRefilled):
        return _change(event.market_id, event.side, event.price_ticks, event.displayed_lots)
    if isinstance(event, OrderAmended):
        return _change(event.market_id, event.side, event.price_ticks, -event.unbooked_lots)
    if isinstance(event, SelfTradeDecremented):
        maker_side = SELL if event.taker_side == BUY else BUY
        return _change(event.market_id, maker_side, event.price_ticks, -event.prevented_lots)
    return None


def _change(market_id: int, side: int, price_ticks: int, lots: int) -> LevelChange | None:
    return LevelChange(market_id, side, price_ticks, lots) if lots else None
