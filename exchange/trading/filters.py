"""Filters as readers of the events keep them, and as the API lists them (binance-spot-api 2.2). Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from exchange.contracts import codes, limits
from exchange.contracts.codec import field_names
from exchange.contracts.commands import RegisterMarket
from exchange.contracts.events import MarketRegistered
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.filter_kinds import (
    BASE,
    EXCHANGE,
    FILTER_KINDS,
    FLAG,
    MARKET,
    OF_ASSET,
    PRICE,
    QUANTITY,
    QUOTE,
    RATE,
    FilterKind,
    Unit,
    Values,
)
from exchange.money import NumberError, format_fixed, parse_fixed

__all__ = [
    "AVERAGE_PRICE_MINUTES",
    "FIELDS_OF_FILTER",
    "FILTER_COLUMNS",
    "Filters",
    "asset_shape",
    "changed_values",
    "filter_named",
    "market_shapes",
    "standing_values",
    "values_of",
    "with_filter",
]

# Over how many minutes the engine's filters average prices.
AVERAGE_PRICE_MINUTES: Final = 5
_PPM_DECIMALS: Final = 6
_OFF: Final[Values] = (0, 0, 0, 0)
Rules = MarketRegistered | RegisterMarket
_FIELDS: Final = field_names(MarketRegistered)
# Of the table `filters`.
FILTER_COLUMNS: Final = ", ".join(field_names(FilterChanged))


# Filters that a market is registered with: their fields there, and which value of the filter each is.
FIELDS_OF_FILTER: Final[dict[int, tuple[tuple[str, int], ...]]] = {
    codes.FILTER_PRICE: (("price_ticks_min", 0), ("price_ticks_max", 1)),
    codes.FILTER_LOT_SIZE: (("quantity_lots_min", 0), ("quantity_lots_max", 1)),
    codes.FILTER_MARKET_LOT_SIZE: (("market_quantity_lots_max", 1),),
    codes.FILTER_NOTIONAL: (("notional_atoms_min", 0), ("notional_atoms_max", 2)),
    codes.FILTER_PERCENT_PRICE_BY_SIDE: (
        ("bid_multiplier_up_ppm", 0),
        ("bid_multiplier_down_ppm", 1),
        ("ask_multiplier_up_ppm", 2),
        ("ask_multiplier_down_ppm", 3),
    ),
    codes.FILTER_MAX_NUM_ORDERS: (("open_orders_max", 0),),
}


def values_of(event: FilterChanged) -> Values:
    """What a filter is now."""
    return event.first, event.second, event.third, event.fourth


class Filters:
    """What commands have changed so far; nobody else knows better than the rules of the markets."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, int, int], Values] = {}

    def apply(self, event: FilterChanged) -> None:
        """Take in a change."""
        self._values[event.filter_type, event.market_id, event.asset_id] = values_of(event)

    def of_market(self, rules: MarketRegistered) -> dict[int, Values]:
        """Every filter that a market has, in the order of FILTER_KINDS. `rules`: as registered or since."""
        standing = standing_values(rules)
        found: dict[int, Values] = {}
        for kind, of in FILTER_KINDS.items():
            if of.scope != MARKET:
                continue
            values = self._values.get((kind, rules.market_id, 0), standing.get(kind, _OFF))
            if values != _OFF:
                found[kind] = values
        return found

    def of_exchange(self) -> dict[int, Values]:
        """Those of an account in all markets together."""
        kinds = (kind for kind, of in FILTER_KINDS.items() if of.scope == EXCHANGE)
        found = {kind: self._values.get((kind, 0, 0), _OFF) for kind in kinds}
        return {kind: values for kind, values in found.items() if values != _OFF}

    def of_asset(self, asset_id: int) -> int:
        """The most of an asset that one order may move, in atoms; 0 when nothing says so."""
        return self._values.get((codes.FILTER_MAX_ASSET, 0, asset_id), _OFF)[0]

    def exchange_shapes(self) -> list[dict[str, object]]:
        """`exchangeFilters`."""
        return [
            {"filterType": FILTER_KINDS[kind].name, FILTER_KINDS[kind].fields[0][0]: values[0]}
            for kind, values in self.of_exchange().items()
        ]


def standing_values(rules: Rules) -> dict[int, Values]:
    """What a market has without a command: its rules, and the engine's own bounds (ADR 0037)."""
    return {
        codes.FILTER_PRICE: (rules.price_ticks_min, rules.price_ticks_max, 1, 0),
        codes.FILTER_LOT_SIZE: (rules.quantity_lots_min, rules.quantity_lots_max, 1, 0),
        codes.FILTER_MARKET_LOT_SIZE: (rules.quantity_lots_min, rules.market_quantity_lots_max, 1, 0),
        codes.FILTER_NOTIONAL: (rules.notional_atoms_min, 1, rules.notional_atoms_max, 1),
        codes.FILTER_PERCENT_PRICE_BY_SIDE: (
            rules.bid_multiplier_up_ppm,
            rules.bid_multiplier_down_ppm,
            rules.ask_multiplier_up_ppm,
            rules.ask_multiplier_down_ppm,
        ),
        codes.FILTER_MAX_NUM_ORDERS: (rules.open_orders_max, 0, 0, 0),
        codes.FILTER_ICEBERG_PARTS: (limits.ICEBERG_PARTS_MAX, 0, 0, 0),
        codes.FILTER_MAX_NUM_ALGO_ORDERS: (limits.ALGO_ORDERS_MAX, 0, 0, 0),
        codes.FILTER_MAX_NUM_ICEBERG_ORDERS: (limits.ICEBERG_ORDERS_MAX, 0, 0, 0),
        codes.FILTER_MAX_NUM_ORDER_LISTS: (limits.ORDER_LISTS_MAX, 0, 0, 0),
        codes.FILTER_MAX_NUM_ORDER_AMENDS: (limits.ORDER_AMENDS_MAX, 0, 0, 0),
        codes.FILTER_TRAILING_DELTA: (
            limits.TRAILING_BIPS_MIN,
            limits.TRAILING_BIPS_MAX,
            limits.TRAILING_BIPS_MIN,
            limits.TRAILING_BIPS_MAX,
        ),
    }


