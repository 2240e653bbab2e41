"""What everybody has, and all open orders: what the events have told so far, and what must hold of it."""

from exchange.contracts.codes import BUY, SELL, STATE_WORKING
from exchange.contracts.events import MarketRegistered, OrderAccepted
from exchange.contracts.order_events import OrderWithTermsAccepted
from tests.simulation.model.order import ModelOrder
from tests.simulation.violations import require

__all__ = ["Books", "Levels"]

Levels = tuple[tuple[int, int], ...]


class Books:
    """Everybody's money and all books. Its methods raise Violation."""

    def __init__(self) -> None:
        self.markets: dict[int, MarketRegistered] = {}
        self.balances: dict[tuple[int, int], tuple[int, int]] = {}
        self.fees: dict[int, int] = {}
        self.orders: dict[int, ModelOrder] = {}
        self.prices: dict[int, list[int]] = {}  # of all trades, by market
        self.open_lists: set[int] = set()
        self._names: set[tuple[int, str]] = set()
        self._newest_order_id = 0
        # Those that have begun to work, the newest last: it takes; none has come to rest yet.
        self._takers: list[ModelOrder] = []
        self._places = 0

    def levels(self, market_id: int) -> tuple[Levels, Levels]:
        """Bids and asks as (price_ticks, lots), best first."""
        sides: dict[int, dict[int, int]] = {BUY: {}, SELL: {}}
        for order in self.orders.values():
            if order.accepted.market_id == market_id and order.rests:
                levels = sides[order.accepted.side]
                levels[order.price_ticks] = levels.get(order.price_ticks, 0) + order.shown_lots
        return tuple(sorted(sides[BUY].items(), reverse=True)), tuple(sorted(sides[SELL].items()))

    def move(self, user_id: int, asset_id: int, available: int, held: int) -> None:
        """Money comes and goes, and is never less than nothing."""
        before = self.balances.get((user_id, asset_id), (0, 0))
        after = (before[0] + available, before[1] + held)
        require(min(after) >= 0, f"I2: user {user_id} would have {after} of asset {asset_id}")
        self.balances[user_id, asset_id] = after

    def take_in(self, event: OrderAccepted | OrderWithTermsAccepted) -> ModelOrder:
        """A new order: its id, its name and its hold."""
        require(event.order_id == self._newest_order_id + 1, "order ids count up")
        self._newest_order_id = event.order_id
        name = (event.user_id, event.client_order_id)
        require(name not in self._names, f"I11: client order id {name} is taken")
        self._names.add(name)
        order = self.orders[event.order_id] = ModelOrder(event)
        self.move(event.user_id, self.pays(order), -event.held_atoms, event.held_atoms)
        return order

    def begin(self, order: ModelOrder) -> None:
        """An order works: its trades follow."""
        self._takers.append(order)

    def pays(self, order: ModelOrder) -> int:
        """The asset that an order holds."""
        market = self.markets[order.accepted.market_id]
        return market.base_asset_id if order.accepted.side == SELL else market.quote_asset_id

    def rename(self, order: ModelOrder, name: str) -> None:
        """An order has another name from now on."""
        user_id = order.accepted.user_id
        self._names.discard((user_id, order.name))
        require((user_id, name) not in self._names, f"I11: client order id {name} is taken")
        self._names.add((user_id, name))
        order.name = name

    def show(self, order: ModelOrder) -> None:
        """An order comes to rest, or shows its next slice: behind all others of its price."""
        self._places += 1
        order.place = self._places
        iceberg = order.iceberg_lots
        order.shown_lots = min(iceberg, order.open_lots) if iceberg else order.open_lots

    def best(self, market_id: int, side: int) -> ModelOrder | None:
        """The order that trades next: best price, then who came to rest there first."""
        resting = [
            o
            for o in self.orders.values()
            if o.accepted.market_id == market_id and o.accepted.side == side and o.rests
        ]
        sign = -1 if side == BUY else 1
        return min(resting, key=lambda o: (sign * o.price_ticks, o.place), default=None)

    def forget(self, order: ModelOrder) -> None:
        """An order has ended, and its name is free."""
        del self.orders[order.accepted.order_id]
        self._names.discard((order.accepted.user_id, order.name))

    def finish_takers(self) -> None:
        """Those that worked have ended or rest, as they have announced."""
        for taker in self._takers:
            if taker.accepted.order_id in self.orders:
                self.show(taker)
                taker.rests, taker.state = True, STATE_WORKING
                require(taker.resting_lots == taker.shown_lots, "I5: what is left rests")
            else:
                require(taker.resting_lots == 0, "I5: what has ended does not rest")
            bids, asks = self.levels(taker.accepted.market_id)
            require(not bids or not asks or bids[0][0] < asks[0][0], "I6: the book is crossed")
        self._takers.clear()
