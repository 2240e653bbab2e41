"""The engine's one loop: recover, then consume, apply, publish (design decisions 6 and 7).

Start-up and crash recovery are the same code: load a snapshot, apply the commands behind it, and
publish those events that the event log does not hold yet.
"""

import logging
from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from exchange.contracts.codec import (
    RECORD_SIZE_BYTES_MAX,
    CommandOutcome,
    EventBatch,
    decode_events,
    encode_events,
)
from exchange.event_tail import ChainError
from exchange.ports import Log, LogReader, LogRecord, LogWriter
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import check_invariants
from matching_engine.snapshots import FolderSnapshots

__all__ = ["EngineRunner"]

logger = logging.getLogger(__name__)
_READ_TIMEOUT_MS = 1_000
_REPLAY_TIMEOUT_MS = 10_000
_PROGRESS_EVERY_COMMANDS = 100_000

_commands_total = Counter("exchange_engine_commands_total", "Commands that the engine has decided")
_events_total = Counter("exchange_engine_events_total", "Events that the engine has published")
_seq = Gauge("exchange_engine_seq", "Seq of the newest published event")
_commands_per_record = Histogram(
    "exchange_engine_commands_per_gulp", "Commands in one gulp", buckets=(1, 2, 5, 10, 50, 200, 1_000)
)


class EngineRunner:
    """The component that owns the engine."""

    name = "engine"

    def __init__(
        self,
        command_log: Log,
        event_log: Log,
        snapshots: FolderSnapshots,
        *,
        shard_number: int,
        snapshot_every_commands: int,
    ) -> None:
        self._command_log = command_log
        self._event_log = event_log
        self._snapshots = snapshots
        self._shard_number = shard_number
        self._snapshot_every_commands = snapshot_every_commands
        self._commands_since_snapshot = 0
        self._reader: LogReader | None = None
        self._writer: LogWriter | None = None
        self._published_seq = 0
        self._problem: str | None = "starting"
        self.shard = Shard(Engine())

    async def start(self) -> None:
        """Recover, then publish what a crash kept from the event log. Raises LogError, ChainError."""
        newest = await self._snapshots.load_newest(Engine())
        if newest is not None:
            self.shard = newest
        published_seq, published_hash = await self._published_end()
        self._published_seq = published_seq
        self._writer = await self._event_log.writer()
        self._reader = await self._command_log.reader(self.shard.next_command_offset)
        end = await self._command_log.end_offset()
        logger.info(
            "replaying commands %d to %d from seq %d",
            self.shard.next_command_offset,
            end,
            self.shard.engine.seq,
        )
        if self.shard.engine.seq > published_seq:
            raise ChainError("the snapshot is ahead of the event log: events were lost")
        self._check_hash(published_seq, published_hash, self.shard.engine.seq, self.shard.chain)
        replayed = 0
        while self.shard.next_command_offset < end:
            records = await self._reader.read(_REPLAY_TIMEOUT_MS)
            outcomes = self._apply(records)
            for outcome in outcomes:
                for recorded in outcome.events:
                    self._check_hash(published_seq, published_hash, recorded.seq, recorded.hash)
            await self._publish(outcomes)
            if (replayed + len(outcomes)) // _PROGRESS_EVERY_COMMANDS > replayed // _PROGRESS_EVERY_COMMANDS:
                logger.info("replayed up to command record %d of %d", self.shard.next_command_offset, end)
            replayed += len(outcomes)
        if self.shard.engine.seq < published_seq:
            raise ChainError("the event log is ahead of the command log: commands were lost")
        check_invariants(self.shard.engine)
        logger.info("recovered %d commands, seq %d", replayed, self.shard.engine.seq)
        self._problem = None

    async def run(self) -> None:
        """Decide commands until cancelled. A failed publish is raised and ends the process."""
        assert self._reader is not None, "start comes before run"
        while True:
            records = await self._reader.read(_READ_TIMEOUT_MS)
            if not records:
                continue
            outcomes = self._apply(records)
            await self._publish(outcomes)
            _commands_per_record.observe(len(outcomes))
            await self._snapshot_when_due(len(outcomes))

    async def stop(self) -> None:
        """Close both logs."""
        self._problem = "stopping"
        if self._reader is not None:
            await self._reader.close()
        if self._writer is not None:
            await self._writer.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the engine has recovered."""
        return {"engine": self._problem}

    def _apply(self, records: list[LogRecord]) -> list[CommandOutcome]:
        outcomes: list[CommandOutcome] = []
        for record in records:
            outcomes += self.shard.apply_record(record.offset, record.timestamp_ms, record.value)
        _commands_total.inc(len(outcomes))
        return outcomes

    async def _publish(self, outcomes: list[CommandOutcome]) -> None:
        """Append the outcomes that the event log does not hold yet."""
        fresh = [o for o in outcomes if o.events[-1].seq > self._published_seq]
        if not fresh:
            return
        assert self._writer is not None, "start comes before publishing"
        for record in _records_of(self._shard_number, self.shard.engine.epoch, fresh):
            await self._writer.append(record)
        newest = fresh[-1].events[-1].seq
        _events_total.inc(newest - self._published_seq)
        self._published_seq = newest
        _seq.set(newest)

    async def _published_end(self) -> tuple[int, bytes]:
        """Seq and hash of the newest published event; zeros for an empty log."""
        last = await self._event_log.last()
        if last is None:
            return 0, Shard(Engine()).chain
        newest = decode_events(last.value).outcomes[-1].events[-1]
        return newest.seq, newest.hash

    async def _snapshot_when_due(self, commands: int) -> None:
        self._commands_since_snapshot += commands
        if self._commands_since_snapshot >= self._snapshot_every_commands:
            self._commands_since_snapshot = 0
            path = await self._snapshots.save(self.shard)
            logger.info("wrote %s", path.name)

    @staticmethod
    def _check_hash(published_seq: int, published_hash: bytes, seq: int, digest: bytes) -> None:
        if seq == published_seq and digest != published_hash:
            raise ChainError(f"replay gives another hash at seq {seq} than the event log holds")


def _records_of(shard: int, epoch: int, outcomes: list[CommandOutcome]) -> list[bytes]:
    """Pack outcomes into as few records as the size limit allows."""
    record = encode_events(EventBatch(shard, epoch, tuple(outcomes)))
    if len(record) <= RECORD_SIZE_BYTES_MAX or len(outcomes) == 1:
        return [record]
    middle = len(outcomes) // 2
    return _records_of(shard, epoch, outcomes[:middle]) + _records_of(shard, epoch, outcomes[middle:])
