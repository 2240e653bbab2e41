"""Records `golden/rules_4_to_5_filters.bin`: `python -m tests.unit.engine.golden_recording`.

Orders of every kind under rules 4, which refuse to change filters, then the same under rules 5, then both
markets end; and, before they do, a snapshot of format 6 (tests/property/golden). Both may be made anew as
long as no exchange runs version 5.
"""

import zlib
from pathlib import Path

import msgspec

from exchange.contracts import codes
from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import ActivateRules, Command, KeepTime, SetTradingMode
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows, to_rows
from matching_engine.snapshots import _packed, capture, state_hash
from tests.property.terms_traffic import MARKETS, START_MS, TermsTraffic, genesis

FILE = Path(__file__).with_name("golden") / "rules_4_to_5_filters.bin"
SNAPSHOTS = Path(__file__).parents[2] / "property" / "golden"
_COMMANDS = 1_500
_PER_RECORD = 7
_STEP_MS = 400
_SEED = 15


def _commands() -> list[Command]:
    first = genesis()
    activation = first[0]
    assert isinstance(activation, ActivateRules)
    activation.version = 4
    traffic = TermsTraffic(_SEED)
    before, after = traffic.take(_COMMANDS), traffic.take(_COMMANDS)
    return [*first, *before, ActivateRules(5, 5), *after]


def record() -> tuple[bytes, Shard]:
    """The history and its hashes; the engine before the markets end."""
    shard = Shard(Engine())
    commands = _commands()
    rows: list[tuple[int, bytes, bytes]] = []
    parts = [commands[first : first + _PER_RECORD] for first in range(0, len(commands), _PER_RECORD)]
    ends: list[Command] = [SetTradingMode(5, market_id, codes.MODE_RETIRED) for market_id in MARKETS]
    before = shard
    for offset, part in enumerate([*parts, ends, []]):
        if part is ends:
            before = from_rows(to_rows(shard), Engine())
        time_ms = START_MS + offset * _STEP_MS
        # A leader that is at work: its word comes with each record but the first, which elects it.
        word: list[Command] = [KeepTime(5, 1, time_ms)] if offset else []
        record_bytes = encode_commands([*word, *part])
        shard.apply_record(offset, time_ms, record_bytes)
        rows.append((time_ms, record_bytes, shard.chain))
    whole = (rows, shard.engine.seq, state_hash(shard))
    return zlib.compress(msgspec.msgpack.encode(whole), 9), before


if __name__ == "__main__":
    history, shard = record()
    FILE.write_bytes(history)
    snapshot = capture(shard)
    for earlier in SNAPSHOTS.glob("snapshot6-*"):
        earlier.unlink()
    (SNAPSHOTS / snapshot.name).write_bytes(_packed(snapshot.body))
    print(f"{FILE.name}; {snapshot.name}: {shard.chain.hex()}, {len(shard.engine.orders)} orders")
