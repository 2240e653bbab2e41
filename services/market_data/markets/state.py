"""Everything public about the markets, made from events alone. Pure: no clock, no I/O."""

from collections.abc import Mapping

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import BUY, MODE_TRADING, SELL
from exchange.contracts.events import (
    AssetRegistered,
    Event,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
    TradingModeChanged,
)
from exchange.contracts.fee_events import MarketFeesChanged
from exchange.contracts.filter_events import FilterChanged
from exchange.trading.book_rule import level_change
from exchange.trading.candles import CandleStore
from exchange.trading.fees import with_fees
from exchange.trading.filters import Filters, with_filter
from exchange.trading.market import Asset, Market
from exchange.trading.trades import AggregateTrade, Ring, Trade, aggregate
from services.market_data.markets.book import Book, Level
from services.market_data.markets.windows import WINDOWS, RollingWindow

__all__ = ["Changes", "MarketState", "MarketView"]


class MarketView:
    """One market: its rules, book, trades, candles and rolling statistics."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.book = Book()
        self.trades: Ring[Trade] = Ring()
        self.aggregates: Ring[AggregateTrade] = Ring()
        self.next_aggregate_id = 1
        self.candles = CandleStore()
        self.windows: Mapping[str, RollingWindow] = {
            name: RollingWindow(length_ms, self.candles) for name, length_ms in WINDOWS.items()
        }

    @property
    def last_trade(self) -> Trade | None:
        """The newest trade ever."""
        return self.trades.items[-1] if self.trades.items else None

    def add_trade(self, trade: Trade) -> None:
        """Take in the next trade (the book is changed apart from it)."""
        self.trades.add(trade)
        self.candles.add(trade)
        for window in self.windows.values():
            window.follow()

    def best(self) -> tuple[Level | None, Level | None]:
        """Best bid and best ask."""
        return self.book.bids.best(), self.book.asks.best()


class Changes:
    """What one outcome changed: new trades, and every market whose book, trades or rules did."""

    __slots__ = ("aggregates", "trades", "views")

    def __init__(self) -> None:
        self.trades: list[tuple[MarketView, Trade]] = []
        self.aggregates: list[tuple[MarketView, AggregateTrade]] = []
        self.views: dict[int, MarketView] = {}


class MarketState:
    """All markets as of `seq`, the last event applied; `time_ms` is that event's time.

    `rules_version` counts changes of assets, markets, filters and modes, for caches of exchangeInfo.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.time_ms = 0
        self.rules_version = 0
        self.assets: dict[int, Asset] = {}
        self.views: dict[int, MarketView] = {}
        self.by_symbol: dict[str, MarketView] = {}
        self.filters = Filters()

    def add_asset(self, asset: Asset) -> None:
        """Make an asset known."""
        self.assets[asset.asset_id] = asset
        self.rules_version += 1

    def add_market(self, rules: MarketRegistered, mode: int) -> MarketView:
        """Make a market known; its assets are known already."""
        base, quote = self.assets[rules.base_asset_id], self.assets[rules.quote_asset_id]
        view = MarketView(Market(rules, mode, base, quote))
        self.views[rules.market_id] = view
        self.by_symbol[rules.symbol] = view
        self.rules_version += 1
        return view

    def change_filter(self, event: FilterChanged) -> None:
        """A filter holds from now on; its market is known."""
        self.filters.apply(event)
        self.rules_version += 1
        if event.market_id:
            market = self.views[event.market_id].market
            market.rules = with_filter(market.rules, event)

    def apply(self, outcome: CommandOutcome) -> Changes:
        """Apply all events of one outcome. Raises BookError or KeyError when they do not fit the state."""
        changes = Changes()
        for recorded in outcome.events:
            self._apply_event(recorded.event, outcome.time_ms, changes)
        self.seq = outcome.events[-1].seq
        self.time_ms = outcome.time_ms
        self._aggregate(changes)
        return changes

    def _apply_event(self, event: Event, time_ms: int, changes: Changes) -> None:
        """Book rule: an order adds what rests, a trade takes from the maker, a close takes the rest."""
        if isinstance(event, OrderAccepted):
            if event.resting_lots:
                view = changes.views[event.market_id] = self.views[event.market_id]
                view.book.change(event.side, event.price_ticks, event.resting_lots)
        elif isinstance(event, TradeExecuted):
            view = changes.views[event.market_id] = self.views[event.market_id]
            maker_side = SELL if event.taker_side == BUY else BUY
            view.book.change(maker_side, event.price_ticks, -event.quantity_lots)
            trade = Trade.from_event(event, time_ms)
            view.add_trade(trade)
            changes.trades.append((view, trade))
        elif isinstance(event, OrderClosed):
            if event.unbooked_lots:
                view = changes.views[event.market_id] = self.views[event.market_id]
                view.book.change(event.side, event.price_ticks, -event.unbooked_lots)
        elif isinstance(event, TradingModeChanged):
            view = changes.views[event.market_id] = self.views[event.market_id]
            view.market.mode = event.mode
            self.rules_version += 1
        elif isinstance(event, FilterChanged):
            self.change_filter(event)
        elif isinstance(event, AssetRegistered):
            self.add_asset(Asset(event.asset_id, event.code, event.decimals))
        elif isinstance(event, MarketRegistered):
            changes.views[event.market_id] = self.add_market(event, MODE_TRADING)
        elif isinstance(event, MarketFeesChanged):
            market = self.views[event.market_id].market
            market.rules = with_fees(market.rules, event)
        else:
            change = level_change(event)
            if change is not None:
                view = changes.views[change.market_id] = self.views[change.market_id]
                view.book.change(change.side, change.price_ticks, change.lots)

    @staticmethod
    def _aggregate(changes: Changes) -> None:
        """A taker's trades never spread over two outcomes, so each outcome is joined by itself."""
        if not changes.trades:
            return
        # What a leader's word sends to work may trade in several markets.
        by_market: dict[int, tuple[MarketView, list[Trade]]] = {}
        for view, trade in changes.trades:
            by_market.setdefault(view.market.market_id, (view, []))[1].append(trade)
        for view, trades in by_market.values():
            for joined in aggregate(trades, view.next_aggregate_id):
                view.aggregates.add(joined)
                changes.aggregates.append((view, joined))
                view.next_aggregate_id = joined.id + 1
