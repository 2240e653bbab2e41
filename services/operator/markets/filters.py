"""Filters as administrators see and change them: by their public names and texts (ADR 0045)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome, field_names
from exchange.contracts.commands import Command, SetTradingMode
from exchange.contracts.events import MarketRegistered, OrderClosed
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.filter_kinds import ASSET, FILTER_KINDS, MARKET, Values
from exchange.trading.filters import (
    FILTER_COLUMNS,
    Filters,
    asset_shape,
    changed_values,
    filter_named,
    market_shapes,
    with_filter,
)
from exchange.trading.markets_file import KnownMarkets
from services.operator.markets.orders import ALL_MARKETS, ChangeFilter, RetireMarket, ShowFilters
from services.operator.tagged import OrderError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Any]

__all__ = ["FilterDesk", "read_filters"]

# The engine's word on a command that a number makes.
Decide = Callable[[Callable[[int], Command]], Awaitable[CommandOutcome]]
_OFF: Final[Values] = (0, 0, 0, 0)
_MARKET_FIELDS: Final = field_names(MarketRegistered)


async def read_filters(connection: "Connection", known: KnownMarkets) -> "FilterDesk":
    """What was changed, as the ledger knows it by now."""
    rows = await connection.fetch(f"SELECT {FILTER_COLUMNS} FROM filters")
    return FilterDesk(known, [FilterChanged(*row) for row in rows])


class FilterDesk:
    """The filters of an exchange, and the command that changes one. Pure."""

    def __init__(self, known: KnownMarkets, changed: list[FilterChanged]) -> None:
        self._known = known
        self._filters = Filters()
        self._decimals = {number: decimals for number, decimals in known.assets.values()}
        self._rules = {
            symbol: MarketRegistered(**{name: row[name] for name in _MARKET_FIELDS})
            for symbol, row in known.markets.items()
        }
        for event in changed:
            self._filters.apply(event)
            for symbol, rules in self._rules.items():
                if rules.market_id == event.market_id:
                    self._rules[symbol] = with_filter(rules, event)

    async def carry_out(self, order: RetireMarket | ChangeFilter | ShowFilters, decide: Decide) -> list[str]:
        """Do it, and say what came of it. Raises OrderError, and what `decide` does."""
        match order:
            case ShowFilters(symbol):
                return self._lines(symbol)
            case ChangeFilter(symbol, name, values):
                outcome = await decide(self._command(order))
                said = " ".join(f"{field}={value}" for field, value in values.items()) or "off"
                return [f"{symbol}: {name} {said} since seq {outcome.events[-1].seq}"]
            case RetireMarket(symbol):
                market_id = self._market(symbol).market_id
                outcome = await decide(lambda n: SetTradingMode(n, market_id, codes.MODE_RETIRED))
                closed = sum(isinstance(one.event, OrderClosed) for one in outcome.events)
                seq = outcome.events[0].seq
                lines = [f"{symbol}: retired since seq {seq}, {closed} open orders were cancelled at once"]
                return [*lines, "what is open beyond that is cancelled in steps that follow by themselves"]

    def _lines(self, symbol: str) -> list[str]:
        """Each filter of a market, or with ALL_MARKETS of the exchange and its assets. Raises OrderError."""
        if symbol == ALL_MARKETS:
            shapes = self._filters.exchange_shapes()
            shapes += [
                asset_shape(code, decimals, atoms)
                for code, (number, decimals) in self._known.assets.items()
                if (atoms := self._filters.of_asset(number))
            ]
        else:
            rules = self._market(symbol)
            base, quote = self._decimals[rules.base_asset_id], self._decimals[rules.quote_asset_id]
            shapes = market_shapes(self._filters, rules, base, quote)
        return [_line(shape) for shape in shapes] or ["no filter is set"]

    def _command(self, order: ChangeFilter) -> Callable[[int], Command]:
        """The command that an order comes to; values that it does not name stay. Raises OrderError."""
        try:
            kind = filter_named(order.name)
        except ValueError as error:
            raise OrderError(str(error)) from None
        of = FILTER_KINDS[kind]
        if not order.values and not of.can_be_off:
            raise OrderError(f"{of.name} cannot be switched off; name a value: {_names(kind)}")
        rules, asset, decimals = None, 0, 0
        if of.scope == MARKET:
            rules = self._market(order.symbol)
            now = self._filters.of_market(rules).get(kind, _OFF)
        elif of.scope == ASSET:
            if order.symbol not in self._known.assets:
                raise OrderError(f"{of.name} is an asset's, and {order.symbol} is none")
            asset, decimals = self._known.assets[order.symbol]
            now = (self._filters.of_asset(asset), 0, 0, 0)
        else:
            if order.symbol != ALL_MARKETS:
                raise OrderError(f"{of.name} holds for {ALL_MARKETS} markets, not for one")
            now = self._filters.of_exchange().get(kind, _OFF)
        values = self._values(order, kind, now, rules, decimals) if order.values else _OFF
        market_id = 0 if rules is None else rules.market_id
        return lambda command_id: SetFilter(command_id, kind, market_id, asset, *values)

    def _values(
        self, order: ChangeFilter, kind: int, now: Values, rules: MarketRegistered | None, decimals: int
    ) -> Values:
        base = decimals if rules is None else self._decimals[rules.base_asset_id]
        quote = 0 if rules is None else self._decimals[rules.quote_asset_id]
        try:
            return changed_values(kind, order.values, now, rules, base, quote)
        except ValueError as error:
            raise OrderError(str(error)) from None

    def _market(self, symbol: str) -> MarketRegistered:
        if symbol not in self._rules:
            raise OrderError(f"there is no market {symbol}; `markets list` tells which there are")
        return self._rules[symbol]


def _line(shape: Mapping[str, object]) -> str:
    name, *values = shape.items()
    return " ".join([str(name[1]), *(f"{field}={_text(value)}" for field, value in values)])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(kind: int) -> str:
    return ", ".join(name for name, _ in FILTER_KINDS[kind].fields)
