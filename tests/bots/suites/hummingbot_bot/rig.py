"""hummingbot's connector as a bot runs it: its constants patched, its clock ticking, its events kept."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

from bench import Account, Exchange

__all__ = ["PAIR", "SYMBOL", "Bot", "running", "until"]

PAIR, SYMBOL = "BTC-USDT", "BTCUSDT"
WAIT_S = 60.0
_POLL_S = 0.02


async def until(condition: Callable[[], object]) -> None:
    """Wait for what comes by streams and polls. Raises TimeoutError."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(_POLL_S)


def patch_constants(url: str) -> None:
    """Where the exchange is: hummingbot has it in a module, and no setting for it."""
    from hummingbot.connector.exchange.binance import binance_constants

    sockets = url.replace("http", "ws", 1)
    binance_constants.REST_URL = f"{url}/api/"
    binance_constants.WSS_URL = f"{sockets}/ws"
    binance_constants.WSS_API_URL = f"{sockets}/ws-api/v3"


class _Errors(logging.Handler):
    """What hummingbot takes for an error: of its own accord it logs that, and goes on."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.name}: {record.getMessage()} {record.exc_info or ''}")


class Bot:
    """A connector and what it has told its strategy, as hummingbot's events by their class."""

    def __init__(self, connector: Any, account: Account) -> None:
        from hummingbot.core.event.event_logger import EventLogger

        self.connector = connector
        self.account = account
        # The connector holds its listeners by weak references.
        self._events = EventLogger()
        for event in connector.MARKET_EVENTS:
            connector.add_listener(event, self._events)

    def events(self, kind: str) -> list[Any]:
        """All of a class, oldest first."""
        return [event for event in self._events.event_log if type(event).__name__ == kind]

    async def event(self, kind: str, order_id: str) -> Any:
        """The first of a class about an order, once it has come."""
        await until(lambda: [one for one in self.events(kind) if one.order_id == order_id])
        return next(one for one in self.events(kind) if one.order_id == order_id)

    def available(self, asset: str) -> Decimal:
        """What the connector believes it can spend."""
        return Decimal(self.connector.get_available_balance(asset))

    def levels(self, depth: int) -> dict[str, list[tuple[float, float]]]:
        """Its own book, best first."""
        book = self.connector.get_order_book(PAIR)
        sides = {"bids": book.bid_entries(), "asks": book.ask_entries()}
        return {
            side: [(row.price, row.amount) for row, _ in zip(rows, range(depth), strict=False)]
            for side, rows in sides.items()
        }

    async def place(self, side: str, amount: str, price: Decimal | int | None = None, kind: str = "") -> str:
        """Order as a strategy does, and return the client's id at once; at the market without a price."""
        from hummingbot.core.data_type.common import OrderType

        order_type = OrderType[kind or ("MARKET" if price is None else "LIMIT")]
        wanted = Decimal("nan") if price is None else Decimal(price)
        order_id: str = getattr(self.connector, side)(PAIR, Decimal(amount), order_type, wanted)
        return order_id

    async def rest_at(self, side: str, amount: str, price: Decimal | int) -> str:
        """Order, and wait until the exchange has it."""
        order_id = await self.place(side, amount, price)
        await self.event(f"{side.capitalize()}OrderCreatedEvent", order_id)
        return order_id


@contextlib.asynccontextmanager
async def running(
    exchange: Exchange, account: Account, saved: dict[str, Any] | None = None
) -> AsyncIterator[Bot]:
    """A bot that logs no error from start to stop. `saved`: the orders that it tracked when stopped last."""
    from hummingbot.connector.exchange.binance.binance_exchange import BinanceExchange
    from hummingbot.core.clock import Clock
    from hummingbot.core.clock_mode import ClockMode
    from hummingbot.core.web_assistant.connections.connections_factory import ConnectionsFactory

    patch_constants(exchange.url)
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    connector = BinanceExchange(account.api_key, account.secret_key, trading_pairs=[PAIR])
    bot = Bot(connector, account)
    if saved is not None:
        connector.restore_tracking_states(saved)
    clock = Clock(ClockMode.REALTIME, tick_size=0.2, start_time=time.time())
    clock.add_iterator(connector)
    try:
        with clock:
            ticking = asyncio.create_task(clock.run())
            try:
                await until(lambda: connector.ready)
                yield bot
            finally:
                ticking.cancel()
                await asyncio.gather(ticking, return_exceptions=True)
    finally:
        logging.getLogger().removeHandler(errors)
        await connector.stop_network()
        # One for the whole program, which has one loop; here each test has a loop of its own.
        await ConnectionsFactory().close()
    assert errors.said == []
