"""The first commands of a log: the newest rules, and the assets and markets of a new exchange."""

import tomllib
from contextlib import aclosing
from pathlib import Path
from typing import Any

from exchange.contracts.codec import decode_commands, encode_commands
from exchange.contracts.commands import ActivateRules, Command, RegisterAsset, RegisterMarket
from exchange.log.records import records_between
from exchange.money import parse_fixed
from exchange.ports.world import Log
from matching_engine.core.rules_version import RULES_VERSION_MAX

__all__ = ["genesis_commands", "write_genesis"]

_MARKETS_FILE = Path(__file__).with_name("markets.toml")
_PPM_DECIMALS = 6
_YOUNG_RECORDS_MAX = 1_000


def genesis_commands(path: Path = _MARKETS_FILE) -> list[Command]:
    """The newest rules, then what `markets.toml` says. Raises KeyError or NumberError on a bad file."""
    described = tomllib.loads(path.read_text(encoding="utf-8"))
    asset_ids = {asset["code"]: number for number, asset in enumerate(described["assets"], start=1)}
    decimals = {asset["code"]: int(asset["decimals"]) for asset in described["assets"]}
    commands: list[Command] = [ActivateRules(0, RULES_VERSION_MAX)]
    commands += [
        RegisterAsset(0, asset_ids[asset["code"]], asset["code"], int(asset["decimals"]))
        for asset in described["assets"]
    ]
    for number, market in enumerate(described["markets"], start=1):
        commands.append(_register_market(number, market, asset_ids, decimals))
    return commands


async def write_genesis(command_log: Log) -> bool:
    """Append the genesis commands to a young log that holds none. True when it did.

    Not only to an empty one: a stray command that came first must not keep the markets away for good.
    Two engines that start at once may both do it; what is registered twice is refused.
    """
    end = await command_log.end_offset()
    if end > _YOUNG_RECORDS_MAX or await _has_assets(command_log, end):
        return False
    writer = await command_log.writer()
    try:
        await writer.append(encode_commands(genesis_commands()))
    finally:
        await writer.close()
    return True


async def _has_assets(command_log: Log, end: int) -> bool:
    async with aclosing(records_between(command_log, 0, end)) as records:
        async for record in records:
            if any(isinstance(command, RegisterAsset) for command in decode_commands(record.value)):
                return True
    return False


def _register_market(
    market_id: int, market: dict[str, Any], asset_ids: dict[str, int], decimals: dict[str, int]
) -> RegisterMarket:
    base, quote = market["base"], market["quote"]
    tick_atoms = parse_fixed(market["tick_size"], decimals[quote])
    lot_atoms = parse_fixed(market["step_size"], decimals[base])

    def ticks(name: str) -> int:
        return parse_fixed(market[name], decimals[quote]) // tick_atoms

    def lots(name: str) -> int:
        return parse_fixed(market[name], decimals[base]) // lot_atoms

    def ppm(name: str) -> int:
        return parse_fixed(market[name], _PPM_DECIMALS)

    return RegisterMarket(
        0,
        market_id,
        base + quote,
        asset_ids[base],
        asset_ids[quote],
        tick_atoms,
        lot_atoms,
        ticks("min_price"),
        ticks("max_price"),
        lots("min_quantity"),
        lots("max_quantity"),
        lots("max_market_quantity"),
        parse_fixed(market["min_notional"], decimals[quote]),
        parse_fixed(market["max_notional"], decimals[quote]),
        ppm("bid_multiplier_up"),
        ppm("bid_multiplier_down"),
        ppm("ask_multiplier_up"),
        ppm("ask_multiplier_down"),
        int(market["max_open_orders"]),
        ppm("maker_fee"),
        ppm("taker_fee"),
    )
