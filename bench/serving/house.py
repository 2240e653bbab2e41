"""The house: quotes each market at a price that the test sets. It sends commands as the services do."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import CancelAllOrders, Command, SetTradingMode
from exchange.contracts.events import CommandRejected
from exchange.money import NumberError, parse_fixed
from local.ladder import LEVELS, Ladder
from services.market_data.component import MarketDataService
from services.market_data.markets.state import MarketView
from services.order.component import OrderService

__all__ = ["House", "HouseError"]

STEPS_MAX: Final = 1_000
_WALKING_LEVELS: Final = 5
_PRINTS_MAX: Final = 3
_SEEN_DEADLINE_S: Final = 5.0
_SEEN_POLL_S: Final = 0.001
# Where the markets of matching_engine/markets.toml begin.
_PRICES: Final = {"BTCUSDT": "65000", "ETHUSDT": "3500", "ETHBTC": "0.05385"}


class HouseError(ValueError):
    """What was asked for cannot be done; says why."""


class House:
    """Two accounts: the maker quotes, the taker takes. `open` first."""

    def __init__(self, order: OrderService, market_data: MarketDataService) -> None:
        self._order = order
        self._markets = market_data.markets
        self._ladders: dict[str, Ladder] = {}
        self._starts: dict[str, int] = {}
        self._middles: dict[str, int] = {}
        # The last trade of a market that is as the house has left it, and its book's version.
        self._left: dict[str, tuple[int, int]] = {}
        self._maker_id = 0

    async def open(self, maker_id: int, taker_id: int, prices: Mapping[str, str]) -> None:
        """Quote the markets whose first price is known; others wait for a walk. Raises HouseError."""
        self._maker_id = maker_id
        for symbol, view in self._markets.state.by_symbol.items():
            self._ladders[symbol] = Ladder(
                view.market.rules, 10**view.market.base.decimals, maker_id, taker_id
            )
            wanted = prices.get(symbol) or _PRICES.get(symbol)
            if wanted is not None:
                self._starts[symbol] = self._ticks(view, wanted)
        await self._seen(await self._send(self._begun(self._starts)))

    def _begun(self, symbols: Iterable[str]) -> list[Command]:
        new_id = self._order.engine.gateway.new_command_id
        commands: list[Command] = []
        for symbol in symbols:
            start, ladder = self._starts[symbol], self._ladders[symbol]
            commands += [*ladder.trade_at(start, new_id), *ladder.quotes(start, new_id)]
            self._middles[symbol] = start
        return commands

    async def walk(self, symbol: str, price: str, steps: int) -> None:
        """Move a market's price in equal steps, meeting what is in the way. Raises HouseError."""
        if not 1 <= steps <= STEPS_MAX:
            raise HouseError(f"from 1 to {STEPS_MAX} steps")
        view = self._view(symbol)
        target = self._ticks(view, price)
        begin = self._middles.get(symbol, target)
        for step in range(1, steps + 1):
            middle = begin + (target - begin) * step // steps
            for _ in range(_PRINTS_MAX):
                await self._step(view, middle, LEVELS if step == steps else _WALKING_LEVELS)
                # A stop that this print has triggered may have traded elsewhere since.
                if view.last_trade is not None and view.last_trade.price_ticks == middle:
                    break

    async def _step(self, view: MarketView, middle: int, levels: int) -> None:
        symbol, gateway = view.market.symbol, self._order.engine.gateway
        ladder, new_id = self._ladders[symbol], gateway.new_command_id
        # All in one record of the log, so that nobody ever meets a market without its house. What the house
        # itself has in the way is counted, too, and swept for nothing: the rest of an IOC order expires.
        asks = sum(lots for price, lots in view.book.asks.lots.items() if price <= middle)
        bids = sum(lots for price, lots in view.book.bids.lots.items() if price >= middle)
        quotes = {codes.BUY: list[Command](), codes.SELL: list[Command]()}
        for quote in ladder.quotes(middle, new_id, levels):
            quotes[quote.side].append(quote)
        # A trade triggers stops, which trade at once: quotes for them stand before the first print. Those of
        # the other side would meet what is in the way, so they come when that is gone.
        first, last = (codes.BUY, codes.SELL) if bids else (codes.SELL, codes.BUY)
        commands: list[Command] = [self._cancel(self._maker_id, view), *quotes[first]]
        commands += ladder.sweep(codes.BUY, middle, asks, new_id)
        commands += ladder.sweep(codes.SELL, middle, bids, new_id)
        commands += [*quotes[last], *ladder.trade_at(middle, new_id)]
        self._middles[symbol] = middle
        await self._seen(await self._send(commands))

    async def empty(self, symbol: str) -> None:
        """Take the house's orders away. Raises HouseError."""
        await self._seen(await self._send([self._cancel(self._maker_id, self._view(symbol))]))

    async def set_mode(self, symbol: str, mode: int) -> None:
        """Change what a market takes. Raises HouseError."""
        market_id = self._view(symbol).market.market_id
        new_id = self._order.engine.gateway.new_command_id
        await self._seen(await self._send([SetTradingMode(new_id(), market_id, mode)]))

    async def clean(self) -> None:
        """Every market open, everybody's orders cancelled, every ladder whole at the first price."""
        new_id, state = self._order.engine.gateway.new_command_id, self._markets.state
        shut = [view for view in state.views.values() if view.market.mode != codes.MODE_TRADING]
        commands: list[Command] = [
            SetTradingMode(new_id(), view.market.market_id, codes.MODE_TRADING) for view in shut
        ]
        touched = {
            symbol for symbol in self._middles if not self._is_untouched(symbol, state.by_symbol[symbol])
        }
        for user_id, market_id in self._order.engine.view.users_with_open_orders():
            view = state.views[market_id]
            if user_id != self._maker_id or view.market.symbol in touched:
                commands.append(self._cancel(user_id, view))
        # A market that had no price at the start has none again.
        for symbol in touched - set(self._starts):
            del self._middles[symbol]
        await self._seen(await self._send([*commands, *self._begun(sorted(touched & set(self._starts)))]))
        for symbol in touched:
            self._left[symbol] = _footprint(state.by_symbol[symbol])

    def _is_untouched(self, symbol: str, view: MarketView) -> bool:
        return self._left.get(symbol) == _footprint(view)

    def _cancel(self, user_id: int, view: MarketView) -> Command:
        new_id = self._order.engine.gateway.new_command_id
        return CancelAllOrders(new_id(), user_id, view.market.market_id, "", 0)

    async def _send(self, commands: list[Command]) -> int:
        """Submit in order; returns the last outcome's seq. A print that nobody needs may be refused."""
        gateway = self._order.engine.gateway
        outcomes: list[CommandOutcome] = []
        for first in range(0, len(commands), 2_000):
            part = commands[first : first + 2_000]
            outcomes += await asyncio.gather(*(gateway.submit(one, urgent=True) for one in part))
        for command, outcome in zip(commands, outcomes, strict=True):
            event = outcome.events[-1].event
            if isinstance(event, CommandRejected) and isinstance(command, SetTradingMode):
                raise HouseError(f"the engine refuses this mode: reason {event.reason}")
        return max((outcome.events[-1].seq for outcome in outcomes), default=0)

    async def _seen(self, seq: int) -> None:
        """Wait until market data stand at `seq` too."""
        async with asyncio.timeout(_SEEN_DEADLINE_S):
            while self._markets.state.seq < seq:  # noqa: ASYNC110
                await asyncio.sleep(_SEEN_POLL_S)

    def _view(self, symbol: str) -> MarketView:
        view = self._markets.state.by_symbol.get(symbol)
        if view is None:
            raise HouseError(f"there is no market {symbol}")
        return view

    def _ticks(self, view: MarketView, price: str) -> int:
        rules = view.market.rules
        try:
            atoms = parse_fixed(price, view.market.quote.decimals)
        except NumberError as error:
            raise HouseError(f"{price} is no price: {error}") from None
        ticks, rest = divmod(atoms, rules.tick_atoms)
        if rest:
            raise HouseError(f"{price} is no multiple of {view.market.symbol}'s tick")
        if not max(1, rules.price_ticks_min) <= ticks <= rules.price_ticks_max:
            raise HouseError(f"{price} is outside of {view.market.symbol}'s prices")
        return ticks


def _footprint(view: MarketView) -> tuple[int, int]:
    last = view.last_trade
    return (0 if last is None else last.id), view.book.version
