"""Which filters hold, as the model knows them from their events, and that no accepted order breaks one."""

from exchange.contracts import codes
from exchange.contracts.codes import BUY, MODE_RETIRED
from exchange.contracts.events import MarketRegistered, TradingModeChanged
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.order_events import OrderWithTermsAccepted
from tests.simulation.model.books import Books
from tests.simulation.model.order import ModelOrder
from tests.simulation.violations import require

__all__ = ["ModelFilters"]


class ModelFilters:
    """Steps, MAX_POSITION and EXCHANGE_MAX_NUM_ORDERS; and markets that have ended."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._values: dict[tuple[int, int], tuple[int, int, int]] = {}
        self._ended: set[int] = set()

    def changed(self, event: FilterChanged) -> None:
        """A filter holds from now on."""
        self._values[event.filter_type, event.market_id] = (event.first, event.second, event.third)

    def mode_changed(self, event: TradingModeChanged) -> None:
        """What has ended stays so."""
        require(event.market_id not in self._ended, f"I8: market {event.market_id} begins again")
        if event.mode == MODE_RETIRED:
            self._ended.add(event.market_id)

    def check(self, order: ModelOrder) -> None:
        """An order was accepted: its hold stands, its trades are still to come."""
        event = order.accepted
        require(event.market_id not in self._ended, "I8: an order in a market that has ended")
        is_pegged = isinstance(event, OrderWithTermsAccepted) and event.peg_price_type != codes.PEG_NONE
        price_step = self._of(codes.FILTER_PRICE, event.market_id)[2] or 1
        require(is_pegged or event.price_ticks % price_step == 0, "I8: a price between two steps")
        step = self._of(codes.FILTER_LOT_SIZE, event.market_id)[2] or 1
        require(event.quantity_lots % step == 0, "I8: a quantity between two steps")
        most = self._of(codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 0)[0]
        mine = [one for one in self._books.orders.values() if one.accepted.user_id == event.user_id]
        require(not most or len(mine) <= most, "I8: more orders than one account may have")
        self._check_position(order, mine)

    def sellable_lots(self, market: MarketRegistered, lots: int, *, at_any_price: bool) -> int:
        """How many of what a list has bought its next orders may sell: as one order may, in whole steps."""
        unchanged = 0, market.quantity_lots_max, 1
        _, most, step = self._values.get((codes.FILTER_LOT_SIZE, market.market_id), unchanged)
        lots = min(lots, most)
        if at_any_price:
            unchanged = 0, market.market_quantity_lots_max, 1
            _, most, market_step = self._values.get(
                (codes.FILTER_MARKET_LOT_SIZE, market.market_id), unchanged
            )
            lots = min(lots, most)
            lots -= lots % market_step
        return lots - lots % step

    def _of(self, kind: int, market_id: int) -> tuple[int, int, int]:
        return self._values.get((kind, market_id), (0, 0, 0))

    def _check_position(self, order: ModelOrder, mine: list[ModelOrder]) -> None:
        """Orders of lists are left out: of an OCO one leg counts, which the events of one leg do not tell."""
        event = order.accepted
        most = self._of(codes.FILTER_MAX_POSITION, event.market_id)[0]
        if not most or event.side != BUY or order.list_id:
            return
        market = self._books.markets[event.market_id]
        has = sum(self._books.balances.get((event.user_id, market.base_asset_id), (0, 0)))
        lots = sum(
            one.open_lots
            for one in mine
            if one.accepted.side == BUY and one.accepted.market_id == event.market_id and not one.list_id
        )
        require(has + lots * market.lot_atoms <= most, "I8: a larger position than one may have")
