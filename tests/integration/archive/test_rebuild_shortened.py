"""A rebuild from a log that retention has shortened gives what the whole log gives."""

import pytest

from exchange.adapters.chosen.object_store import open_object_store
from exchange.ports.world import LogError
from exchange.process.config import Settings
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots, state_hash
from services.archive.retention import retentions
from tests.at_work import running
from tests.integration.archive.test_rebuild import (
    everything,
    file_logs,
    lose_logs,
    rebuilt,
    settings,  # noqa: F401  a fixture
    tables,
    trade,
)

pytestmark = pytest.mark.integration


async def test_rebuild_from_a_shortened_log_takes_the_older_part_from_the_archive(settings: Settings) -> None:  # noqa: F811
    """And an engine that starts there does so from its snapshot, or says what is missing."""
    settings = settings.model_copy(update={"archive_segment_size_bytes": 3_000})
    async with file_logs(settings, file_size_bytes=3_000) as logs:
        original = await trade(settings, *logs)
        async with open_object_store(settings) as store:
            shortened = settings.model_copy(update={"log_kept_days": 1})
            for retention in retentions(shortened, *logs, store, lambda: 10**14):
                await retention.round()
        assert await logs[0].first_offset() > 0
        # The newest events stay in any case; for this test we take them away too, behind their proof.
        await logs[1].remove_before(await logs[1].end_offset() - 5)
        assert await logs[1].first_offset() > 0
    assert original.event_hash.hex() in await rebuilt(settings, "run", "log")
    before = await tables(settings)
    async with file_logs(settings) as logs, open_object_store(settings) as store:
        engine = EngineRunner(
            *logs, Snapshots(store, f"snapshots/{settings.shard}/"),
            shard_number=settings.shard, snapshot_every_commands=10**9,
        )  # fmt: skip
        async with running(engine):
            assert state_hash(engine.shard) == original.state_hash
        lost = EngineRunner(
            *logs, Snapshots(store, "none/"), shard_number=settings.shard, snapshot_every_commands=10**9
        )
        with pytest.raises(LogError, match=r"begins at record \d+, .* needs record 0"):
            await lost.start()
        await lost.stop()
    lose_logs(settings)
    assert f"state hash {original.state_hash} at seq" in await rebuilt(settings, "run", "archive")
    assert await tables(settings) == before
    async with file_logs(settings) as logs:
        assert await everything(logs[0]) == original.commands
        assert await everything(logs[1]) == original.events
