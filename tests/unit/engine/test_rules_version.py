"""Rules change by a command only, and code that lacks them stops (design decision 6)."""

import asyncio
import logging
from pathlib import Path
from typing import NoReturn

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts import codes
from exchange.contracts.codec import encode_commands, outcomes_of
from exchange.contracts.commands import ActivateRules, RegisterAsset
from exchange.contracts.events import CommandRejected, RulesActivated
from exchange.process.frame import run_until_signal
from matching_engine.core.engine import Engine
from matching_engine.core.rules_version import RULES_VERSION_MAX, UnknownRulesError
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows, to_rows
from matching_engine.poison import PoisonNotes, PoisonWatch
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots


def test_known_rules_are_activated_by_a_command_and_stay_in_the_state() -> None:
    shard = Shard(Engine())
    assert shard.engine.rules_version == 1
    (outcome,) = outcomes_of(shard.apply_record(0, 1, encode_commands([ActivateRules(7, RULES_VERSION_MAX)])))
    (recorded,) = outcome.events
    assert isinstance(recorded.event, RulesActivated)
    assert recorded.event.version == RULES_VERSION_MAX
    assert from_rows(to_rows(shard), Engine()).engine.rules_version == RULES_VERSION_MAX


def test_version_that_never_was_is_refused() -> None:
    shard = Shard(Engine())
    (outcome,) = outcomes_of(shard.apply_record(0, 1, encode_commands([ActivateRules(7, 0)])))
    event = outcome.events[0].event
    assert isinstance(event, CommandRejected)
    assert event.reason == codes.REJECT_MALFORMED
    assert shard.engine.rules_version == 1


def test_snapshot_of_unknown_rules_is_not_loaded() -> None:
    shard = Shard(Engine())
    shard.engine.rules_version = RULES_VERSION_MAX + 1
    with pytest.raises(UnknownRulesError):
        from_rows(to_rows(shard), Engine())


class NoStore:
    """Nothing was ever kept."""

    async def put(self, key: str, body: bytes) -> NoReturn:
        raise AssertionError(key)

    async def get(self, key: str) -> NoReturn:
        raise AssertionError(key)

    async def keys(self, prefix: str) -> list[str]:
        return []

    async def delete(self, key: str) -> NoReturn:
        raise AssertionError(key)


def test_unknown_rules_on_the_log_end_the_process_with_a_clear_message(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    notes = PoisonNotes(tmp_path / "poison.json")

    async def engine() -> None:
        commands, events = MemoryLog(lambda: 1), MemoryLog(lambda: 1)
        writer = await commands.writer()
        await writer.append(encode_commands([ActivateRules(7, RULES_VERSION_MAX + 1)]))
        runner = EngineRunner(
            commands, events, Snapshots(NoStore()), shard_number=0, snapshot_every_commands=10,
            poison=PoisonWatch(notes, None),
        )  # fmt: skip
        try:
            await runner.start()
        finally:
            assert await events.end_offset() == 0

    with caplog.at_level(logging.CRITICAL):
        assert run_until_signal(engine()) == 1
    # No poison: the next version of the engine must not halt here, and no order may go past it.
    assert notes.read() == []
    assert f"activates rules version {RULES_VERSION_MAX + 1}, this code knows 1 to" in caplog.text


async def test_who_leads_asks_once_for_the_newest_rules_where_it_may() -> None:
    commands, events = MemoryLog(lambda: 1), MemoryLog(lambda: 1)
    writer = await commands.writer()
    await writer.append(encode_commands([RegisterAsset(7, 1, "A", 0)]))

    async def lead(activates_rules: bool, end: int) -> int:
        runner = EngineRunner(
            commands, events, Snapshots(NoStore()), shard_number=0, snapshot_every_commands=10,
            activates_rules=activates_rules,
        )  # fmt: skip
        await runner.start()
        leading = asyncio.create_task(runner.run())
        async with asyncio.timeout(30):
            while runner.shard.next_command_offset < end:
                await asyncio.sleep(0.01)
        leading.cancel()
        await asyncio.wait([leading])
        await runner.stop()
        return runner.shard.engine.rules_version

    assert await lead(False, 1) == 1
    assert await lead(True, 2) == RULES_VERSION_MAX
    assert await lead(True, 2) == RULES_VERSION_MAX
    assert await commands.end_offset() == 2
