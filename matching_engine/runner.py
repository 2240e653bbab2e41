"""The engine's one loop: recover, then consume, apply, publish (design decisions 6 and 7).

Start-up and crash recovery are the same code: load a snapshot, apply the commands behind it, and
publish those events that the event log does not hold yet. With an `Elector` the engine is a warm
standby first: it applies every command too, and publishes nothing until its own marker on the command
log tells it, and everybody else, that it leads.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from enum import Enum

from prometheus_client import Counter, Gauge, Histogram

from exchange.contracts.chain import ChainLink
from exchange.contracts.codec import encode_commands, read_links
from exchange.contracts.commands import LeaderElected
from exchange.log import gathering
from exchange.log.event_tail import ChainError, newest_event
from exchange.ports.world import Headers, Log, LogReader, LogRecord, LogWriter
from exchange.process.crash_points import crash_point
from exchange.process.tracing import Tracing
from matching_engine.activation import activate_newest_rules
from matching_engine.core.engine import Engine
from matching_engine.core.invariants import check_invariants
from matching_engine.core.shard import Shard
from matching_engine.genesis import unregistered
from matching_engine.leadership import Elector
from matching_engine.outbox import Outbox, commands_of, records_of
from matching_engine.poison import HALT_AT, PoisonNote, PoisonWatch, find_skip, noting_poison
from matching_engine.remaking import SnapshotMaker
from matching_engine.replay import refuse_a_gap
from matching_engine.snapshots import Snapshots
from matching_engine.snapshotting import SnapshotTaker
from matching_engine.timekeeping import Timekeeper, first_word
from matching_engine.tracing import DecisionSpans

__all__ = ["DeposedError", "EngineRunner"]

logger = logging.getLogger(__name__)
_READ_TIMEOUT_MS = 1_000
_STANDBY_READ_TIMEOUT_MS = 200
_REPLAY_TIMEOUT_MS = 10_000
_CATCH_UP_DEADLINE_S = 30.0
_SKIP_POLL_S = 2.0
_PROGRESS_EVERY_COMMANDS = 100_000
_PENDING_SIZE_BYTES_MAX = 256 * 1024 * 1024
_AHEAD_LINKS_MAX = 100_000
_LINKS_PER_PUBLISH = 5_000
# A leader's snapshot stops trading for a moment; it takes one only when its standby seems to take none.
_LEADER_SNAPSHOT_FACTOR = 10

_commands_total = Counter("exchange_engine_commands_total", "Commands that the engine has decided")
_events_total = Counter("exchange_engine_events_total", "Events that the engine has published")
_seq = Gauge("exchange_engine_seq", "Seq of the newest event that this engine has computed")
_published_seq = Gauge("exchange_engine_published_seq", "Seq of the newest event that the log holds")
_leading = Gauge("exchange_engine_leading", "1 while this engine publishes, 0 while it stands by")
_epoch = Gauge("exchange_engine_epoch", "How many leaders there have been")
_halted = Gauge("exchange_engine_halted", "1 while the engine waits for the operator before a command")
_commands_per_record = Histogram(
    "exchange_engine_commands_per_gulp", "Commands in one gulp", buckets=(1, 2, 5, 10, 50, 200, 1_000)
)


class DeposedError(Exception):
    """Another engine's marker is on the log: this one must publish nothing more, and start anew."""


class Role(Enum):
    """What the engine does with the events that it computes."""

    STARTING = "starting"
    STANDBY = "standby"
    LEADER = "leader"
    STOPPING = "stopping"


