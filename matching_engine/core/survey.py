"""What an order would meet, looked up without changing anything: icebergs slice by slice.

As matching does.
"""

from typing import Final

from exchange.contracts.codes import BUY, SELL, STP_DECREMENT, STP_EXPIRE_MAKER, STP_NONE
from matching_engine.core.book import Book
from matching_engine.core.engine_limits import UNBOUNDED
from matching_engine.core.order import Order

__all__ = ["BOOK_ENDS", "MAKERS_END", "MONEY_ENDS", "Survey"]

# Why the walk ended.
FILLED: Final = 0
BOOK_ENDS: Final = 1
MAKERS_END: Final = 2
MONEY_ENDS: Final = 3
STOPPED: Final = 4


class Survey:
    """A walk over the orders that a taker of `side` would meet.

    Bounds: `limit_ticks` (0: any price), `lots_max`, `tick_lots_max` (ticks times lots: what may be spent)
    and `makers_max` meetings. Results: `filled` and `prevented` lots, `cost` of the filled ones in ticks
    times lots, `beyond`: the lots that the money left would buy at the last price seen, and why it `ended`.
    """

    def __init__(self, side: int, user_id: int, stp_mode: int) -> None:
        self._side = side
        self._user_id = user_id
        self._stp_mode = stp_mode
        self.filled = 0
        self.prevented = 0
        self.cost = 0
        self.spent = 0  # and what the prevented lots would have cost
        self.met = 0
        self.beyond = 0
        self.ended = BOOK_ENDS

    def walk(self, book: Book, limit_ticks: int, lots_max: int, tick_lots_max: int, makers_max: int) -> None:
        """Meet the orders of the other side, best price first."""
        maker = book.best(SELL if self._side == BUY else BUY)
        last_ticks = 0
        while maker is not None and self._accepts(limit_ticks, maker.price_ticks):
            last_ticks = maker.price_ticks
            maker = self._level(book, maker, lots_max, tick_lots_max, makers_max)
            if self.ended != BOOK_ENDS:
                break
        if self.filled + self.prevented == lots_max:
            self.ended = FILLED
        elif last_ticks and tick_lots_max != UNBOUNDED:
            self.beyond = (tick_lots_max - self.spent) // last_ticks

    def _accepts(self, limit_ticks: int, price_ticks: int) -> bool:
        if limit_ticks == 0:
            return True
        return price_ticks <= limit_ticks if self._side == BUY else price_ticks >= limit_ticks

    def _level(
        self, book: Book, first: Order, lots_max: int, tick_lots_max: int, makers_max: int
    ) -> Order | None:
        """Meet all orders of one price, then what they hide; the first order of the next price."""
        price = first.price_ticks
        maker: Order | None = first
        hiding: list[Order] = []
        hidden: list[int] = []
        while maker is not None and maker.price_ticks == price:
            if not self._meet(maker, maker.open_lots, lots_max, tick_lots_max, makers_max):
                return None
            terms = maker.terms
            if terms is not None and terms.hidden_lots and not self._closes(maker):
                hiding.append(maker)
                hidden.append(terms.hidden_lots)
            maker = book.following(maker)
        at = 0
        while at < len(hiding):
            order, left = hiding[at], hidden[at]
            terms = order.terms
            assert terms is not None, "who hides lots has terms"
            lots = min(terms.iceberg_lots, left)
            if not self._meet(order, lots, lots_max, tick_lots_max, makers_max):
                return None
            if left > lots:
                hiding.append(order)
                hidden.append(left - lots)
            at += 1
        return maker

    def _closes(self, maker: Order) -> bool:
        """Whether meeting this order would close it whole."""
        return maker.user_id == self._user_id and self._stp_mode == STP_EXPIRE_MAKER

    def _meet(self, maker: Order, lots: int, lots_max: int, tick_lots_max: int, makers_max: int) -> bool:
        """Meet `lots` of an order; False when the walk ends there."""
        left = lots_max - self.filled - self.prevented
        if left == 0:
            self.ended = FILLED
            return False
        price = maker.price_ticks
        payable = (tick_lots_max - self.spent) // price
        if payable == 0:
            self.ended = MONEY_ENDS
            return False
        if self.met == makers_max:
            self.ended = MAKERS_END
            return False
        self.met += 1
        is_own = maker.user_id == self._user_id and self._stp_mode != STP_NONE
        if is_own and self._stp_mode < STP_DECREMENT:
            if self._stp_mode == STP_EXPIRE_MAKER:
                return True
            self.ended = STOPPED
            return False
        take = min(lots, left, payable)
        self.spent += take * price
        if is_own:
            self.prevented += take
        else:
            self.filled += take
            self.cost += take * price
        if take == payable and take < min(lots, left):
            self.ended = MONEY_ENDS
            return False
        return True
