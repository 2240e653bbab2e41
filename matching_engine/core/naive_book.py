"""The order book in its plainest form: one list, searched from end to end. The reference for `book.Book`."""

from exchange.contracts.codes import BUY
from matching_engine.core.book import Book
from matching_engine.core.order import Level, Order


class NaiveBook(Book):
    """Same answers as `Book`, by sorting all orders by (price, arrival) whenever it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._arrived: list[Order] = []

    def best(self, side: int) -> Order | None:
        """The first of the sorted orders."""
        queue = self._sorted(side)
        return queue[0] if queue else None

    def add(self, order: Order) -> None:
        """Remember the order as the newest."""
        order.level = Level(order.price_ticks)
        self._arrived.append(order)
        if order.terms is not None and order.terms.iceberg_lots:
            self.icebergs += 1

    def remove(self, order: Order) -> None:
        """Forget the order."""
        order.level = None
        if order.terms is not None and order.terms.iceberg_lots:
            self.icebergs -= 1
        self._arrived = [o for o in self._arrived if o.order_id != order.order_id]

    def reduce(self, order: Order, lots: int) -> None:
        """Fill `lots`, forget the order when nothing is open."""
        order.open_lots -= lots
        if order.open_lots == 0:
            self.remove(order)

    def following(self, order: Order) -> Order | None:
        """The next of the sorted orders."""
        queue = self._sorted(order.side)
        position = [o.order_id for o in queue].index(order.order_id) + 1
        return queue[position] if position < len(queue) else None

    def level_begun_by(self, order: Order) -> Level | None:
        """None: the reference looks at each order."""
        return None

    def depth(self, side: int, levels_max: int) -> list[tuple[int, int]]:
        """Sum the open lots by price."""
        lots_at: dict[int, int] = {}
        for order in self._sorted(side):
            lots_at[order.price_ticks] = lots_at.get(order.price_ticks, 0) + order.open_lots
        return list(lots_at.items())[:levels_max]

    def orders(self, side: int) -> list[Order]:
        """The sorted orders."""
        return self._sorted(side)

    def _sorted(self, side: int) -> list[Order]:
        mine = [o for o in self._arrived if o.side == side]
        # sorted() is stable, so equal prices stay in order of arrival.
        return sorted(mine, key=lambda o: -o.price_ticks if side == BUY else o.price_ticks)
