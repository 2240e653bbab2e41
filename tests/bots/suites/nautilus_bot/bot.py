"""A strategy of nautilus_trader: buys once, and moves its stop up behind the price.

Spot orders cannot be modified there: a stop is moved by cancelling it and placing another.
"""

from decimal import Decimal
from typing import Any

from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import BookType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy

INSTRUMENT = "BTCUSDT.BINANCE"


class TrailerConfig(StrategyConfig, frozen=True):
    """How much is bought (0: nothing), and how far the stop stays behind the best bid."""

    quantity: Decimal = Decimal(0)
    gap: Decimal = Decimal(1_000)


class Trailer(Strategy):
    """Keeps all that it is told, in lists by kind, for whoever asks."""

    def __init__(self, config: TrailerConfig) -> None:
        super().__init__(config)
        self.instrument_id = InstrumentId.from_str(INSTRUMENT)
        self.quotes: list[Any] = []
        self.trades: list[Any] = []
        self.deltas: list[Any] = []
        self.bars: list[Any] = []
        self.orders: list[Any] = []
        self.stop_order: Any = None
        self._is_moving = False

    def on_start(self) -> None:
        """Subscribe to all that there is; what is bought waits for a price."""
        self.instrument = self.cache.instrument(self.instrument_id)
        self.subscribe_quote_ticks(self.instrument_id)
        self.subscribe_trade_ticks(self.instrument_id)
        self.subscribe_order_book_deltas(self.instrument_id, book_type=BookType.L2_MBP)
        self.subscribe_bars(BarType.from_str(f"{INSTRUMENT}-1-SECOND-LAST-EXTERNAL"))

    def market(self, side: OrderSide, quantity: Decimal) -> Any:
        """Place a market order; the order."""
        order = self.order_factory.market(self.instrument_id, side, self.instrument.make_qty(quantity))
        self.submit_order(order)
        return order

    def limit(self, side: OrderSide, quantity: Decimal, price: Decimal, **more: Any) -> Any:
        """Place a limit order; the order."""
        order = self.order_factory.limit(
            self.instrument_id, side, self.instrument.make_qty(quantity),
            self.instrument.make_price(price), **more,
        )  # fmt: skip
        self.submit_order(order)
        return order

    def stop_limit(self, side: OrderSide, quantity: Decimal, price: Decimal, trigger: Decimal) -> Any:
        """Place an order that waits for a price; the order."""
        order = self.order_factory.stop_limit(
            self.instrument_id, side, self.instrument.make_qty(quantity),
            self.instrument.make_price(price), self.instrument.make_price(trigger),
        )  # fmt: skip
        self.submit_order(order)
        return order

    def on_stop(self) -> None:
        """Leave what is there: whoever starts next reconciles it."""

    def on_quote_tick(self, tick: Any) -> None:
        """Buy at the first; move the stop up once the price has gained as much as the gap."""
        self.quotes.append(tick)
        if len(self.quotes) == 1 and self.config.quantity:
            self.market(OrderSide.BUY, self.config.quantity)
        stop = self.stop_order
        if stop is None or not stop.is_open or self._is_moving:
            return
        if Decimal(str(tick.bid_price)) - Decimal(str(stop.trigger_price)) >= 2 * self.config.gap:
            self._is_moving = True
            self.cancel_order(stop)

    def on_trade_tick(self, tick: Any) -> None:
        """Keep it."""
        self.trades.append(tick)

    def on_order_book_deltas(self, deltas: Any) -> None:
        """Keep it."""
        self.deltas.append(deltas)

    def on_bar(self, bar: Any) -> None:
        """Keep it."""
        self.bars.append(bar)

    def on_order_event(self, event: Any) -> None:
        """Keep it."""
        self.orders.append(event)

    def on_order_filled(self, event: Any) -> None:
        """What was bought gets its stop."""
        if self.config.quantity and event.order_side == OrderSide.BUY and self.stop_order is None:
            self._protect()

    def on_order_canceled(self, event: Any) -> None:
        """The stop that was moved is placed anew."""
        if self._is_moving and event.client_order_id == self.stop_order.client_order_id:
            self._is_moving = False
            self._protect()

    def _protect(self) -> None:
        trigger = Decimal(str(self.quotes[-1].bid_price)) - self.config.gap
        # The limit leaves room below the trigger, so that it sells.
        self.stop_order = self.stop_limit(OrderSide.SELL, self.config.quantity, trigger - 1_000, trigger)
