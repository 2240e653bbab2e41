"""What the engine remembers. The modules around it change it; only `engine.Engine` starts them."""

from collections.abc import Callable
from typing import Final

from mypy_extensions import i64

from exchange.contracts.codes import BUY
from exchange.contracts.commands import RegisterMarket
from matching_engine.core import engine_limits
from matching_engine.core.accounts import Accounts, Balance
from matching_engine.core.book import Book
from matching_engine.core.engine_limits import UNBOUNDED, EngineLimits
from matching_engine.core.fee_table import FeeTable, Standing
from matching_engine.core.filters import Filters, OpenCounts
from matching_engine.core.id_window import IdWindow
from matching_engine.core.market import Market
from matching_engine.core.order import Order, OrderList, Terms, Trader
from matching_engine.core.order_table import OrderTable
from matching_engine.core.position import count_buy
from matching_engine.core.rules_version import bounds_work
from matching_engine.core.waiting import Waiting

_NEAR_MARKETS: Final = 64  # a power of two


class Withdrawal:
    """Money held until it is settled or released."""

    def __init__(self, withdrawal_id: int, user_id: int, asset_id: int, amount: int) -> None:
        self.withdrawal_id = withdrawal_id
        self.user_id = user_id
        self.asset_id = asset_id
        self.amount = amount


