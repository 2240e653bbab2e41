"""The steps of `make rebuild`, over servers that run (ADR 0010)."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from typing import Final

import asyncpg
from redis.exceptions import RedisError
from rich.progress import Progress

from exchange.adapters.cache import open_cache
from exchange.adapters.database import close_pool, open_pool
from exchange.adapters.file_log import FileLog, FileRestorer
from exchange.adapters.kafka_cluster import KafkaCluster
from exchange.adapters.kafka_log import shard_logs
from exchange.adapters.kafka_restore import KafkaRestorer
from exchange.adapters.object_store import open_object_store
from exchange.config import Settings, SettingsError
from exchange.contracts.codec import CodecError
from exchange.contracts.topics import commands_topic, events_topic
from exchange.event_tail import ChainError, newest_event
from exchange.local.console import Steps
from exchange.local.servers import ServerError
from exchange.object_keys import snapshots_prefix
from exchange.ports import Log, LogRestorer, ObjectStoreError
from exchange.service import Resources
from matching_engine.core.engine import Engine
from matching_engine.core.rules import UnknownRulesError
from matching_engine.core.shard import PoisonError
from matching_engine.core.state import InvariantError
from matching_engine.replay import replay, skipped_commands
from matching_engine.snapshots import Snapshots, state_hash
from services.archive.restore import restore
from services.archive.segments import ArchiveError
from services.auditor.checkpoints import CHECKPOINTS_FOLDER
from services.migrations.runner import MigrationError, migrate
from services.projections.book_state import BookError
from services.projections.ledger_store import LedgerError
from services.projections.rebuild import RebuildError, rebuild

__all__ = ["FAILURES", "RebuildSteps"]

FAILURES: Final = (
    ArchiveError,
    BookError,
    ChainError,
    CodecError,
    InvariantError,
    LedgerError,
    MigrationError,
    ObjectStoreError,
    PoisonError,
    RebuildError,
    RedisError,
    SettingsError,
    UnknownRulesError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
_DEADLINE_MS: Final = 30_000


class RebuildSteps:
    """`mode`: "run" (logs in files) or "stack" (logs on Kafka). Raises FAILURES, LogError, OSError."""

    def __init__(self, settings: Settings, mode: str, steps: Steps, progress: Progress) -> None:
        self._settings = settings
        self._mode = mode
        self._steps = steps
        self._progress = progress
        self._log_folder = settings.data_dir / "log"

    async def run(self, source: str) -> None:
        """Rebuild from the "log", or from the "archive" alone; print the hashes that came out."""
        if source == "archive":
            await self._restore_logs()
        async with self._logs() as (command_log, event_log):
            if source == "archive":
                await self._prove(command_log, event_log)
            self._steps("tables and hot books ...")
            async with self._resources(command_log, event_log) as resources:
                position = await rebuild(resources, self._bar("ledger, by event"))
            self._steps(f"rebuilt: seq {position.seq}, event hash {position.hash.hex()}")

    async def _restore_logs(self) -> None:
        settings = self._settings
        self._steps("the logs, from the archive ...")
        async with open_object_store(settings) as store, contextlib.AsyncExitStack() as stack:
            commands = await self._restorer("commands")
            stack.push_async_callback(commands.close)
            events = await self._restorer("events")
            stack.push_async_callback(events.close)
            bars = {name: self._bar(f"{name}, by record") for name in ("commands", "events")}
            restored = await restore(
                store, settings.shard, commands, events, lambda name, count: bars[name](count, count)
            )
        # The auditor may have seen more than was archived.
        shutil.rmtree(settings.data_dir / CHECKPOINTS_FOLDER, ignore_errors=True)
        self._steps(f"restored: {restored.commands_end} command records, {restored.events_end} event records")
        if restored.events_left_out:
            self._steps(
                f"left out: {restored.events_left_out} event records whose commands were not archived"
            )

    async def _prove(self, command_log: Log, event_log: Log) -> None:
        """Replay the commands: the events must come out as archived, the state as in the snapshot."""
        self._steps("replaying the commands ...")
        published = await newest_event(event_log)
        async with open_object_store(self._settings) as store:
            snapshots = Snapshots(store, snapshots_prefix(self._settings.shard))
            for key in await snapshots.drop_ahead_of(await command_log.end_offset(), published.seq):
                self._steps(f"dropped {key}: it is ahead of the archive")
            witness = await snapshots.load_newest(Engine())
        skipped = await skipped_commands(event_log)
        shard = await replay(command_log, published, skipped, witness, self._bar("engine, by record"))
        checked = "no snapshot to compare with" if witness is None else "as in the newest snapshot"
        self._steps(f"event hash {published.hash.hex()} at seq {published.seq}, as archived")
        self._steps(f"state hash {state_hash(shard)} at seq {shard.engine.seq}, {checked}")
        if shard.engine.seq > published.seq:
            missing = shard.engine.seq - published.seq
            self._steps(f"{missing} events were not archived; the engine publishes them when it starts")

    async def _restorer(self, name: str) -> LogRestorer:
        settings = self._settings
        if self._mode == "run":
            return FileRestorer(self._log_folder / f"{name}.log")
        topic = {"commands": commands_topic, "events": events_topic}[name](settings.shard)
        cluster = KafkaCluster.from_settings(settings, _DEADLINE_MS)
        return await KafkaRestorer.open(cluster, topic, replicas=settings.topic_replicas)

    @contextlib.asynccontextmanager
    async def _logs(self) -> AsyncIterator[tuple[Log, Log]]:
        settings = self._settings
        if self._mode == "stack":
            yield shard_logs(settings)
            return
        paths = [self._log_folder / f"{name}.log" for name in ("commands", "events")]
        for path in paths:
            if not path.exists():
                raise ServerError(f"{path} is not there: `make rebuild FROM=archive` can restore it")
        async with contextlib.AsyncExitStack() as stack:
            logs = []
            for path in paths:
                logs.append(await FileLog.open(path, settings.log_deadline_ms))
                stack.push_async_callback(logs[-1].close)
            yield logs[0], logs[1]

    @contextlib.asynccontextmanager
    async def _resources(self, command_log: Log, event_log: Log) -> AsyncIterator[Resources]:
        settings = self._settings
        async with contextlib.AsyncExitStack() as stack:
            database = await open_pool(settings)
            stack.push_async_callback(close_pool, database, settings.database_deadline_ms)
            cache = open_cache(settings)
            stack.push_async_callback(cache.aclose)
            async with database.acquire(timeout=settings.database_deadline_ms / 1000) as connection:
                await migrate(connection)
            yield Resources(settings, command_log, event_log, database, cache)

    def _bar(self, name: str) -> Callable[[int, int], None]:
        task = self._progress.add_task(name, total=None)

        def show(done: int, total: int) -> None:
            self._progress.update(task, completed=done, total=total)

        return show
