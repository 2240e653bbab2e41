"""A file of markets for a new exchange, looked at before anything is started for it."""

from collections.abc import Collection
from pathlib import Path

from exchange.trading.markets_file import MarketsFileError
from local.servers import ServerError
from matching_engine.genesis import MARKETS_FILE, genesis_commands

__all__ = ["check_markets"]


def check_markets(log: Path, markets: Path | None, wanted: Collection[str] = ()) -> None:
    """Whether an exchange can begin with the file, and has the `wanted` symbols then.

    `log`: where its commands will lie; a log that is there has its markets, and the file is not read again.
    Raises ServerError with what is wrong.
    """
    if log.exists():
        return
    try:
        commands = genesis_commands(markets or MARKETS_FILE)
    except (MarketsFileError, OSError, UnicodeError) as error:
        raise ServerError(f"MARKETS={markets}: {error}") from None
    symbols = {symbol for command in commands if (symbol := getattr(command, "symbol", ""))}
    if missing := sorted(set(wanted) - symbols):
        raise ServerError(
            f"there is no market {', '.join(missing[:5])}: name a file that has it, as "
            "matching_engine/markets.toml has its own (--markets FILE)"
        )
