"""The first commands of a log: the newest rules, and the assets and markets of a new exchange."""

from contextlib import aclosing
from pathlib import Path

from exchange.contracts.codec import decode_commands, encode_commands
from exchange.contracts.commands import ActivateRules, Command, RegisterAsset
from exchange.log.records import records_between
from exchange.ports.world import Log
from exchange.trading.filters import FIELDS_OF_FILTER
from exchange.trading.markets_file import (
    KnownMarkets,
    MarketsFileError,
    commands_of,
    differences,
    parse_markets,
    rules_of,
)
from matching_engine.core.engine import Engine
from matching_engine.core.rules_version import RULES_VERSION_MAX

__all__ = ["MARKETS_FILE", "genesis_commands", "unregistered", "write_genesis"]

MARKETS_FILE = Path(__file__).with_name("markets.toml")
_YOUNG_RECORDS_MAX = 1_000


def genesis_commands(path: Path = MARKETS_FILE) -> list[Command]:
    """The newest rules, then what `markets.toml` says. Raises MarketsFileError on a bad file."""
    described = parse_markets(path.read_text(encoding="utf-8"))
    return [ActivateRules(0, RULES_VERSION_MAX), *commands_of(described)]


def unregistered(engine: Engine, path: Path = MARKETS_FILE) -> str:
    """In one sentence what the file says and the engine does not know, "" when they agree."""
    markets = {number: rules_of(market.rules) for number, market in engine.markets.items()}
    # What an administrator has changed since is no business of the file's.
    for kind, market_id, _ in engine.filters.set_by:
        for name, _ in FIELDS_OF_FILTER.get(kind, ()):
            markets[market_id].pop(name, None)
    known = KnownMarkets(
        {code: (number, engine.asset_decimals[number]) for number, code in engine.asset_codes.items()},
        {str(rules["symbol"]): rules for rules in markets.values()},
    )
    try:
        said = differences(parse_markets(path.read_text(encoding="utf-8")), known)
    except (MarketsFileError, OSError) as error:
        return f"{path.name} cannot be read: {error}"
    if not said:
        return ""
    return (
        f"{path.name} is read for a new exchange only: {'; '.join(said)}. "
        f"To add what is missing: python -m services.operator markets add {path.name} (make operator)"
    )


async def write_genesis(command_log: Log, path: Path = MARKETS_FILE) -> bool:
    """Append the genesis commands to a young log that holds none. True when it did.

    Not only to an empty one: a stray command that came first must not keep the markets away for good.
    Two engines that start at once may both do it; what is registered twice is refused.
    """
    end = await command_log.end_offset()
    if end > _YOUNG_RECORDS_MAX or await command_log.first_offset() or await _has_assets(command_log, end):
        return False
    writer = await command_log.writer()
    try:
        await writer.append(encode_commands(genesis_commands(path)))
    finally:
        await writer.close()
    return True


async def _has_assets(command_log: Log, end: int) -> bool:
    async with aclosing(records_between(command_log, 0, end)) as records:
        async for record in records:
            if any(isinstance(command, RegisterAsset) for command in decode_commands(record.value)):
                return True
    return False
