"""Recent trades and aggregate trades of a market, in bounded rings. Pure.

An aggregate trade joins the trades of one taker order at one price and one time (Binance, aggTrades).
Its ids have no gaps within a market: the ledger writes them with the trades, and who follows the events
counts on from the newest one that it has read (ADR 0029). What an older release wrote has the id of its first
trade.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from exchange.contracts.codes import BUY, SELL
from exchange.contracts.events import TradeExecuted

__all__ = ["RING_SIZE_MAX", "AggregateTrade", "Ring", "Trade", "aggregate"]

RING_SIZE_MAX: Final = 20_000
Item = TypeVar("Item", "Trade", "AggregateTrade")


class Trade(NamedTuple):
    """A trade as the public sees it. `id` counts per market from 1 without gaps."""

    id: int
    time_ms: int
    price_ticks: int
    quantity_lots: int
    quote_atoms: int
    buyer_is_maker: bool
    taker_order_id: int
    # Of the aggregate trade that it is part of, as the ledger has it; 0 when nobody has said.
    aggregate_id: int = 0

    @classmethod
    def from_event(cls, event: TradeExecuted, time_ms: int) -> "Trade":
        """The public part of the engine's event."""
        return cls(
            event.trade_id,
            time_ms,
            event.price_ticks,
            event.quantity_lots,
            event.quote_atoms,
            event.taker_side == SELL,
            event.buyer_order_id if event.taker_side == BUY else event.seller_order_id,
        )


class AggregateTrade(NamedTuple):
    """Trades of one taker order at one price and time, from `first_id` to `last_id`."""

    id: int
    first_id: int
    last_id: int
    time_ms: int
    price_ticks: int
    quantity_lots: int
    buyer_is_maker: bool


def aggregate(trades: Iterable[Trade], next_id: int | None = None) -> list[AggregateTrade]:
    """Join neighbours of one taker order, price and time. `trades` ascend by id.

    Ids count from `next_id` when it is given; else they are those of the trades, or of the first trade.
    """
    joined: list[AggregateTrade] = []
    previous: Trade | None = None
    for trade in trades:
        if (
            previous is not None
            and trade.taker_order_id == previous.taker_order_id
            and trade.price_ticks == previous.price_ticks
            and trade.time_ms == previous.time_ms
        ):
            last = joined[-1]
            joined[-1] = last._replace(
                last_id=trade.id, quantity_lots=last.quantity_lots + trade.quantity_lots
            )
        else:
            joined.append(
                AggregateTrade(
                    (trade.aggregate_id or trade.id) if next_id is None else next_id + len(joined),
                    trade.id,
                    trade.id,
                    trade.time_ms,
                    trade.price_ticks,
                    trade.quantity_lots,
                    trade.buyer_is_maker,
                )
            )
        previous = trade
    return joined


class Ring(Generic[Item]):
    """The newest items, ascending by id and by time, at most `size_max` or a quarter more.

    `floor_id`: every item from this id on is here; what is older is in PostgreSQL only.
    """

    def __init__(self, size_max: int = RING_SIZE_MAX) -> None:
        self.items: list[Item] = []
        self.floor_id = 1
        self._size_max = size_max

    def load(self, items: Sequence[Item]) -> None:
        """Start from stored items, ascending; everything before the first is unknown."""
        self.items = list(items)
        self.floor_id = items[0].id if items else 1

    def add(self, item: Item) -> None:
        """Append the newest item."""
        self.items.append(item)
        if len(self.items) > self._size_max * 5 // 4:
            del self.items[: len(self.items) - self._size_max]
            self.floor_id = self.items[0].id

    def newest(self, limit: int) -> Sequence[Item]:
        """The newest `limit` items, ascending."""
        return self.items[-limit:]

    def from_id(self, first_id: int, limit: int) -> Sequence[Item]:
        """Items with id >= first_id, ascending; complete only if first_id >= floor_id."""
        start = bisect_left(self.items, first_id, key=_id)
        return self.items[start : start + limit]

    def between(self, start_ms: int, end_ms: int, limit: int) -> Sequence[Item]:
        """The oldest `limit` items with start_ms <= time <= end_ms."""
        start = bisect_left(self.items, start_ms, key=_time_ms)
        end = bisect_right(self.items, end_ms, key=_time_ms)
        return self.items[start : min(end, start + limit)]

    def until(self, end_ms: int, limit: int) -> Sequence[Item]:
        """The newest `limit` items with time <= end_ms."""
        end = bisect_right(self.items, end_ms, key=_time_ms)
        return self.items[max(0, end - limit) : end]

    def holds_time(self, time_ms: int) -> bool:
        """Whether every item from this time on is here."""
        return self.floor_id == 1 or (bool(self.items) and self.items[0].time_ms < time_ms)


def _id(item: Trade | AggregateTrade) -> int:
    return item.id


def _time_ms(item: Trade | AggregateTrade) -> int:
    return item.time_ms