class EngineState:
    """All state of one shard. `book_factory` and `waiting_factory`: the fast ones, or the naive reference.

    `limits` are no state: every engine of an exchange has the same.
    """

    def __init__(
        self,
        book_factory: Callable[[], Book] = Book,
        limits: EngineLimits | None = None,
        waiting_factory: Callable[[], Waiting] = Waiting,
    ) -> None:
        self.book_factory = book_factory
        self.waiting_factory = waiting_factory
        self.limits = engine_limits.DEFAULT if limits is None else limits
        self.now_ms = 0
        # Until when, and a moment more, a leader is known to be at work (core/attendance.py).
        self.attended_ms = 0
        self.seq = 0
        self.epoch = 0
        self.leader_id = ""  # of the newest marker that this engine has decided; no part of the state
        self.rules_version = 1
        self.asset_decimals: dict[int, int] = {}
        self.asset_codes: dict[int, str] = {}
        self.markets: dict[int, Market] = {}
        # Of those whose ids end in the same bits, the one that was last asked for.
        self._near_markets: list[Market | None] = [None] * _NEAR_MARKETS
        self.accounts = Accounts()
        self.orders = OrderTable()
        # user_id -> client order id -> open order; kept when empty, as most users come back.
        self.orders_by_name: dict[int, dict[str, Order]] = {}
        self.withdrawals: dict[int, Withdrawal] = {}
        self.deposit_ids = IdWindow()
        self.withdrawal_ids = IdWindow()
        self.next_order_id = 1
        # Lists of orders (rules version 4): by id, and user_id -> the name that its sender gave it -> list.
        self.order_lists: dict[int, OrderList] = {}
        self.lists_by_name: dict[int, dict[str, OrderList]] = {}
        self.next_order_list_id = 1
        self.fees = FeeTable()
        # Quote asset -> the market of the discount asset against it; follows from the fees and the markets.
        self.discount_markets: dict[int, Market] = {}
        # Markets where orders are due that no command has sent to work yet, in the order of their turns.
        self.backlog: dict[int, bool] = {}
        # Filters that were changed, what is counted for them, and markets whose orders are being cancelled
        # for good (rules version 5). Who has neither stops nor icebergs open may lack counts.
        self.filters = Filters()
        self.open_counts: dict[int, OpenCounts] = {}
        self.retiring: dict[int, bool] = {}
        # By the command that is being decided; no part of the state.
        self.fills_used = 0
        self.follow_ups_used = 0

    def __del__(self) -> None:
        """Cut the links of orders, levels and traders: the compiled ones are none of the collector's."""
        for market in self.markets.values():
            market.let_go()
        for order in self.orders.values():
            order.let_go()
        for named in self.orders_by_name.values():
            named.clear()

    def market(self, market_id: i64) -> Market | None:
        """The market of this id, None if there is none."""
        slot = market_id & (_NEAR_MARKETS - 1)
        market = self._near_markets[slot]
        if market is None or market.rules.market_id != market_id:
            market = self.markets.get(market_id)
            if market is not None:
                self._near_markets[slot] = market
        return market

    def fills_max(self) -> int:
        """How many resting orders one order may meet by the active rules."""
        return self.limits.fills_per_command_max if bounds_work(self.rules_version) else UNBOUNDED

    def open_orders_max(self, market: Market) -> int:
        """How many orders one user may have open in the market by the active rules."""
        own = market.rules.open_orders_max
        return min(own, self.limits.open_orders_max) if bounds_work(self.rules_version) else own

    def new_market(self, rules: RegisterMarket, unit_atoms: int, mode: int) -> Market:
        """A market with an empty book; its assets are registered."""
        totals = self.accounts.totals
        base, quote = totals[rules.base_asset_id], totals[rules.quote_asset_id]
        market = Market(rules, unit_atoms, self.book_factory(), mode, base, quote, self.waiting_factory)
        self.look_at_filters(market)
        return market

    def look_at_filters(self, market: Market) -> None:
        """Let a market know what holds for it beside its own rules."""
        own, all_markets, rules = market.filters, self.filters, market.rules
        own.base_atoms_max = all_markets.asset_atoms_max.get(rules.base_asset_id, 0)
        own.quote_atoms_max = all_markets.asset_atoms_max.get(rules.quote_asset_id, 0)
        market.is_filtered = own.refuses_more() or all_markets.of_account.refuse_more()

    def trader(self, market: Market, user_id: int) -> Trader:
        """The user in this market; for one who has never traded here, a draft that `admit` would keep."""
        trader = market.trader(user_id)
        if trader is None:
            base = self.accounts.find(user_id, market.rules.base_asset_id)
            quote = self.accounts.find(user_id, market.rules.quote_asset_id)
            named = self.orders_by_name.get(user_id)
            trader = Trader(
                user_id,
                market.rules.market_id,
                Balance(0, 0) if base is None else base,
                Balance(0, 0) if quote is None else quote,
                {} if named is None else named,
            )
            trader.standing = self.fees.standings.get(user_id)
        return trader

    def stand(self, user_id: int, standing: Standing) -> None:
        """From now on the account pays by this standing, in every market."""
        is_plain = standing.tier == 0 and not standing.pays_discounted
        if is_plain:
            self.fees.standings.pop(user_id, None)
        else:
            self.fees.standings[user_id] = standing
        for market in self.markets.values():
            trader = market.traders.get(user_id)
            if trader is not None:
                trader.standing = None if is_plain else standing

    def find_discount_markets(self) -> None:
        """Look up anew where the discount asset has a price: of several markets of a pair, in the oldest."""
        self.discount_markets = {}
        for market_id in sorted(self.markets):
            market = self.markets[market_id]
            if market.rules.base_asset_id == self.fees.discount_asset_id:
                self.discount_markets.setdefault(market.rules.quote_asset_id, market)

    def admit(self, market: Market, trader: Trader) -> None:
        """Keep a trader whose order has been accepted, with the accounts that it opens by that."""
        if trader.is_admitted:
            return
        user_id = trader.user_id
        trader.is_admitted = True
        market.traders[user_id] = trader
        self.accounts.open(user_id, market.rules.base_asset_id, trader.base)
        self.accounts.open(user_id, market.rules.quote_asset_id, trader.quote)
        self.orders_by_name[user_id] = trader.named

    def rest(self, market: Market, order: Order) -> None:
        """Put an order on the book and into the indexes."""
        market.book.add(order)
        self.orders.add(order)
        order.trader.named[order.client_order_id] = order
        order.trader.open_orders += 1
        terms = order.terms
        if terms is not None:
            terms.is_known = True
            count_buy(order, terms)
        elif order.side == BUY:
            order.trader.open_buy_lots += order.open_lots

    def rest_with_terms(self, market: Market, order: Order, terms: Terms) -> int:
        """Put an order on the book, of an iceberg one slice; returns what the book shows of it."""
        if terms.iceberg_lots and order.open_lots > terms.iceberg_lots:
            terms.hidden_lots = order.open_lots - terms.iceberg_lots
            order.open_lots = terms.iceberg_lots
        market.book.add(order)
        if terms.is_known:
            count_buy(order, terms)
        else:
            self.know(order, terms)
        return order.open_lots

    def know(self, order: Order, terms: Terms) -> None:
        """Put an order with terms into the indexes."""
        terms.is_known = True
        self.orders.add(order)
        order.trader.named[order.client_order_id] = order
        self._count(order, terms, 1)

    def _count(self, order: Order, terms: Terms, by: int) -> None:
        trader = order.trader
        trader.open_orders += by
        count_buy(order, terms)
        waits, is_iceberg = terms.waits_for_price(), terms.iceberg_lots > 0
        if not (waits or is_iceberg):
            return
        everywhere = self.open_counts.get(order.user_id)
        if everywhere is None:
            everywhere = OpenCounts()
            self.open_counts[order.user_id] = everywhere
        if waits:
            trader.algo_orders += by
            everywhere.algo_orders += by
        if is_iceberg:
            trader.iceberg_orders += by
            everywhere.iceberg_orders += by

    def forget(self, order: Order) -> None:
        """An order that was known has ended: drop it from the indexes (the book has dropped it already)."""
        assert order.held_atoms == 0, "an ended order holds nothing"
        self.orders.remove(order)
        del order.trader.named[order.client_order_id]
        terms = order.terms
        if terms is None:
            order.trader.open_orders -= 1
            if order.side == BUY:
                order.trader.open_buy_lots -= order.open_lots
        else:
            terms.is_known = False
            self._count(order, terms, -1)

    def know_list(self, order_list: OrderList, market: Market) -> None:
        """Put a list into the indexes."""
        self.order_lists[order_list.order_list_id] = order_list
        named = self.lists_by_name.setdefault(order_list.user_id, {})
        named[order_list.list_client_order_id] = order_list
        market.traders[order_list.user_id].order_lists += 1

    def forget_list(self, order_list: OrderList, market: Market) -> None:
        """A list is done: drop it from the indexes."""
        order_list.is_done = True
        del self.order_lists[order_list.order_list_id]
        named = self.lists_by_name[order_list.user_id]
        del named[order_list.list_client_order_id]
        if not named:
            del self.lists_by_name[order_list.user_id]
        market.traders[order_list.user_id].order_lists -= 1
