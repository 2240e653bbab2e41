"""The past put where a fresh exchange looks for its commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exchange.adapters.files.past import write_past
from exchange.contracts.codec import encode_commands
from exchange.wall_clock import clock_ms
from local.past.trading import past
from matching_engine.genesis import MARKETS_FILE, genesis_commands

__all__ = ["give_past", "past_records"]

_SEED: Final = 20_170_714
# The newest trade is a minute old: the market maker goes on from it.
_AGE_MS: Final = 60_000


def past_records(markets: Path | None = None) -> Iterator[tuple[int, bytes]]:
    """Times and records of a command log that begins with the last 210 days. Raises MarketsFileError."""
    end_ms = clock_ms() - _AGE_MS
    for moment in past(genesis_commands(markets or MARKETS_FILE), end_ms, _SEED):
        yield moment.time_ms, encode_commands(moment.commands)


def give_past(log: Path, markets: Path | None = None) -> int:
    """Write the past to `log`, if nothing is there. Returns how many records it has.

    Raises MarketsFileError, LogError, OSError.
    """
    return 0 if log.exists() else write_past(log, past_records(markets))
