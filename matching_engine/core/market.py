"""One market: its rules, its book, and the walks over the book that need no change of state."""

from collections.abc import Callable
from typing import Final

from mypy_extensions import i64

from exchange.contracts.codes import BUY, SELL, STP_EXPIRE_MAKER, STP_NONE
from exchange.contracts.commands import RegisterMarket
from matching_engine.core.accounts import AssetTotals
from matching_engine.core.book import Book
from matching_engine.core.filters import MarketFilters
from matching_engine.core.order import Order, Trader
from matching_engine.core.rules import ReferencePrice
from matching_engine.core.waiting import Waiting

NEAR_TRADERS: Final = 1_024  # a power of two


class Market:
    """State of a market. `unit_atoms`: quote atoms of one tick times one lot.

    `base` and `quote` are the totals of its two assets. `traders`: user_id -> who has traded here.
    `is_filtered`: whether an order has to pass more than the rules (core/filtering.py).
    """

    def __init__(
        self,
        rules: RegisterMarket,
        unit_atoms: int,
        book: Book,
        mode: int,
        base: AssetTotals,
        quote: AssetTotals,
        waiting_factory: Callable[[], Waiting],
    ) -> None:
        self.rules = rules
        self.filters = MarketFilters(rules.notional_atoms_min, rules.notional_atoms_max)
        self.is_filtered = False
        self.unit_atoms = unit_atoms
        self.book = book
        self.mode = mode
        self.reference = ReferencePrice()
        self.next_trade_id = 1
        self.base = base
        self.quote = quote
        self.traders: dict[int, Trader] = {}
        # Of those whose ids end in the same bits, the one who has last been asked for.
        self.near: list[Trader | None] = [None] * NEAR_TRADERS
        self.waiting: Waiting | None = None  # until the first order of the market waits
        self._waiting_factory = waiting_factory

    def trader(self, user_id: i64) -> Trader | None:
        """Who has traded here, None if it never has."""
        slot = user_id & (NEAR_TRADERS - 1)
        trader = self.near[slot]
        if trader is None or trader.user_id != user_id:
            trader = self.traders.get(user_id)
            if trader is not None:
                self.near[slot] = trader
        return trader

    def waits(self) -> Waiting:
        """All that waits here."""
        if self.waiting is None:
            self.waiting = self._waiting_factory()
        return self.waiting

    def let_go(self) -> None:
        """Cut all links: the engine has come to its end."""
        self.book.let_go()
        if self.waiting is not None:
            self.waiting.let_go()

    def crosses(self, side: int, price_ticks: int) -> bool:
        """Whether an order of `side` at `price_ticks` (0: any price) would trade at once."""
        best = self.book.best(SELL if side == BUY else BUY)
        return best is not None and within_limit(side, price_ticks, best.price_ticks)

    def fillable(
        self,
        side: int,
        price_ticks: int,
        lots: int,
        user_id: int,
        stp_mode: int,
        makers_max: int,
        cost_max: int,
        has_own: bool,
    ) -> tuple[int, int]:
        """Walk the other side. Return (lots that would fill, their cost in tick·lots).

        `price_ticks` 0 means any price. The user's own orders stop the walk or are passed over, as
        the self-trade prevention mode says. The walk meets `makers_max` orders at most, as matching
        does, and ends where the cost passes `cost_max`: nobody can pay what lies behind. Unless the
        user `has_own` orders here, levels that fill whole are taken whole, at the cost of one order each.
        """
        filled = cost = met = 0
        maker = self.book.best(SELL if side == BUY else BUY)
        while (
            maker is not None
            and filled < lots
            and met < makers_max
            and cost <= cost_max
            and within_limit(side, price_ticks, maker.price_ticks)
        ):
            if not has_own:
                level = self.book.level_begun_by(maker)
                if level is not None and level.count <= makers_max - met and level.lots <= lots - filled:
                    met += level.count
                    filled += level.lots
                    cost += level.lots * level.price_ticks
                    assert level.tail is not None, "a level has orders"
                    maker = self.book.following(level.tail)
                    continue
            met += 1
            if maker.user_id == user_id and stp_mode != STP_NONE:
                if stp_mode != STP_EXPIRE_MAKER:
                    break
            else:
                take = min(maker.open_lots, lots - filled)
                filled += take
                cost += take * maker.price_ticks
            maker = self.book.following(maker)
        return filled, cost

    def fillable_for_quote(
        self,
        side: int,
        tick_lots: int,
        user_id: int,
        stp_mode: int,
        makers_max: int,
        cost_max: int,
        lots_max: int,
        has_own: bool,
    ) -> tuple[int, int, int]:
        """As `fillable`, but bounded by what is to be spent: never more than `tick_lots`.

        Returns a third number: the lots beyond those that the budget would also pay, at the next order's
        price, when `makers_max` ends the walk before the budget does. Also ends beyond `lots_max`.
        """
        filled = cost = met = 0
        maker: Order | None = self.book.best(SELL if side == BUY else BUY)
        while maker is not None and cost <= cost_max and filled <= lots_max:
            if met == makers_max:
                return filled, cost, min(maker.open_lots, (tick_lots - cost) // maker.price_ticks)
            if not has_own:
                level = self.book.level_begun_by(maker)
                if (
                    level is not None
                    and level.count <= makers_max - met
                    and level.lots * level.price_ticks <= tick_lots - cost
                ):
                    met += level.count
                    filled += level.lots
                    cost += level.lots * level.price_ticks
                    assert level.tail is not None, "a level has orders"
                    maker = self.book.following(level.tail)
                    continue
            met += 1
            if maker.user_id == user_id and stp_mode != STP_NONE:
                if stp_mode != STP_EXPIRE_MAKER:
                    break
            else:
                take = min(maker.open_lots, (tick_lots - cost) // maker.price_ticks)
                filled += take
                cost += take * maker.price_ticks
                if take < maker.open_lots:
                    break
            maker = self.book.following(maker)
        return filled, cost, 0


def within_limit(side: int, limit_ticks: int, maker_ticks: int) -> bool:
    """Whether a taker of `side` with this limit (0: none) accepts a maker's price."""
    if limit_ticks == 0:
        return True
    return maker_ticks <= limit_ticks if side == BUY else maker_ticks >= limit_ticks
