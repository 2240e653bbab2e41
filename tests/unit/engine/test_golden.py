"""A history of rules version 1, recorded from the code before there was a version 2, gives the same hashes.

`golden/rules_1.bin`: zlib over msgpack of [[time_ms, record, chain hash after it], ...], seq, state hash.
In it: every kind of command with wrong values, wrong bytes of many kinds (so a msgspec that words its errors
otherwise is found here, before it meets a real history), money that came, left, and came again, and one order
that meets 2,204 others. It is never recorded anew: old logs are not either. `golden/rules_1_to_3.bin` is the
same of a history through versions 1 to 3, `golden/rules_3_to_4.bin` of one of orders with terms (it may be
recorded anew as long as no exchange runs version 4), `golden/rules_4_to_5_filters.bin` of filters that
change and markets that end (tests/unit/engine/golden_recording.py).
"""

import zlib
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from exchange.contracts import codec, codes
from exchange.contracts.codec import CommandOutcome, encode_commands, outcomes_of
from exchange.contracts.commands import ActivateRules, LeaderElected
from exchange.contracts.events import CommandRejected, TradeExecuted
from exchange.contracts.tables import EVENTS
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.snapshots import state_hash

RECORDED = Path(__file__).with_name("golden") / "rules_1.bin"
FILLS_OF_THE_SWEEP = 2_204


def recorded_history(path: Path = RECORDED) -> tuple[list[tuple[int, bytes, bytes]], int, str]:
    """(time_ms, record, chain hash) of each record, the last seq, the hash of the last state."""
    return msgspec.msgpack.decode(
        zlib.decompress(path.read_bytes()), type=tuple[list[tuple[int, bytes, bytes]], int, str]
    )


def test_history_of_version_1_replays_to_its_hashes() -> None:
    rows, seq, digest = recorded_history()
    shard = Shard(Engine())
    kinds: Counter[str] = Counter()
    widest = 0
    for offset, (time_ms, record, chain) in enumerate(rows):
        outcomes = outcomes_of(shard.apply_record(offset, time_ms, record))
        assert shard.chain == chain, f"record {offset} has another outcome than it had"
        for outcome in outcomes:
            kinds.update(type(recorded.event).__name__ for recorded in outcome.events)
            trades = sum(isinstance(recorded.event, TradeExecuted) for recorded in outcome.events)
            widest = max(widest, trades)
    assert (shard.engine.seq, state_hash(shard)) == (seq, digest)
    assert shard.engine.rules_version == 1
    # What the recording is good for, lest an empty one take its place.
    assert widest == FILLS_OF_THE_SWEEP
    assert min(kinds[k] for k in ("OrderAccepted", "TradeExecuted", "OrderClosed", "CommandRejected")) > 500


def test_history_of_both_formats_replays_to_its_hashes() -> None:
    """Rules 1, then 2, then 3: format 1 of the event log, then format 2 (ADR 0026)."""
    rows, seq, digest = recorded_history(RECORDED.with_name("rules_1_to_3.bin"))
    shard = Shard(Engine())
    forms: Counter[int] = Counter()
    for offset, (time_ms, record, chain) in enumerate(rows):
        forms.update(link.form for link in shard.apply_record(offset, time_ms, record))
        assert shard.chain == chain, f"record {offset} has another outcome than it had"
    assert (shard.engine.seq, state_hash(shard), shard.engine.rules_version) == (seq, digest, 3)
    assert forms[1] > 4_000, "a link for each command"
    assert 300 < forms[2] < 600, "a link for each record"


def test_history_of_orders_with_terms_replays_to_its_hashes() -> None:
    """Rules 3, which refuse them, then 4."""
    rows, seq, digest = recorded_history(RECORDED.with_name("rules_3_to_4.bin"))
    shard = Shard(Engine())
    kinds: Counter[str] = Counter()
    for offset, (time_ms, record, chain) in enumerate(rows):
        outcomes = outcomes_of(shard.apply_record(offset, time_ms, record))
        assert shard.chain == chain, f"record {offset} has another outcome than it had"
        kinds.update(type(recorded.event).__name__ for outcome in outcomes for recorded in outcome.events)
    assert (shard.engine.seq, state_hash(shard), shard.engine.rules_version) == (seq, digest, 4)
    assert min(kinds[cls.__name__] for tag, (cls, _) in EVENTS.items() if 22 <= tag <= 30) > 5