class EngineRunner:
    """The component that owns the engine. Without an `elector` it is the only one, and always leads.

    `snapshot_maker` copies the state where nobody waits; without one it is copied here.
    `activates_rules`: who leads asks for the newest rules; only where no engine of older code runs.
    """

    name = "engine"

    def __init__(
        self,
        command_log: Log,
        event_log: Log,
        snapshots: Snapshots,
        *,
        shard_number: int,
        snapshot_every_commands: int,
        elector: Elector | None = None,
        poison: PoisonWatch | None = None,
        tracing: Tracing | None = None,
        activates_rules: bool = False,
        snapshot_maker: SnapshotMaker | None = None,
    ) -> None:
        self._command_log = command_log
        self._event_log = event_log
        self._snapshots = snapshots
        self._shard_number = shard_number
        self._snapshot_every_commands = snapshot_every_commands
        self._elector = elector
        self._poison = poison
        self._tracing = tracing
        self._activates_rules = activates_rules
        self._halted_at: PoisonNote | None = None
        self._taker = SnapshotTaker(snapshots, lambda: self.outbox.published_seq, snapshot_maker)
        self._reader: LogReader | None = None
        self._writer: LogWriter | None = None
        self._next_event_offset = 0
        self._turned_at_s = 0.0
        self._timekeeper = Timekeeper(command_log)
        self.role = Role.STARTING
        self.shard = Shard(Engine())
        self.outbox = Outbox(0, 0, self.shard.chain)

    async def start(self) -> None:
        """Recover; without an elector, publish what a crash kept from the event log.

        Raises LogError, ChainError.
        """
        if self._elector is not None:
            await self._elector.observe()
        newest = await self._snapshots.load_newest(Engine())
        if newest is not None:
            self.shard = newest
        published = await newest_event(self._event_log)
        self._next_event_offset = published.next_offset
        if self.shard.engine.seq > published.seq:
            raise ChainError("the snapshot is ahead of the event log: events were lost")
        self.outbox = Outbox(self.shard.engine.seq, published.seq, published.hash)
        if self.shard.engine.seq == published.seq and self.shard.chain != published.hash:
            raise ChainError(f"the snapshot has another hash at seq {published.seq} than the event log")
        self._writer = await self._event_log.writer()
        await refuse_a_gap(self._command_log, self.shard.read_offset)
        # Nobody waits for a standby.
        gather_ms = 0 if self._elector is None else gathering.STANDBY_MS
        self._reader = await self._command_log.reader(self.shard.read_offset, gather_ms)
        await self._heed_poison()
        await self._replay(await self._command_log.end_offset())
        if self.shard.engine.seq < published.seq:
            raise ChainError("the event log is ahead of the command log: commands were lost")
        check_invariants(self.shard.engine)
        self._turned_at_s = time.monotonic()
        self.role = Role.LEADER if self._elector is None else Role.STANDBY

    async def _heed_poison(self) -> None:
        """Halt before a command that has ended the process twice, until the operator's order is there."""
        if self._poison is None:
            return
        self._poison.notes.forget_before(self.shard.next_command_offset)
        for note in self._poison.notes.read():
            if note.times < HALT_AT:
                continue
            self._halted_at = note
            _halted.set(1)
            logger.critical("halted at command %d of record %d: %s", note.index, note.offset, note.reason)
            ordered_ms, offset = None, note.offset + 1
            while ordered_ms is None:
                ordered_ms, offset = await find_skip(
                    self._command_log, self._shard_number, note, self._poison.operator_key, offset
                )
                await asyncio.sleep(_SKIP_POLL_S if ordered_ms is None else 0)
            self.shard.skipped[note.offset, note.index] = ordered_ms
            logger.warning("goes past command %d of record %d as ordered", note.index, note.offset)
            self._halted_at = None
            _halted.set(0)

    async def _replay(self, end: int) -> None:
        """Apply the commands before offset `end`."""
        assert self._reader is not None, "the reader is open"
        first = self.shard.read_offset
        logger.info("replaying command records %d to %d from seq %d", first, end, self.shard.engine.seq)
        replayed = 0
        while self.shard.read_offset < end:
            commands = commands_of(self._apply(await self._reader.read(_REPLAY_TIMEOUT_MS)))
            if self._elector is None:
                await self._publish_pending()
            if (replayed + commands) // _PROGRESS_EVERY_COMMANDS > replayed // _PROGRESS_EVERY_COMMANDS:
                logger.info("replayed up to command record %d of %d", self.shard.next_command_offset, end)
            replayed += commands
            await asyncio.sleep(0)
        logger.info("recovered %d commands, seq %d", replayed, self.shard.engine.seq)
        unread = unregistered(self.shard.engine) if self.shard.engine.markets else ""
        if unread:
            logger.warning("%s", unread)

    async def run(self) -> None:
        """Decide commands until cancelled. A failed publish is raised and ends the process."""
        if self._elector is None:
            await self._lead()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._campaign(self._elector), name="engine: lease")
            group.create_task(self._serve(self._elector), name="engine: commands")

    async def _serve(self, elector: Elector) -> None:
        await self._stand_by(elector)
        await self._take_over()
        await self._lead()

    async def _campaign(self, elector: Elector) -> None:
        """Hold the lease while the loop turns: who hangs must not keep others from leading."""
        while True:
            if time.monotonic() - self._turned_at_s < 2 * _READ_TIMEOUT_MS / 1000 + elector.pause_s:
                await elector.campaign()
            await asyncio.sleep(elector.pause_s)

    async def _stand_by(self, elector: Elector) -> None:
        """Apply what comes and keep it, until the own marker is read from the command log."""
        assert self._reader is not None, "start comes before run"
        watching = asyncio.create_task(self._watch_events(), name="engine: events")
        has_claimed = False
        try:
            while True:
                self._turned_at_s = time.monotonic()
                if elector.is_holding and not has_claimed:
                    await self._claim(elector.holder)
                    has_claimed = True
                if watching.done():
                    watching.result()
                if self.outbox.pending_size_bytes > _PENDING_SIZE_BYTES_MAX and not elector.is_holding:
                    await asyncio.sleep(_STANDBY_READ_TIMEOUT_MS / 1000)
                    continue
                records = await self._reader.read(_STANDBY_READ_TIMEOUT_MS)
                epoch = self.shard.engine.epoch
                self._apply(records)
                leader = self._leader_since(epoch)
                if leader == elector.holder:
                    return
                if leader is not None:
                    has_claimed = False  # Somebody came later; try again while the lease is ours.
                self._taker.when_due(self.shard, self._snapshot_every_commands)
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _claim(self, holder: str) -> None:
        """Append the marker of this engine to the command log."""
        marker = LeaderElected(secrets.randbits(62) | 1, holder, self.shard.engine.epoch + 1)
        writer = await self._command_log.writer()
        try:
            await writer.append(encode_commands([marker, *first_word(self.shard.engine, marker.epoch)]))
        finally:
            await writer.close()
        logger.info("%s claims to lead in epoch %d", holder, marker.epoch)

    async def _watch_events(self) -> None:
        """Compare what the leader publishes with what is computed here, and forget what it has published."""
        reader = await self._event_log.reader(self._next_event_offset, gathering.STANDBY_EVENTS_MS)
        try:
            while True:
                if self.outbox.ahead > _AHEAD_LINKS_MAX:
                    await asyncio.sleep(_STANDBY_READ_TIMEOUT_MS / 1000)
                    continue
                self._see(await reader.read(_READ_TIMEOUT_MS))
        finally:
            await reader.close()

    async def _take_over(self) -> None:
        """Publish from the event log's last seq + 1: whatever the one before did not."""
        async with asyncio.timeout(_CATCH_UP_DEADLINE_S):
            end = await self._event_log.end_offset()
            reader = await self._event_log.reader(self._next_event_offset)
            try:
                while self._next_event_offset < end:
                    self._see(await reader.read(_READ_TIMEOUT_MS))
            finally:
                await reader.close()
        kept = commands_of(self.outbox.pending)
        await self._publish_pending()
        # From now on everybody waits.
        assert self._reader is not None, "start comes before run"
        await self._reader.close()
        self._reader = await self._command_log.reader(self.shard.read_offset)
        logger.info("leads in epoch %d; published %d outcomes of before", self.shard.engine.epoch, kept)
        self.role = Role.LEADER

    async def _lead(self) -> None:
        """Read, apply, publish."""
        assert self._reader is not None, "start comes before run"
        _leading.set(1)
        factor = 1 if self._elector is None else _LEADER_SNAPSHOT_FACTOR
        if self._activates_rules:
            await activate_newest_rules(self._command_log, self.shard.engine.rules_version)
        while True:
            self._turned_at_s = time.monotonic()
            self._timekeeper.look_after(self.shard)
            records = await self._reader.read(_READ_TIMEOUT_MS)
            if not records:
                continue
            started_ns = time.time_ns()
            epoch = self.shard.engine.epoch
            links = self._apply(records)
            if links:
                ids = [link.command_id for link in links]
                self._timekeeper.saw(ids, self.shard.engine.now_ms, started_ns // 1_000_000)
            leader = self._leader_since(epoch)
            if self._elector is not None and leader not in (None, self._elector.holder):
                raise DeposedError(f"{leader} leads in epoch {self.shard.engine.epoch}")
            if self._tracing is None:
                await self._publish_pending()
            else:
                spans = DecisionSpans(self._tracing, records, links, started_ns)
                await self._publish_pending(spans.headers())
                spans.published()
            _commands_per_record.observe(commands_of(links))
            self._taker.when_due(self.shard, factor * self._snapshot_every_commands)

    async def stop(self) -> None:
        """Give the lease back and close both logs."""
        self.role = Role.STOPPING
        _leading.set(0)
        await self._taker.stop()
        await self._timekeeper.close()
        if self._elector is not None:
            await self._elector.resign()
        if self._reader is not None:
            await self._reader.close()
        if self._writer is not None:
            await self._writer.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the engine has recovered. A standby that sees somebody lead is as ready as a leader."""
        if self._halted_at is not None:
            where = f"command {self._halted_at.index} of record {self._halted_at.offset}"
            return {"engine": f"halted at {where}: {self._halted_at.reason}"}
        if self.role is Role.STANDBY and self._elector is not None and not self._elector.sees_leader:
            return {"engine": "takes over" if self._elector.is_holding else "no engine leads"}
        return {"engine": None if self.role in (Role.STANDBY, Role.LEADER) else self.role.value}

    def _apply(self, records: list[LogRecord]) -> list[ChainLink]:
        links: list[ChainLink] = []
        with noting_poison(self._poison):
            for record in records:
                links += self.shard.apply_record(record.offset, record.timestamp_ms, record.value)
        self.outbox.add(links)
        commands = commands_of(links)
        self._taker.decided(commands)
        _commands_total.inc(commands)
        _seq.set(self.shard.engine.seq)
        _epoch.set(self.shard.engine.epoch)
        return links

    def _leader_since(self, epoch: int) -> str | None:
        """The leader that the newest marker names, if one has come since `epoch`."""
        engine = self.shard.engine
        return engine.leader_id if engine.epoch != epoch else None

    def _see(self, records: list[LogRecord]) -> None:
        self._turned_at_s = time.monotonic()
        for record in records:
            self.outbox.saw(read_links(record.value).links)
            self._next_event_offset = record.offset + 1
        _published_seq.set(self.outbox.published_seq)

    async def _publish_pending(self, headers: Headers = ()) -> None:
        """Append the outcomes that the event log does not hold yet. Raises LogError, PoisonError."""
        assert self._writer is not None, "start comes before publishing"
        pending = self.outbox.pending
        while pending:
            chunk = [pending[i] for i in range(min(len(pending), _LINKS_PER_PUBLISH))]
            with noting_poison(self._poison):
                parts = records_of(self._shard_number, self.shard.engine.epoch, chunk)
            for part in parts:
                crash_point("engine.before-publish")
                await (self._writer.append(part, headers) if headers else self._writer.append(part))
                crash_point("engine.after-publish")
            _events_total.inc(chunk[-1].last_seq - self.outbox.published_seq)
            self.outbox.published(chunk)
            self._turned_at_s = time.monotonic()
            _published_seq.set(self.outbox.published_seq)
