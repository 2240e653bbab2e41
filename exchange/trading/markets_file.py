"""A file of assets and markets (matching_engine/markets.toml): read, and compared with what there is. Pure.

Units as in `exchange.contracts.commands`. An exchange reads such a file once, when its log is empty; later
markets are added by an operator's command, and what an asset or a market began with it keeps.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from exchange.contracts.codec import field_names
from exchange.contracts.commands import Command, RegisterAsset, RegisterMarket
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_kinds import FILTER_KINDS, MARKET
from exchange.money import NumberError, parse_fixed
from exchange.trading.filters import changed_values, filter_named, standing_values

__all__ = [
    "KnownMarkets",
    "MarketsFileError",
    "changes_of_market",
    "commands_of",
    "differences",
    "parse_markets",
    "portions",
    "rules_of",
]

_PPM_DECIMALS: Final = 6
_RULES: Final = tuple(
    name for name in field_names(RegisterMarket) if name not in ("command_id", "market_id", "symbol")
)


# What operators change while a market trades: the file says what it began with.
_CHANGEABLE: Final = frozenset({"maker_fee_ppm", "taker_fee_ppm"})


class MarketsFileError(Exception):
    """The file is none, or contradicts what there is already."""


class MarketsFile(NamedTuple):
    """`assets`: code and decimals, in the file's order; `markets`: the tables as they stand there."""

    assets: Sequence[tuple[str, int]]
    markets: Sequence[Mapping[str, Any]]


class KnownMarkets(NamedTuple):
    """What there is. `assets`: code -> (id, decimals); `markets`: symbol -> fields of RegisterMarket."""

    assets: Mapping[str, tuple[int, int]]
    markets: Mapping[str, Mapping[str, Any]]


_TABLES: Final = frozenset({"assets", "markets"})
# What a table of `markets` says: a name that is none would be left out without a word.
_FIELDS: Final = frozenset(
    [
        "base",
        "quote",
        "tick_size",
        "step_size",
        "min_price",
        "max_price",
        "min_quantity",
        "max_quantity",
        "max_market_quantity",
        "min_notional",
        "max_notional",
        "bid_multiplier_up",
        "bid_multiplier_down",
        "ask_multiplier_up",
        "ask_multiplier_down",
        "max_open_orders",
        "maker_fee",
        "taker_fee",
        "filters",
    ]
)
NOTHING_KNOWN: Final = KnownMarkets({}, {})
# An order of so many fits what the gateway lets through.
MARKETS_PER_PORTION: Final = 50


def rules_of(market: object) -> dict[str, Any]:
    """A market's fields by name, of a command or an event."""
    return {name: getattr(market, name) for name in ("market_id", "symbol", *_RULES)}


def parse_markets(text: str) -> MarketsFile:
    """Read the file. Raises MarketsFileError."""
    try:
        described = tomllib.loads(text)
        if unknown := sorted(set(described) - _TABLES):
            raise MarketsFileError(f"{unknown[0]} is none of {', '.join(sorted(_TABLES))}")
        if not any(described.values()):
            raise MarketsFileError("no file of markets: it has neither [[assets]] nor [[markets]]")
        assets = [(str(asset["code"]), int(asset["decimals"])) for asset in described.get("assets", [])]
        return MarketsFile(assets, list(described.get("markets", [])))
    except tomllib.TOMLDecodeError as error:
        raise MarketsFileError(f"no TOML: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MarketsFileError(f"no file of markets: {_said(error)}") from None


def _said(error: Exception) -> str:
    """A field that is missing is named; of the others the text says enough."""
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def portions(text: str) -> list[str]:
    """The same file in several that each fit one order, its assets in the first. Raises MarketsFileError."""
    described = parse_markets(text)
    if len(described.markets) <= MARKETS_PER_PORTION:
        return [text]
    assets = "".join(
        f"[[assets]]\ncode = {_toml(code)}\ndecimals = {decimals}\n" for code, decimals in described.assets
    )
    parts = []
    for first in range(0, len(described.markets), MARKETS_PER_PORTION):
        some = described.markets[first : first + MARKETS_PER_PORTION]
        rows = ["[[markets]]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in one.items()) for one in some]
        parts.append(assets + "".join(rows))
    return parts


def _filters_of(
    market: Mapping[str, Any], command: RegisterMarket, base_decimals: int, quote_decimals: int
) -> list[Command]:
    """What a table `filters` of the market says: filterType -> public name -> text (ADR 0045)."""
    described = market.get("filters", {})
    standing, found = standing_values(command), []
    try:
        for name, asked in described.items():
            kind = filter_named(name)
            if FILTER_KINDS[kind].scope != MARKET:
                raise ValueError(f"{name} is no market's")
            now = standing.get(kind, (0, 0, 0, 0))
            values = changed_values(kind, asked, now, command, base_decimals, quote_decimals)
            found.append(SetFilter(0, kind, command.market_id, 0, *values))
    except (ValueError, TypeError, AttributeError) as error:
        raise MarketsFileError(f"{command.symbol}: {error}") from None
    return [*found]


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(name)} = {_toml(one)}" for name, one in value.items()) + "}"
    # What JSON writes of a text, a number or a truth is TOML, too.
    return str(json.dumps(value))


