"""Orders of a house that quotes: a ladder around a price, a print at it, a sweep up to it. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from exchange.contracts import codes
from exchange.contracts.commands import Command, PlaceOrder
from exchange.contracts.events import MarketRegistered

__all__ = ["LEVELS", "Ladder"]

LEVELS: Final = 20
# Each level is worth so many times the market's smallest order.
_SMALLEST_PER_LEVEL: Final = 1_000
_HALF_SPREAD_PPM: Final = 50
_GAP_PPM: Final = 100
_PPM: Final = 1_000_000
NewId = Callable[[], int]


@dataclass(frozen=True)
class Ladder:
    """What the house places in one market. `unit_atoms`: of one whole base unit."""

    rules: MarketRegistered
    unit_atoms: int
    maker_id: int
    taker_id: int

    def quotes(self, middle_ticks: int, new_id: NewId, levels: int = LEVELS) -> Iterator[PlaceOrder]:
        """Both sides, the inner levels first."""
        for level in range(levels):
            offset = max(level + 1, middle_ticks * (_HALF_SPREAD_PPM + level * _GAP_PPM) // _PPM)
            for side, price in ((codes.BUY, middle_ticks - offset), (codes.SELL, middle_ticks + offset)):
                if self._is_allowed(price):
                    yield self._order(
                        new_id(), self.maker_id, side, codes.LIMIT_MAKER, price, self._lots(price)
                    )

    def trade_at(self, price_ticks: int, new_id: NewId) -> Iterator[Command]:
        """A trade between the house's two accounts, so that this is the last price."""
        lots = self._lots(price_ticks)
        yield self._order(new_id(), self.maker_id, codes.SELL, codes.LIMIT_MAKER, price_ticks, lots)
        yield self._order(new_id(), self.taker_id, codes.BUY, codes.LIMIT, price_ticks, lots, codes.IOC)

    def sweep(self, side: int, price_ticks: int, lots: int, new_id: NewId) -> Iterator[Command]:
        """Take `lots` that rest at `price_ticks` or better, in orders that the market allows."""
        most = min(self.rules.quantity_lots_max, self._lots_worth(self.rules.notional_atoms_max, price_ticks))
        while lots > 0:
            part = min(lots, max(1, most))
            lots -= part
            size = max(part, self._smallest(price_ticks))
            yield self._order(new_id(), self.taker_id, side, codes.LIMIT, price_ticks, size, codes.IOC)

    def allowed(self, price_ticks: int, lots: int) -> int:
        """The lots nearest to these that one order may have at this price."""
        most = min(self.rules.quantity_lots_max, self._lots_worth(self.rules.notional_atoms_max, price_ticks))
        return max(1, min(max(lots, self._smallest(price_ticks)), most))

    def _is_allowed(self, price_ticks: int) -> bool:
        return max(1, self.rules.price_ticks_min) <= price_ticks <= self.rules.price_ticks_max

    def _lots_worth(self, atoms: int, price_ticks: int) -> int:
        """Whole lots for this much of the quote asset; price * quantity is whole by the market's rules."""
        return atoms * self.unit_atoms // (price_ticks * self.rules.tick_atoms * self.rules.lot_atoms)

    def _smallest(self, price_ticks: int) -> int:
        return max(
            self.rules.quantity_lots_min, self._lots_worth(self.rules.notional_atoms_min, price_ticks) + 1
        )

    def _lots(self, price_ticks: int) -> int:
        wanted = self._smallest(price_ticks) * _SMALLEST_PER_LEVEL
        most = self._lots_worth(self.rules.notional_atoms_max, price_ticks)
        return max(1, min(wanted, self.rules.quantity_lots_max, most))

    def _order(
        self,
        number: int,
        user_id: int,
        side: int,
        kind: int,
        price_ticks: int,
        lots: int,
        tif: int = codes.GTC,
    ) -> PlaceOrder:
        return PlaceOrder(
            number, user_id, self.rules.market_id, f"house-{number}", side, kind, tif, price_ticks, lots, 0,
            codes.STP_NONE, 0,
        )  # fmt: skip
