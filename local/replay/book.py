"""A recorded book, order by order, as commands of accounts that place, shrink and cancel. Pure.

What is executed is taken by somebody: the order that was hit is the best of its price and the oldest there,
so matching finds it again. One that was there before the file began, or that nobody saw, is placed for it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from exchange.contracts import codes
from exchange.contracts.commands import CancelOrder, Command, PlaceOrder
from exchange.contracts.events import MarketRegistered
from exchange.contracts.order_commands import AmendOrder
from local.ladder import Ladder
from local.replay.messages import Kind, Message
from local.replay.units import ticks_and_lots

__all__ = ["OWNERS", "RecordedBook"]

# An account has a bound on its open orders, and a recorded book may have twenty thousand.
OWNERS: Final = range(100, 140)
NewId = Callable[[], int]


@dataclass
class RecordedBook:
    """One market's. `unit_atoms`: of one whole base unit; `maker_id`, `taker_id`: of what was executed."""

    rules: MarketRegistered
    unit_atoms: int
    quote_decimals: int
    maker_id: int
    taker_id: int
    adapted: int = 0
    # What is left of each order that rests, in lots, and what it began with.
    _open: dict[int, tuple[int, int]] = field(default_factory=dict)

    def commands(self, one: Message, new_id: NewId) -> Iterator[Command]:
        """What has to be decided for it, in this order. Raises FileError for what is no number."""
        ticks, lots = self._numbers(one)
        if one.kind == Kind.PLACED:
            self._open[one.order_id] = (lots, lots)
            owner, name = self._named(one.order_id)
            yield self._order(new_id(), owner, name, one.is_buy, ticks, lots, codes.GTC)
        elif one.kind == Kind.REDUCED:
            yield from self._reduced(one.order_id, lots, new_id)
        elif one.kind == Kind.CANCELLED:
            if self._open.pop(one.order_id, None) is not None:
                yield self._cancel(one.order_id, new_id)
        else:
            yield from self._executed(one, ticks, lots, new_id)

    def _numbers(self, one: Message) -> tuple[int, int]:
        ticks, whole = ticks_and_lots(one, self.rules, self.unit_atoms, self.quote_decimals)
        if one.kind in (Kind.REDUCED, Kind.CANCELLED):
            return ticks, whole
        lots = Ladder(self.rules, self.unit_atoms, self.maker_id, self.taker_id).allowed(ticks, whole)
        self.adapted += lots != whole
        return ticks, lots

    def _reduced(self, order_id: int, lots: int, new_id: NewId) -> Iterator[Command]:
        left, whole = self._open.get(order_id, (0, 0))
        if left <= 0:
            return
        if lots >= left:
            del self._open[order_id]
            yield self._cancel(order_id, new_id)
            return
        self._open[order_id] = (left - lots, whole - lots)
        owner, name = self._named(order_id)
        market_id = self.rules.market_id
        yield AmendOrder(new_id(), owner, market_id, 0, name, name, whole - lots, 0)

    def _executed(self, one: Message, ticks: int, lots: int, new_id: NewId) -> Iterator[Command]:
        left, whole = self._open.get(one.order_id, (0, 0))
        if one.kind == Kind.HIDDEN or left <= 0:
            number = new_id()
            yield self._order(number, self.maker_id, f"replay-{number}", one.is_buy, ticks, lots, codes.GTC)
        elif lots >= left:
            del self._open[one.order_id]
        else:
            self._open[one.order_id] = (left - lots, whole)
        number = new_id()
        yield self._order(number, self.taker_id, f"replay-{number}", not one.is_buy, ticks, lots, codes.IOC)

    def _named(self, order_id: int) -> tuple[int, str]:
        """Whose it is here, and what it is called."""
        return OWNERS[order_id % len(OWNERS)], f"recorded-{order_id}"

    def _cancel(self, order_id: int, new_id: NewId) -> CancelOrder:
        owner, name = self._named(order_id)
        return CancelOrder(new_id(), owner, self.rules.market_id, 0, name, "", codes.CANCEL_ANY, 0)

    def _order(
        self, number: int, user_id: int, name: str, is_buy: bool, ticks: int, lots: int, tif: int
    ) -> PlaceOrder:
        side = codes.BUY if is_buy else codes.SELL
        return PlaceOrder(
            number, user_id, self.rules.market_id, name, side, codes.LIMIT, tif, ticks, lots, 0,
            codes.STP_NONE, 0,
        )  # fmt: skip