def commands_of(described: MarketsFile, known: KnownMarkets = NOTHING_KNOWN) -> list[Command]:
    """What has to be registered, assets first; new numbers go on behind those in use. Command ids are 0.

    Raises MarketsFileError when the file is wrong, or contradicts what there is.
    """
    assets = dict(known.assets)
    commands: list[Command] = []
    for code, decimals in described.assets:
        if code not in assets:
            assets[code] = (1 + max((number for number, _ in assets.values()), default=0), decimals)
            commands.append(RegisterAsset(0, assets[code][0], code, decimals))
        elif assets[code][1] != decimals:
            raise MarketsFileError(f"{code} has {assets[code][1]} decimals, which nothing changes any more")
    next_id = 1 + max((int(rules["market_id"]) for rules in known.markets.values()), default=0)
    for market in described.markets:
        command = _register_market(next_id, market, assets)
        rules = known.markets.get(command.symbol)
        if rules is None:
            base, quote = assets[market["base"]], assets[market["quote"]]
            commands += [command, *_filters_of(market, command, base[1], quote[1])]
            next_id += 1
        elif changed := changes_of_market(command, rules):
            raise MarketsFileError(f"{command.symbol} was registered with another {', '.join(changed)}")
    return commands


def changes_of_market(command: RegisterMarket, rules: Mapping[str, Any]) -> list[str]:
    """The fields in which the file differs from the market, but for those that may have changed.

    Of what filters change, `rules` has only what never did.
    """
    compared = [name for name in _RULES if name in rules and name not in _CHANGEABLE]
    return [name for name in compared if getattr(command, name) != rules[name]]


def differences(described: MarketsFile, known: KnownMarkets) -> list[str]:
    """What the file says and the exchange does not do, a sentence each. Raises MarketsFileError."""
    said = [
        f"the file gives {code} {decimals} decimals, it has {known.assets[code][1]}: that stays"
        for code, decimals in described.assets
        if code in known.assets and known.assets[code][1] != decimals
    ]
    # As the file would have it in an exchange of its own.
    assets = {code: known.assets.get(code, (10**6 + n, 0)) for n, (code, _) in enumerate(described.assets)}
    assets = {code: (assets[code][0], decimals) for code, decimals in described.assets}
    missing = []
    for market in described.markets:
        command = _register_market(1, market, {**known.assets, **assets})
        rules = known.markets.get(command.symbol)
        if rules is None:
            missing.append(command.symbol)
        elif changed := changes_of_market(command, rules):
            said.append(f"the file gives {command.symbol} another {', '.join(changed)}: it stays as it began")
    if missing:
        said.append(f"the file names {', '.join(missing)}, which is not registered yet")
    return said


def _register_market(
    market_id: int, market: Mapping[str, Any], assets: Mapping[str, tuple[int, int]]
) -> RegisterMarket:
    try:
        if unknown := sorted(set(market) - _FIELDS):
            raise ValueError(f"{unknown[0]} is none of {', '.join(sorted(_FIELDS))}")
        if foreign := [code for code in (market["base"], market["quote"]) if code not in assets]:
            raise ValueError(f"there is no asset {foreign[0]}")
        return _command(market_id, market, assets)
    except ZeroDivisionError:
        raise MarketsFileError(f"{_name(market)}: tick_size and step_size must be above 0") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MarketsFileError(f"{_name(market)}: {_said(error)}") from None


def _name(market: object) -> str:
    return f"{market.get('base')}{market.get('quote')}" if isinstance(market, Mapping) else repr(market)


def _command(
    market_id: int, market: Mapping[str, Any], assets: Mapping[str, tuple[int, int]]
) -> RegisterMarket:
    base, quote = market["base"], market["quote"]
    (base_id, base_decimals), (quote_id, quote_decimals) = assets[base], assets[quote]

    def number(name: str, decimals: int) -> int:
        text = market[name]
        if not isinstance(text, str):
            raise ValueError(f'{name} = {text}: numbers stand in quotes, as in {name} = "{text}"')
        try:
            return parse_fixed(text, decimals)
        except NumberError:
            raise ValueError(f'{name} = "{text}" is no number of at most {decimals} decimals') from None

    tick_atoms = number("tick_size", quote_decimals)
    lot_atoms = number("step_size", base_decimals)

    def ticks(name: str) -> int:
        return number(name, quote_decimals) // tick_atoms

    def lots(name: str) -> int:
        return number(name, base_decimals) // lot_atoms

    def ppm(name: str) -> int:
        return number(name, _PPM_DECIMALS)

    return RegisterMarket(
        0,
        market_id,
        base + quote,
        base_id,
        quote_id,
        tick_atoms,
        lot_atoms,
        ticks("min_price"),
        ticks("max_price"),
        lots("min_quantity"),
        lots("max_quantity"),
        lots("max_market_quantity"),
        number("min_notional", quote_decimals),
        number("max_notional", quote_decimals),
        ppm("bid_multiplier_up"),
        ppm("bid_multiplier_down"),
        ppm("ask_multiplier_up"),
        ppm("ask_multiplier_down"),
        int(market["max_open_orders"]),
        ppm("maker_fee"),
        ppm("taker_fee"),
    )
