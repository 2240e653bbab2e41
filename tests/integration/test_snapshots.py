"""Promises of matching_engine/snapshots.py, on a folder and on S3."""

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from exchange.adapters.aws.s3 import S3Store, S3StoreOptions
from exchange.adapters.files.objects import FolderStore
from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import Malformed
from exchange.ports.object_keys import snapshot_place
from exchange.ports.world import ObjectStore, ObjectStoreError
from loadtest.bench.workload import Mischief
from matching_engine.core import state
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.snapshots import Snapshot, SnapshotError, Snapshots, capture, state_bytes

pytestmark = pytest.mark.integration
SEED = 23
NEWEST = max(state.FIRST_RULES_OF_FORMAT)


class Traded:
    """A shard that takes some more commands whenever it is asked to."""

    def __init__(self) -> None:
        self.shard = Shard(Engine())
        self._source = Mischief(SEED)
        self._apply(list(self._source.setup()))

    def more(self) -> Shard:
        self._apply([c for c in self._source.take(60) if not isinstance(c, Malformed)])
        return self.shard

    def _apply(self, commands: list) -> None:  # type: ignore[type-arg]
        self.shard.apply_record(self.shard.next_command_offset, 1_700_000_000_000, encode_commands(commands))


@pytest.fixture(params=["folder", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    if request.param == "folder":
        yield FolderStore(tmp_path)
        return
    bucket, endpoint = request.getfixturevalue("s3_bucket"), request.getfixturevalue("s3_endpoint")
    opened = S3Store(S3StoreOptions(bucket, "", endpoint))
    yield opened
    await opened.close()


async def replace(store: ObjectStore, key: str, body: bytes) -> None:
    await store.delete(key)
    assert await store.put(key, body)


async def save(snapshots: Snapshots, shard: Shard) -> str:
    """Capture and store the state as the runner does; the snapshot's name."""
    snapshot: Snapshot = capture(shard)
    await snapshots.store(snapshot)
    return snapshot.name


async def test_newest_of_three_kept_snapshots_is_loaded(store: ObjectStore) -> None:
    snapshots, traded = Snapshots(store, "snapshots/0/"), Traded()
    assert await snapshots.load_newest(Engine()) is None
    names = [await save(snapshots, traded.more()) for _ in range(5)]
    assert await store.keys("snapshots/") == [f"snapshots/0/{name}" for name in names[2:]]
    loaded = await snapshots.load_newest(Engine())
    assert loaded is not None
    assert state_bytes(loaded) == state_bytes(traded.shard)
    assert await Snapshots(store, "snapshots/1/").load_newest(Engine()) is None


async def test_two_engines_that_save_the_same_state_agree(store: ObjectStore) -> None:
    leader, standby = Snapshots(store), Snapshots(store)
    assert await save(leader, Traded().more()) == await save(standby, Traded().more())
    assert len(await store.keys("")) == 1


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:60] + b"\xff" + b[61:], lambda b: b""])
async def test_torn_snapshot_is_skipped_with_a_warning(
    store: ObjectStore, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    snapshots, traded = Snapshots(store), Traded()
    await save(snapshots, traded.more())
    before = state_bytes(traded.shard)
    newest = await save(snapshots, traded.more())
    body = await store.get(newest)
    assert body is not None
    await replace(store, newest, damage(body))
    with caplog.at_level(logging.WARNING):
        loaded = await snapshots.load_newest(Engine())
    assert loaded is not None
    assert state_bytes(loaded) == before
    assert f"snapshot {newest} is torn" in caplog.text


async def test_snapshot_of_an_unknown_format_is_skipped_with_a_warning(
    store: ObjectStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots, traded = Snapshots(store), Traded()
    with monkeypatch.context() as other_version:
        rows = msgspec.msgpack.decode(state_bytes(traded.more()))
        other_version.setattr("matching_engine.snapshots.to_rows", lambda _: [NEWEST + 1, *rows[1:]])
        await save(snapshots, traded.shard)
    with caplog.at_level(logging.WARNING):
        assert await snapshots.load_newest(Engine()) is None
    assert f"has the unknown format {NEWEST + 1}" in caplog.text


async def test_new_format_is_written_from_its_command_on_and_the_newest_of_the_one_before_stays(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next version of the code: reads both, writes its own only under the rules that bring it."""
    snapshots, traded = Snapshots(store, "p/"), Traded()
    before = traded.shard.engine.rules_version
    with monkeypatch.context() as next_version:
        next_version.setitem(state.FIRST_RULES_OF_FORMAT, NEWEST + 1, before + 1)
        older = [await save(snapshots, traded.more()) for _ in range(4)]
        assert not any(name.startswith(f"snapshot{NEWEST + 1}-") for name in older)
        # What the command that activates rules does.
        monkeypatch.setattr("matching_engine.core.rules_version.RULES_VERSION_MAX", before + 1)
        traded.shard.engine.rules_version = before + 1
        newer = [await save(snapshots, traded.more()) for _ in range(4)]
        assert all(name.startswith(f"snapshot{NEWEST + 1}-") for name in newer)
        assert sorted(await store.keys("p/")) == sorted(f"p/{name}" for name in [older[-1], *newer[1:]])
        oldest = snapshot_place(f"p/{older[-1]}")
        assert oldest is not None
        loaded = await snapshots.load_newest(Engine())
        assert loaded is not None
        assert state_bytes(loaded) == state_bytes(traded.shard)
        for name in newer[1:]:
            await store.delete(f"p/{name}")
        loaded = await snapshots.load_newest(Engine())
        assert loaded is not None
        assert loaded.engine.rules_version == before
    # The version before goes on from the one that it can read, and leaves the others alone.
    await save(snapshots, traded.shard)
    loaded = await snapshots.load_newest(Engine(), not_ahead_of=(oldest.command_offset, oldest.seq))
    assert loaded is not None
    assert (loaded.next_command_offset, loaded.engine.seq) == oldest[:2]


async def test_snapshot_that_reads_back_differently_does_not_count(store: ObjectStore) -> None:
    snapshots, traded = Snapshots(store), Traded()
    key = await save(snapshots, traded.more())
    await replace(store, key, b"something else")
    with pytest.raises(SnapshotError, match="reads back differently"):
        await save(snapshots, traded.shard)


async def test_snapshots_ahead_of_a_restored_log_are_dropped(store: ObjectStore) -> None:
    snapshots, traded = Snapshots(store, "p/"), Traded()
    keys = ["p/" + await save(snapshots, traded.more()) for _ in range(3)]
    end, seq = traded.shard.next_command_offset, traded.shard.engine.seq
    assert await snapshots.drop_ahead_of(end, seq) == []
    assert await snapshots.drop_ahead_of(end - 1, seq) == keys[2:]
    assert await snapshots.drop_ahead_of(end, 1) == [keys[1], keys[0]]
    assert await store.keys("") == []


class AwayAtFirst:
    """A store that fails some calls and then works."""

    def __init__(self, store: ObjectStore, failures: int) -> None:
        self._store, self._failures = store, failures

    def _fail(self) -> None:
        self._failures -= 1
        if self._failures >= 0:
            raise ObjectStoreError("away")

    async def put(self, key: str, body: bytes) -> bool:
        put = await self._store.put(key, body)
        self._fail()
        return put

    async def get(self, key: str) -> bytes | None:
        self._fail()
        return await self._store.get(key)

    async def keys(self, prefix: str) -> list[str]:
        return await self._store.keys(prefix)

    async def delete(self, key: str) -> None:
        await self._store.delete(key)


async def test_store_that_is_away_delays_a_snapshot_and_does_not_stop_the_engine(
    store: ObjectStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matching_engine.snapshots._RETRY_WAIT_S", 0.001)
    traded = Traded()
    with caplog.at_level(logging.WARNING):
        name = await save(Snapshots(AwayAtFirst(store, 3)), traded.more())
    assert await store.keys("") == [name]
    assert "attempt 3 failed: away" in caplog.text