def with_filter(rules: MarketRegistered, event: FilterChanged) -> MarketRegistered:
    """A market's rules after a change, as the engine keeps them; the event they come from is not changed."""
    in_rules = FIELDS_OF_FILTER.get(event.filter_type)
    if in_rules is None:
        return rules
    values, changed = {name: getattr(rules, name) for name in _FIELDS}, values_of(event)
    return MarketRegistered(**{**values, **{name: changed[place] for name, place in in_rules}})


# -- as text ----------------------------------------------------------------------------------------


class _Steps:
    """How the units of one market, or of one asset, are written: decimals and what a unit is of them."""

    def __init__(self, units: Mapping[Unit, tuple[int, int]]) -> None:
        self._units = {RATE: (_PPM_DECIMALS, 1), **units}

    def text(self, unit: Unit, value: int) -> object:
        if unit == FLAG:
            return bool(value)
        if unit not in self._units:
            return value
        decimals, step = self._units[unit]
        return format_fixed(value * step, decimals)

    def value(self, unit: Unit, text: str) -> int:
        """Raises NumberError, or ValueError in plain words."""
        if unit == FLAG:
            if text.lower() not in ("true", "false"):
                raise ValueError(f"{text} is neither true nor false")
            return int(text.lower() == "true")
        if unit not in self._units:
            if not text.isascii() or not text.isdigit():
                raise ValueError(f"{text} is no whole number")
            return int(text)
        decimals, step = self._units[unit]
        atoms = parse_fixed(text, decimals)
        if atoms % step:
            raise ValueError(f"{text} is finer than the {format_fixed(step, decimals)} of the market")
        return atoms // step


def _steps_of_market(rules: Rules, base_decimals: int, quote_decimals: int) -> _Steps:
    return _Steps(
        {
            PRICE: (quote_decimals, rules.tick_atoms),
            QUANTITY: (base_decimals, rules.lot_atoms),
            BASE: (base_decimals, 1),
            QUOTE: (quote_decimals, 1),
        }
    )


def market_shapes(
    filters: Filters, rules: MarketRegistered, base_decimals: int, quote_decimals: int
) -> list[dict[str, object]]:
    """One object for each filter of a market, as exchangeInfo and myFilters tell it."""
    steps = _steps_of_market(rules, base_decimals, quote_decimals)
    return [
        dict(_shape(FILTER_KINDS[kind], values, steps)) for kind, values in filters.of_market(rules).items()
    ]


def asset_shape(code: str, decimals: int, atoms_max: int) -> dict[str, object]:
    """One of `assetFilters`."""
    name, limit = FILTER_KINDS[codes.FILTER_MAX_ASSET].name, format_fixed(atoms_max, decimals)
    return {"filterType": name, "asset": code, "limit": limit}


def _shape(of: FilterKind, values: Values, steps: _Steps) -> Iterator[tuple[str, object]]:
    yield "filterType", of.name
    for (name, unit), value in zip(of.fields, values, strict=False):
        yield name, steps.text(unit, value)
    if of.averages:
        yield "avgPriceMins", AVERAGE_PRICE_MINUTES


def filter_named(name: str) -> int:
    """codes.FILTER_* of a filterType. Raises ValueError in plain words."""
    for kind, of in FILTER_KINDS.items():
        if of.name == name:
            return kind
    raise ValueError(f"{name} is none of {', '.join(of.name for of in FILTER_KINDS.values())}")


def changed_values(
    kind: int,
    asked: Mapping[str, str],
    now: Values,
    rules: Rules | None,
    base_decimals: int,
    quote_decimals: int,
) -> Values:
    """A filter's values with those that are `asked` for by public name and text; the others stay.

    Without rules it is an asset's, of `base_decimals`, or the exchange's. Raises ValueError in plain words.
    """
    of = FILTER_KINDS[kind]
    unknown = sorted(set(asked) - {name for name, _ in of.fields})
    if unknown:
        names = ", ".join(name for name, _ in of.fields)
        raise ValueError(f"{', '.join(unknown)}: {of.name} has {names}")
    if rules is None:
        steps = _Steps({OF_ASSET: (base_decimals, 1)})
    else:
        steps = _steps_of_market(rules, base_decimals, quote_decimals)
    values = list(now)
    for place, (name, unit) in enumerate(of.fields):
        if name in asked:
            try:
                values[place] = steps.value(unit, asked[name])
            except NumberError as error:
                raise ValueError(f"{name}: {asked[name]} is no number that fits ({error})") from None
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    return values[0], values[1], values[2], values[3]
