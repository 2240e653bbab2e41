"""The past put where a fresh exchange looks for its commands."""

import time
from pathlib import Path
from typing import Final

from exchange.adapters.files.past import write_past
from exchange.contracts.codec import encode_commands
from local.past.trading import past
from matching_engine.genesis import MARKETS_FILE, genesis_commands

__all__ = ["give_past"]

_SEED: Final = 20_170_714
# The newest trade is a minute old: the market maker goes on from it.
_AGE_MS: Final = 60_000


def give_past(log: Path, markets: Path | None = None) -> int:
    """Write the past of the last 210 days to `log`, if nothing is there. Returns how many records it has.

    Raises MarketsFileError, LogError, OSError.
    """
    if log.exists():
        return 0
    end_ms = time.time_ns() // 1_000_000 - _AGE_MS
    moments = past(genesis_commands(markets or MARKETS_FILE), end_ms, _SEED)
    return write_past(log, ((moment.time_ms, encode_commands(moment.commands)) for moment in moments))
