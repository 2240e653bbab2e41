"""What the engine remembers. The modules around it change it; only `engine.Engine` starts them."""

from collections.abc import Callable

from matching_engine.core.accounts import Accounts
from matching_engine.core.book import Book
from matching_engine.core.id_window import IdWindow
from matching_engine.core.market import Market
from matching_engine.core.order import Order


class Withdrawal:
    """Money held until it is settled or released."""

    def __init__(self, withdrawal_id: int, user_id: int, asset_id: int, amount: int) -> None:
        self.withdrawal_id = withdrawal_id
        self.user_id = user_id
        self.asset_id = asset_id
        self.amount = amount


class EngineState:
    """All state of one shard. `book_factory` chooses the book: the fast one, or the naive reference."""

    def __init__(self, book_factory: Callable[[], Book] = Book) -> None:
        self.book_factory = book_factory
        self.now_ms = 0
        self.seq = 0
        self.epoch = 0
        self.asset_decimals: dict[int, int] = {}
        self.asset_codes: dict[int, str] = {}
        self.markets: dict[int, Market] = {}
        self.accounts = Accounts()
        self.orders: dict[int, Order] = {}
        # user_id -> client order id -> open order; kept when empty, as most users come back.
        self.orders_by_name: dict[int, dict[str, Order]] = {}
        self.withdrawals: dict[int, Withdrawal] = {}
        self.deposit_ids = IdWindow()
        self.withdrawal_ids = IdWindow()
        self.next_order_id = 1

    def orders_named(self, user_id: int) -> dict[str, Order]:
        """The user's open orders in all markets, by client order id."""
        named = self.orders_by_name.get(user_id)
        if named is None:
            named = {}
            self.orders_by_name[user_id] = named
        return named

    def rest(self, market: Market, order: Order) -> None:
        """Put an order on the book and into the indexes."""
        market.book.add(order)
        self.orders[order.order_id] = order
        self.orders_named(order.user_id)[order.client_order_id] = order
        market.open_orders_of[order.user_id] = market.open_orders_of.get(order.user_id, 0) + 1

    def forget(self, market: Market, order: Order) -> None:
        """A resting order has ended: drop it from the indexes (the book has dropped it already)."""
        assert order.held_atoms == 0, "an ended order holds nothing"
        del self.orders[order.order_id]
        del self.orders_by_name[order.user_id][order.client_order_id]
        left = market.open_orders_of[order.user_id] - 1
        if left:
            market.open_orders_of[order.user_id] = left
        else:
            del market.open_orders_of[order.user_id]