def test_history_of_filters_that_change_replays_to_its_hashes() -> None:
    """Rules 4, which refuse to, then 5; then both markets end."""
    rows, seq, digest = recorded_history(RECORDED.with_name("rules_4_to_5_filters.bin"))
    shard = Shard(Engine())
    kinds: Counter[str] = Counter()
    refused: Counter[int] = Counter()
    for offset, (time_ms, record, chain) in enumerate(rows):
        outcomes = outcomes_of(shard.apply_record(offset, time_ms, record))
        assert shard.chain == chain, f"record {offset} has another outcome than it had"
        events = [recorded.event for outcome in outcomes for recorded in outcome.events]
        kinds.update(type(event).__name__ for event in events)
        refused.update(event.reason for event in events if isinstance(event, CommandRejected))
    assert (shard.engine.seq, state_hash(shard), shard.engine.rules_version) == (seq, digest, 5)
    assert kinds["FilterChanged"] > 30
    assert min(kinds["PendingOrderFunded"], kinds["TradeExecutedWithDiscount"]) > 10
    assert refused[codes.REJECT_MALFORMED] > 30, "under rules 4 they are no commands"
    assert len([reason for reason in refused if 52 <= reason <= 59]) >= 4
    assert len(shard.engine.orders) == 0
    assert {market.mode for market in shard.engine.markets.values()} == {codes.MODE_RETIRED}


def _outcomes(version: int, value: bytes) -> list[CommandOutcome]:
    shard = Shard(Engine())
    if version > 1:
        shard.apply_record(0, 1, encode_commands([ActivateRules(1, version)]))
    return outcomes_of(shard.apply_record(shard.next_command_offset, 1, value))


def _refusal(version: int, value: bytes) -> tuple[int, str]:
    """(command id, detail) of the one refusal that these bytes come to."""
    (outcome,) = _outcomes(version, value)
    (recorded,) = outcome.events
    assert isinstance(recorded.event, CommandRejected)
    return outcome.command_id, recorded.event.detail


WRONG = [
    b"",
    b"garbage",
    b"\x91" * 3_000,
    msgspec.msgpack.encode([2, []]),
    msgspec.msgpack.encode([1, [[4, [5, 1]]]]),
    msgspec.msgpack.encode([1, [[6, [5, 1, 1, "x" * 257, 0]]]]),
    msgspec.msgpack.encode([1, [[99, [5, 1]]]]),
]


@pytest.mark.parametrize("value", WRONG)
def test_version_2_lets_no_library_s_words_into_the_history(value: bytes) -> None:
    assert _refusal(2, value)[1] == "no command"
    assert _refusal(1, value)[1] != "no command"


def test_command_of_later_rules_is_decided_as_by_code_that_does_not_know_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = encode_commands([LeaderElected(7, "a", 1)])
    damaged = whole.replace(b"\xa1a", b"\x05")
    later = {11: 2}
    # Old code: the tag is not in its table.
    monkeypatch.delitem(codec._COMMAND_DECODERS, 11)
    as_old_code = [_outcomes(1, value) for value in (whole, damaged)]
    monkeypatch.undo()
    monkeypatch.setattr(codec, "FIRST_RULES_VERSION", later)
    for value, expected in zip((whole, damaged), as_old_code, strict=True):
        (outcome,), (old,) = _outcomes(1, value), expected
        assert outcome.command_id == old.command_id
        assert outcome.events[0].hash == old.events[0].hash
    assert not isinstance(_outcomes(2, whole)[0].events[0].event, CommandRejected)


def test_rules_of_version_2_never_go_back() -> None:
    shard = Shard(Engine())
    shard.apply_record(0, 1, encode_commands([ActivateRules(1, 2)]))
    (outcome,) = outcomes_of(shard.apply_record(1, 1, encode_commands([ActivateRules(2, 1)])))
    assert isinstance(outcome.events[0].event, CommandRejected)
    assert shard.engine.rules_version == 2
