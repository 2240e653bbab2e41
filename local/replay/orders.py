"""A print as commands: somebody quotes it, somebody takes it, as much as the market's rules allow. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from exchange.contracts import codes
from exchange.contracts.commands import CancelAllOrders, Command, PlaceOrder
from exchange.contracts.events import MarketRegistered
from local.ladder import Ladder
from local.replay.book import RecordedBook
from local.replay.messages import Message
from local.replay.prints import Print
from local.replay.units import ticks_and_lots

__all__ = ["MAKER_ID", "QUOTER_ID", "TAKER_ID", "Market"]

# Numbers below the first that a person gets; local/past has 1 to 3.
MAKER_ID: Final = 4
TAKER_ID: Final = 5
QUOTER_ID: Final = 6
NewId = Callable[[], int]


@dataclass
class Market:
    """One market of the replay. `levels` of each side stand around its price, 0 for none."""

    rules: MarketRegistered
    base_unit_atoms: int
    quote_decimals: int
    levels: int
    # Prices that neither the quoted bids nor the quoted asks reach.
    _inside: range = field(default_factory=lambda: range(0))
    _adapted: int = 0

    def __post_init__(self) -> None:
        self._book = RecordedBook(self.rules, self.base_unit_atoms, self.quote_decimals, MAKER_ID, TAKER_ID)

    @property
    def adapted(self) -> int:
        """How often the market's rules made a quantity larger or smaller."""
        return self._adapted + self._book.adapted

    def commands(self, one: Print | Message, new_id: NewId) -> Iterator[Command]:
        """What has to be decided for it, in this order. Raises FileError for what is no number."""
        if isinstance(one, Message):
            yield from self._book.commands(one, new_id)
            return
        ticks, wanted = ticks_and_lots(one, self.rules, self.base_unit_atoms, self.quote_decimals)
        ladder = Ladder(self.rules, self.base_unit_atoms, QUOTER_ID, TAKER_ID)
        lots = ladder.allowed(ticks, wanted)
        self._adapted += lots != wanted
        moved = self.levels and ticks not in self._inside
        if moved:
            yield CancelAllOrders(new_id(), QUOTER_ID, self.rules.market_id, "", 0)
        maker, taker = (codes.BUY, codes.SELL) if one.is_buyer_maker else (codes.SELL, codes.BUY)
        yield self._order(new_id(), MAKER_ID, maker, ticks, lots, codes.GTC)
        yield self._order(new_id(), TAKER_ID, taker, ticks, lots, codes.IOC)
        if moved:
            quotes = [*ladder.quotes(ticks, new_id, self.levels)]
            bids = [quote.price_ticks for quote in quotes if quote.side == codes.BUY]
            asks = [quote.price_ticks for quote in quotes if quote.side == codes.SELL]
            self._inside = range(max(bids, default=0) + 1, min(asks, default=ticks + 1))
            yield from quotes

    def _order(self, number: int, user_id: int, side: int, ticks: int, lots: int, tif: int) -> PlaceOrder:
        return PlaceOrder(
            number, user_id, self.rules.market_id, f"replay-{number}", side, codes.LIMIT, tif, ticks, lots, 0,
            codes.STP_NONE, 0,
        )  # fmt: skip
