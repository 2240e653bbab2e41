"""The steps of a rebuild over servers that run (ADR 0010): of `make rebuild`, and of a deployed exchange."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import asyncpg
from redis.exceptions import RedisError

from exchange.contracts.codec import CodecError
from exchange.log.event_tail import ChainError, newest_event
from exchange.log.segments import ArchiveError
from exchange.log.whole_log import WholeLog
from exchange.ports.object_keys import snapshots_prefix
from exchange.ports.world import Log, LogRestorer, ObjectStore, ObjectStoreError
from exchange.process.components import Resources
from exchange.process.config import Settings, SettingsError
from exchange.process.connections import acquire
from matching_engine.core.engine import Engine
from matching_engine.core.invariants import InvariantError
from matching_engine.core.rules_version import UnknownRulesError
from matching_engine.core.shard import PoisonError, Shard
from matching_engine.replay import replay, skipped_commands
from matching_engine.snapshots import Snapshots, state_hash
from services.archive.restore import restore
from services.auditor.checkpoints import Checkpoints
from services.migrations.runner import MigrationError, migrate
from services.projections.book.state import BookError
from services.projections.ledger.store import LedgerError
from services.projections.rebuild import RebuildError, rebuild
from services.rebuild.loss import LossError, weigh

if TYPE_CHECKING:
    import redis.asyncio

__all__ = ["FAILURES", "SOURCES", "Places", "Rebuild", "Report"]

SOURCES: Final = ("log", "archive")
FAILURES: Final = (
    ArchiveError,
    BookError,
    ChainError,
    CodecError,
    InvariantError,
    LedgerError,
    LossError,
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


class Places(Protocol):
    """What is rebuilt, and from what; each is opened when its turn has come."""

    def connections(
        self,
    ) -> "AbstractAsyncContextManager[tuple[asyncpg.Pool[asyncpg.Record], redis.asyncio.Redis]]":
        """Database and cache."""
        ...

    def archive(self) -> AbstractAsyncContextManager[ObjectStore]:
        """Where the archive is read; nothing is written there."""
        ...

    def restorers(self) -> AbstractAsyncContextManager[tuple[LogRestorer, LogRestorer]]:
        """Of the command log and of the event log. Raises LogError when there is one that holds records."""
        ...

    def logs(self) -> AbstractAsyncContextManager[tuple[Log, Log]]:
        """The command log and the event log."""
        ...

    def snapshots(self) -> AbstractAsyncContextManager[ObjectStore]:
        """Where the exchange keeps its snapshots from now on."""
        ...

    def witnesses(self) -> AbstractAsyncContextManager[ObjectStore]:
        """Snapshots to compare the replay with: the same, or a copy of those that there once were."""
        ...


class Report(Protocol):
    """What people are told meanwhile."""

    def __call__(self, message: str) -> None:
        """One step, or what came of it."""
        ...

    def bar(self, name: str) -> Callable[[int, int], None]:
        """Progress of one piece of work: gets what is done, and of how many."""
        ...


class Rebuild:
    """Raises FAILURES, LogError, OSError. Nothing that is left half-restored can be used by an exchange."""

    def __init__(
        self, settings: Settings, places: Places, report: Report, *, accept_loss: bool = False
    ) -> None:
        """`accept_loss`: go on although the archive has a gap, or the tables know more than it."""
        self._settings = settings
        self._places = places
        self._report = report
        self._accept_loss = accept_loss

    async def run(self, source: str) -> None:
        """Rebuild from the "log", or from the "archive" alone; report the hashes that came out."""
        settings, report = self._settings, self._report
        async with self._places.connections() as (database, cache):
            async with acquire(database, settings.database_deadline_ms) as connection:
                await migrate(connection)
            if source == "archive":
                await self._restore_logs()
            async with self._places.logs() as (command_log, kept_events), self._places.archive() as store:
                # What retention has removed of the log is in the archive.
                event_log = WholeLog(kept_events, store, settings.shard, "events")
                newest = await newest_event(event_log)
                reached = newest.seq
                if source == "archive":
                    reached = (await self._prove(command_log, event_log)).engine.seq
                async with acquire(database, settings.database_deadline_ms) as connection:
                    await weigh(connection, settings.shard, newest, reached, report, accept=self._accept_loss)
                report("tables and hot books ...")
                resources = Resources(settings, command_log, event_log, database, cache)
                position = await rebuild(resources, report.bar("ledger, by event"))
                report(f"rebuilt: seq {position.seq}, event hash {position.hash.hex()}")

    async def _restore_logs(self) -> None:
        report, shard = self._report, self._settings.shard
        report("the logs, from the archive ...")
        async with self._places.archive() as store, self._places.restorers() as (commands, events):
            bars = {name: report.bar(f"{name}, by record") for name in ("commands", "events")}
            try:
                restored = await restore(
                    store, shard, commands, events,
                    lambda name, count: bars[name](count, count), accept_loss=self._accept_loss,
                )  # fmt: skip
            except ArchiveError as error:
                raise ArchiveError(
                    f"{error}; a copy may not be complete yet: wait for it, or give up what lies behind "
                    "(accept-loss)"
                ) from error
        report(f"restored: {restored.commands_end} command records, {restored.events_end} event records")
        report(f"the newest command is of {_utc(restored.commands_last_ms)}: what came later is not here")
        if restored.events_left_out:
            report(f"left out: {restored.events_left_out} event records whose commands were not archived")
        for gap in restored.gaps:
            report(f"LOST, all that is archived behind this: {gap}")
        if restored.gaps or restored.events_left_out:
            report("that archive is of another history from here on: have this exchange write to a new place")

    async def _prove(self, command_log: Log, event_log: Log) -> Shard:
        """Replay the commands: the events must come out as archived, the state as in the snapshot."""
        report = self._report
        report("replaying the commands ...")
        end, published = await command_log.end_offset(), await newest_event(event_log)
        async with self._places.snapshots() as store:
            snapshots = Snapshots(store, snapshots_prefix(self._settings.shard))
            for key in await snapshots.drop_ahead_of(end, published.seq):
                report(f"dropped {key}: it is ahead of the archive")
            # The auditor may have seen more than was archived: it begins anew.
            for key in await Checkpoints(store, self._settings.shard).drop():
                report(f"dropped {key}: the auditor reads the log from its beginning")
        async with self._places.witnesses() as store:
            snapshots = Snapshots(store, snapshots_prefix(self._settings.shard))
            witness = await snapshots.load_newest(Engine(), not_ahead_of=(end, published.seq))
        skipped = await skipped_commands(event_log)
        shard = await replay(command_log, published, skipped, witness, report.bar("engine, by record"))
        checked = "no snapshot to compare with" if witness is None else "as in the newest snapshot"
        report(f"event hash {published.hash.hex()} at seq {published.seq}, as archived")
        report(f"state hash {state_hash(shard)} at seq {shard.engine.seq}, {checked}")
        if shard.engine.seq > published.seq:
            missing = shard.engine.seq - published.seq
            report(f"{missing} events were not archived; the engine publishes them when it starts")
        return shard


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
