"""The read model: accounts, open orders and markets in memory, made of events alone.

Pure: no I/O, no clock. `AccountView.apply` takes the events in order; `bootstrap` fills a fresh view
from PostgreSQL. Units stand in the names, see `exchange.contracts.events`.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome, RecordedEvent
from exchange.contracts.events import (
    AssetRegistered,
    CommandRejected,
    DepositCredited,
    LeaderChanged,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    RulesActivated,
    SkipRecorded,
    TimeKept,
    TradeExecuted,
    TradingModeChanged,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.fee_events import MarketFeesChanged, TradeExecutedWithDiscount
from exchange.contracts.filter_events import FilterChanged
from exchange.trading.fees import with_fees
from exchange.trading.filters import Filters
from services.order.view.fees import FeeView
from services.order.view.records import Asset, Balance, Market, OrderRecord, accepted_order
from services.order.view.term_events import OrderLists, TermEvents

__all__ = ["AccountView", "Asset", "Balance", "Market", "OrderRecord", "ViewError"]

CLOSED_ORDERS_MAX = 20_000
DONE_LISTS_MAX = 10_000
NAMES_BEFORE_MAX = 10_000


class ViewError(Exception):
    """Events that cannot follow from what is known: this process must stop, not guess."""


_order_id: Final = attrgetter("order_id")


class AccountView:
    """Everything the order service answers from without asking anybody."""

    def __init__(self, closed_orders_max: int = CLOSED_ORDERS_MAX) -> None:
        self.assets: dict[int, Asset] = {}
        self.markets: dict[int, Market] = {}
        self.market_by_symbol: dict[str, Market] = {}
        self.filters = Filters()
        self.balances: dict[int, dict[int, Balance]] = {}
        self.updated_ms_of: dict[int, int] = {}
        self.last_seq_of: dict[int, int] = {}
        self.seq = 0
        self._closed_orders_max = closed_orders_max
        self._open: dict[int, OrderRecord] = {}
        # Of each user by name: of all markets together a name is open once.
        self._open_of_user: dict[int, dict[str, OrderRecord]] = {}
        self._closed: OrderedDict[int, OrderRecord] = OrderedDict()
        self._closed_by_client_id: dict[tuple[int, int, str], OrderRecord] = {}
        self._names_before: OrderedDict[int, str] = OrderedDict()
        self.lists = OrderLists(DONE_LISTS_MAX)
        self.fees = FeeView()
        self._appliers: dict[type, Callable[..., None]] = {
            AssetRegistered: self._asset_registered,
            MarketRegistered: self._market_registered,
            TradingModeChanged: self._trading_mode_changed,
            FilterChanged: self._filter_changed,
            MarketFeesChanged: self._market_fees_changed,
            OrderAccepted: self._order_accepted,
            TradeExecuted: self._trade_executed,
            TradeExecutedWithDiscount: self._trade_with_discount,
            OrderClosed: self._order_closed,
            DepositCredited: self._deposit_credited,
            WithdrawalReserved: self._withdrawal_reserved,
            WithdrawalSettled: self._withdrawal_settled,
            WithdrawalReleased: self._withdrawal_released,
            CommandRejected: self._nothing,
            LeaderChanged: self._nothing,
            RulesActivated: self._nothing,
            SkipRecorded: self._nothing,
            TimeKept: self._nothing,
            **TermEvents(self, self.lists).appliers,
            **self.fees.appliers,
        }

    # -- questions ----------------------------------------------------------------------------

    def order(self, order_id: int) -> OrderRecord | None:
        """An open or recently closed order, whoever owns it."""
        return self._open.get(order_id) or self._closed.get(order_id)

    def open_order(self, order_id: int) -> OrderRecord:
        """An order that is open. Raises KeyError."""
        return self._open[order_id]

    def order_by_client_id(self, user_id: int, market_id: int, client_order_id: str) -> OrderRecord | None:
        """A user's newest order of that name in a market, if it is open or recently closed."""
        order = self._open_of_user.get(user_id, {}).get(client_order_id)
        if order is not None and order.market_id == market_id:
            return order
        return self._closed_by_client_id.get((user_id, market_id, client_order_id))

    def open_orders(self, user_id: int, market_id: int = 0) -> list[OrderRecord]:
        """A user's open orders by order id; `market_id` 0: of all markets."""
        orders = self._open_of_user.get(user_id, {}).values()
        found = [o for o in orders if not market_id or o.market_id == market_id]
        # They came in that order; only one that was renamed stands behind.
        found.sort(key=_order_id)
        return found

    def users_with_open_orders(self) -> list[tuple[int, int]]:
        """(user, market) of whoever has an open order there."""
        return sorted(
            {(o.user_id, o.market_id) for orders in self._open_of_user.values() for o in orders.values()}
        )

    def balances_of(self, user_id: int) -> Iterator[tuple[Asset, Balance]]:
        """Every asset in order of registration with the user's balance, zero where there is none."""
        held = self.balances.get(user_id, {})
        for asset_id, asset in self.assets.items():
            yield asset, held.get(asset_id) or Balance(0, 0)

    # -- filling ------------------------------------------------------------------------------

    def add_asset(self, asset: Asset) -> None:
        """Make an asset known."""
        self.assets[asset.asset_id] = asset

    def add_market(self, rules: MarketRegistered, mode: int) -> None:
        """Make a market known; its assets must be."""
        market = Market(rules, self.assets[rules.base_asset_id], self.assets[rules.quote_asset_id], mode)
        self.markets[rules.market_id] = market
        self.market_by_symbol[rules.symbol] = market

    def change_filter(self, event: FilterChanged) -> None:
        """A filter holds from now on; its market is known."""
        self.filters.apply(event)
        if event.market_id:
            self.markets[event.market_id].change_filter(event)

    def add_open_order(self, order: OrderRecord) -> None:
        """Put an open order under all its indexes."""
        self._open[order.order_id] = order
        names = self._open_of_user.setdefault(order.user_id, {})
        for other in names.values():
            order.user_id = other.user_id  # one number in memory for all of a user's orders
            break
        names[order.client_order_id] = order

    def rename(self, order: OrderRecord, client_order_id: str, seq: int) -> None:
        """Give an open order another name; the old one is remembered under the event's seq."""
        self._names_before[seq] = order.client_order_id
        if len(self._names_before) > NAMES_BEFORE_MAX:
            self._names_before.popitem(last=False)
        names = self._open_of_user[order.user_id]
        del names[order.client_order_id]
        order.client_order_id = client_order_id
        names[client_order_id] = order

    def name_before(self, seq: int) -> str:
        """The name that an order had before its amendment at `seq`; "" when that is long ago."""
        return self._names_before.get(seq, "")

    def hold(self, order: OrderRecord, held_atoms: int, seq: int, time_ms: int) -> None:
        """Move money to an order's hold; negative: back."""
        rules = self.markets[order.market_id].rules
        asset_id = rules.quote_asset_id if order.side == codes.BUY else rules.base_asset_id
        self._move(order.user_id, asset_id, -held_atoms, held_atoms, seq, time_ms)

    def touch(self, user_id: int, seq: int) -> None:
        """Something was told of a user that moved nothing."""
        self.last_seq_of[user_id] = seq

    def apply(self, outcome: CommandOutcome) -> None:
        """Apply all events of an outcome. Raises ViewError."""
        for recorded in outcome.events:
            self.apply_event(recorded, outcome.time_ms)

    def apply_event(self, recorded: RecordedEvent, time_ms: int) -> None:
        """Apply one event. Raises ViewError."""
        try:
            self._appliers[type(recorded.event)](recorded.event, recorded.seq, time_ms)
        except KeyError as error:
            raise ViewError(f"seq {recorded.seq} names the unknown {error}") from error
        self.seq = recorded.seq

    # -- events -------------------------------------------------------------------------------

    def _nothing(self, event: object, seq: int, time_ms: int) -> None:
        return None

    def _asset_registered(self, event: AssetRegistered, seq: int, time_ms: int) -> None:
        self.add_asset(Asset(event.asset_id, event.code, event.decimals))

    def _market_registered(self, event: MarketRegistered, seq: int, time_ms: int) -> None:
        self.add_market(event, codes.MODE_TRADING)

    def _trading_mode_changed(self, event: TradingModeChanged, seq: int, time_ms: int) -> None:
        self.markets[event.market_id].mode = event.mode

    def _filter_changed(self, event: FilterChanged, seq: int, time_ms: int) -> None:
        self.change_filter(event)

    def _market_fees_changed(self, event: MarketFeesChanged, seq: int, time_ms: int) -> None:
        market = self.markets[event.market_id]
        market.rules = with_fees(market.rules, event)

    def _order_accepted(self, event: OrderAccepted, seq: int, time_ms: int) -> None:
        order = accepted_order(event, time_ms)
        self.add_open_order(order)
        rules = self.markets[event.market_id].rules
        asset_id = rules.quote_asset_id if event.side == codes.BUY else rules.base_asset_id
        self._move(event.user_id, asset_id, -event.held_atoms, event.held_atoms, seq, time_ms)

    def _trade_executed(self, event: TradeExecuted, seq: int, time_ms: int) -> None:
        rules = self.markets[event.market_id].rules
        base, quote = rules.base_asset_id, rules.quote_asset_id
        buyer, seller = event.buyer_user_id, event.seller_user_id
        released = event.buyer_released_atoms
        self._move(buyer, quote, released, -event.quote_atoms - released, seq, time_ms)
        self._move(buyer, base, event.base_atoms - event.buyer_fee_atoms, 0, seq, time_ms)
        self._move(seller, base, 0, -event.base_atoms, seq, time_ms)
        self._move(seller, quote, event.quote_atoms - event.seller_fee_atoms, 0, seq, time_ms)
        for order_id in (event.buyer_order_id, event.seller_order_id):
            order = self._open[order_id]
            order.executed_lots += event.quantity_lots
            order.executed_quote_atoms += event.quote_atoms
            order.updated_ms = time_ms
            done_lots = order.executed_lots + order.prevented_lots
            if done_lots > order.quantity_lots:
                raise ViewError(f"seq {seq}: order {order_id} is filled beyond its quantity")
            if done_lots == order.quantity_lots:
                order.status = codes.FILLED
                self._retire(order)
            else:
                order.status = codes.PARTIALLY_FILLED

    def _trade_with_discount(self, event: TradeExecutedWithDiscount, seq: int, time_ms: int) -> None:
        self._trade_executed(event, seq, time_ms)
        asset_id = event.discount_asset_id
        self._move(event.buyer_user_id, asset_id, -event.buyer_discount_fee_atoms, 0, seq, time_ms)
        self._move(event.seller_user_id, asset_id, -event.seller_discount_fee_atoms, 0, seq, time_ms)

    def _order_closed(self, event: OrderClosed, seq: int, time_ms: int) -> None:
        order = self._open[event.order_id]
        order.status = event.status
        order.close_reason = event.reason
        order.counter_order_id = event.counter_order_id
        if event.counter_order_id:
            counter = self.order(event.counter_order_id)
            ended_both = counter is not None and counter.counter_order_id == event.order_id
            order.prevented_match_id = counter.prevented_match_id if counter and ended_both else seq
        order.updated_ms = time_ms
        self._retire(order)
        rules = self.markets[event.market_id].rules
        asset_id = rules.quote_asset_id if event.side == codes.BUY else rules.base_asset_id
        self._move(event.user_id, asset_id, event.released_atoms, -event.released_atoms, seq, time_ms)

    def _deposit_credited(self, event: DepositCredited, seq: int, time_ms: int) -> None:
        self._move(event.user_id, event.asset_id, event.amount_atoms, 0, seq, time_ms)

    def _withdrawal_reserved(self, event: WithdrawalReserved, seq: int, time_ms: int) -> None:
        self._move(event.user_id, event.asset_id, -event.amount_atoms, event.amount_atoms, seq, time_ms)

    def _withdrawal_settled(self, event: WithdrawalSettled, seq: int, time_ms: int) -> None:
        self._move(event.user_id, event.asset_id, 0, -event.amount_atoms, seq, time_ms)

    def _withdrawal_released(self, event: WithdrawalReleased, seq: int, time_ms: int) -> None:
        self._move(event.user_id, event.asset_id, event.amount_atoms, -event.amount_atoms, seq, time_ms)

    # -- movements ----------------------------------------------------------------------------

    def _move(
        self, user_id: int, asset_id: int, available_atoms: int, held_atoms: int, seq: int, time_ms: int
    ) -> None:
        balances = self.balances.get(user_id)
        if balances is None:
            balances = self.balances[user_id] = {}
        balance = balances.get(asset_id)
        if balance is None:
            balance = balances[asset_id] = Balance(0, 0)
        balance.available_atoms += available_atoms
        balance.held_atoms += held_atoms
        if balance.available_atoms < 0 or balance.held_atoms < 0:
            raise ViewError(f"seq {seq}: the balance of user {user_id} in asset {asset_id} is negative")
        self.updated_ms_of[user_id] = time_ms
        self.last_seq_of[user_id] = seq

    def _retire(self, order: OrderRecord) -> None:
        """Move an ended order from the open ones to the bounded memory of closed ones."""
        del self._open[order.order_id]
        names = self._open_of_user[order.user_id]
        del names[order.client_order_id]
        if not names:
            del self._open_of_user[order.user_id]
        self._closed[order.order_id] = order
        self._closed_by_client_id[(order.user_id, order.market_id, order.client_order_id)] = order
        if len(self._closed) > self._closed_orders_max:
            _, oldest = self._closed.popitem(last=False)
            key = (oldest.user_id, oldest.market_id, oldest.client_order_id)
            if self._closed_by_client_id.get(key) is oldest:
                del self._closed_by_client_id[key]
