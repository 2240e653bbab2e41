"""The auditor: follows the event log, checks every outcome, compares the stores, is red after a breach."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg
import msgspec
from prometheus_client import Counter, Gauge
from tenacity import stop_after_delay

from exchange.contracts.audit_keys import (
    AUDITING,
    HEARTBEAT_AGE_S_MAX,
    HEARTBEAT_KEY,
    RED,
    REPLAYING,
    Heartbeat,
)
from exchange.contracts.codec import decode_events
from exchange.ports.world import LogError, ObjectStore, ObjectStoreError
from exchange.process.components import Resources
from exchange.process.connections import CACHE_ERRORS, CONNECTION_ERRORS
from exchange.process.patience import Patience
from exchange.wall_clock import clock_ms
from services.auditor.alarm.red import Alarm
from services.auditor.audit.recount import recount
from services.auditor.audit.state import AuditState, Breach
from services.auditor.checkpoints import Checkpoints
from services.auditor.comparison.book import BookComparison
from services.auditor.comparison.ledger import LedgerComparison
from services.auditor.follower import Follower, NotReachedError
from services.auditor.lag import Lag

__all__ = ["Auditor"]

logger = logging.getLogger(__name__)

READ_TIMEOUT_MS: Final = 500
# Nobody waits for the auditor: outcomes come cheaper in larger gulps.
CHECKPOINT_EVERY_OUTCOMES: Final = 50_000
PROGRESS_EVERY_S: Final = 5.0
HEARTBEAT_EVERY_S: Final = 5.0
# A loop that has not come round for so long gets no heartbeat: it does not audit.
STUCK_S: Final = 30.0
COMPARE_EVERY_S: Final = 10.0
# While stores are compared nothing is audited: what takes long is followed by so many times its length. What
# did not come to its end is tried again sooner, however long it waited for a store that was away.
COMPARE_LONG_S: Final = 0.5
COMPARE_PAUSES: Final = 20
# Withdrawals wait for a comparison that is not too old (COMPARED_AGE_MS_MAX): no pause is longer.
COMPARE_PAUSE_S_MAX: Final = 120.0
# So long beyond the pause between two comparisons may a store be behind, or away, before /readyz says so.
COMPARED_AGE_S_MAX: Final = 60.0
LAG_EVERY_S: Final = 10.0
END_EVERY_S: Final = 2.0
RETRY_S_MAX: Final = 60.0
_STORE_ERRORS: Final[tuple[type[BaseException], ...]] = (
    *CONNECTION_ERRORS,
    *CACHE_ERRORS,
    asyncpg.PostgresError,
    NotReachedError,
)
_RETRYABLE: Final[tuple[type[BaseException], ...]] = (*_STORE_ERRORS, LogError, ObjectStoreError)

_last_seq = Gauge("exchange_auditor_last_seq", "Seq of the last event audited.")
_outcomes_total = Counter("exchange_auditor_outcomes_total", "Outcomes audited.")
_lag_seq = Gauge("exchange_auditor_lag_seq", "Events on the log that are not audited yet.")
_comparisons_total = Counter(
    "exchange_auditor_comparisons_total",
    "Comparisons of a store with the events at one seq: equal, different, behind or failed.",
    ["store", "result"],
)
_checkpoints_total = Counter("exchange_auditor_checkpoints_total", "Checkpoints written.")
_failures_total = Counter("exchange_auditor_failures_total", "Failures after which the auditor resumed.")


class Auditor:
    """Component that reads the event log alone and trusts nobody.

    Ends with the last LogError after RETRY_S_MAX of trying. After a breach it audits no more, but lives
    on and stays red.
    """

    name = "auditor"

    def __init__(
        self, resources: Resources, store: ObjectStore, *, compare_every_s: float = COMPARE_EVERY_S
    ) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._compare_every_s = compare_every_s
        self._checkpoints = Checkpoints(store, resources.settings.shard)
        self.alarm = Alarm(resources)
        self._follower = Follower(
            resources.event_log, AuditState(), next_offset=0, deadline_ms=resources.settings.log_deadline_ms
        )
        self._comparisons = (
            LedgerComparison(
                resources.database,
                resources.settings.shard,
                resources.settings.database_deadline_ms,
                self._follower,
            ),
            BookComparison(resources.cache, self._follower),
        )
        # When a store was compared last, or else when this life began.
        self._compared_at: dict[str, float] = {}
        # When it was last equal.
        self._agreed_at: dict[str, float] = {}
        self._lag = Lag(0.0)
        self._compare_at = 0.0
        self._compare_pause_s = compare_every_s
        self._replay_end_offset: int | None = None
        self._checkpoint_outcomes = 0
        self._counted_outcomes = 0
        self._progress_at = 0.0
        self._round_at = 0.0
        self._patience = Patience(
            self.name, _RETRYABLE, _failures_total, give_up=stop_after_delay(RETRY_S_MAX)
        )
        self._store_problems: dict[str, str] = {}

    @property
    def state(self) -> AuditState:
        """What the events give so far."""
        return self._follower.state

    async def start(self) -> None:
        """Take the newest checkpoint and look whether an earlier life was red. Bounded tries, then raises."""
        async for attempt in self._patience.attempts():
            with attempt:
                state, next_offset = await self._checkpoints.load()
                await self.alarm.start()
                self._replay_end_offset = await self._resources.event_log.end_offset()
        self._follower.go_on_from(state, next_offset)
        self._patience.problem = "replaying"
        now = asyncio.get_running_loop().time()
        self._lag = Lag(now)
        self._round_at = now
        self._compared_at = dict.fromkeys((c.store for c in self._comparisons), now)
        logger.info("auditing from seq %d, record %d of %d", state.seq, next_offset, self._replay_end_offset)

    async def run(self) -> None:
        """Audit until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._audit(), name="auditor-audit")
            group.create_task(self.alarm.run(), name="auditor-alarm")
            group.create_task(self._beat(), name="auditor-heartbeat")
            group.create_task(self._watch_end(), name="auditor-log-end")
            group.create_task(self._watch_lag(), name="auditor-lag")

    async def stop(self) -> None:
        """Keep what was audited, and close the reader."""
        self._patience.problem = "stopped"
        if self.alarm.breach is None and self._follower.is_between and self._checkpoint_outcomes:
            await self._save_checkpoint()
        await self._follower.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Red, replaying, or in order; and whether the stores could be compared lately."""
        breach = self.alarm.breach
        red = breach and f"RED: {breach.invariant} at seq {breach.seq}: {breach.detail}"
        now = asyncio.get_running_loop().time()
        stale = {
            f"{self.name}_{store}": f"not compared for {now - at:.0f} s: {self._store_problems.get(store)}"
            if self._patience.problem is None and now - at > COMPARED_AGE_S_MAX + self._compare_pause_s
            else None
            for store, at in self._compared_at.items()
        }
        return {self.name: red or self._patience.problem, **({} if red else stale)}

    # -- the loop -------------------------------------------------------------------------------

    async def _audit(self) -> None:
        loop = asyncio.get_running_loop()
        while self.alarm.breach is None:
            breaches: Sequence[Breach] = ()
            async for attempt in self._patience.attempts():
                with attempt:
                    try:
                        await self._follower.open()
                        breaches = await self._follower.advance(READ_TIMEOUT_MS)
                    except _RETRYABLE:
                        await self._follower.close()
                        raise
            self._note_round(loop.time())
            if not breaches and self._follower.is_between:
                breaches = await self._between_gulps(loop.time())
            if breaches:
                self._note_round(loop.time())
                self.alarm.sound(breaches)
            # The reader gathers; a replay takes no pauses, but lets others run.
            await asyncio.sleep(0)
        await asyncio.Event().wait()

    async def _between_gulps(self, now: float) -> Sequence[Breach]:
        """What is due when everything that was read has been audited."""
        if self._patience.problem is not None:
            self._note_progress(now)
        if self._checkpoint_outcomes >= CHECKPOINT_EVERY_OUTCOMES:
            breaches = recount(self.state)
            if breaches:
                return breaches
            await self._save_checkpoint()
        if self._patience.problem is None and now >= self._compare_at:
            breaches = [b for comparison in self._comparisons for b in await self._compare(comparison)]
            took_s = asyncio.get_running_loop().time() - now
            if all(at >= now for at in self._compared_at.values()):
                pause_s = (
                    min(COMPARE_PAUSES * took_s, COMPARE_PAUSE_S_MAX) if took_s > COMPARE_LONG_S else 0.0
                )
                self._compare_pause_s = max(self._compare_every_s, pause_s)
                self._compare_at = now + self._compare_pause_s
            else:
                self._compare_at = now + took_s + self._compare_every_s
            return breaches
        return ()

    def _note_round(self, now: float) -> None:
        fresh = self._follower.outcomes - self._counted_outcomes
        self._counted_outcomes += fresh
        self._checkpoint_outcomes += fresh
        self._round_at = now
        if self._follower.is_between:
            self._lag.audited(self._follower.next_offset)
        _outcomes_total.inc(fresh)
        _last_seq.set(self.state.seq)

    def _note_progress(self, now: float) -> None:
        """Tell how far a replay is, and when it is over."""
        end = self._replay_end_offset or 0
        if self._follower.next_offset >= end:
            self._patience.worked()
            logger.info("replayed up to seq %d", self.state.seq)
            return
        where = f"seq {self.state.seq}, record {self._follower.next_offset} of {end}"
        self._patience.problem = f"replaying: {where}"
        if now >= self._progress_at:
            self._progress_at = now + PROGRESS_EVERY_S
            logger.info("replaying: %s", where)

    async def _save_checkpoint(self) -> None:
        """A store that is full or away costs a longer replay, nothing else."""
        self._checkpoint_outcomes = 0
        try:
            await self._checkpoints.save(self.state, self._follower.next_offset)
            _checkpoints_total.inc()
        except ObjectStoreError as error:
            logger.error("no checkpoint at seq %d: %s", self.state.seq, error)

    async def _compare(self, comparison: LedgerComparison | BookComparison) -> Sequence[Breach]:
        """One store, if it can be reached and is not behind."""
        store, result = comparison.store, "equal"
        breaches: Sequence[Breach] = ()
        try:
            breaches = await comparison.compare()
        except LogError as error:
            # The reader may be gone: the loop opens it again, at the place where it was.
            await self._follower.close()
            result, self._store_problems[store] = "failed", f"{type(error).__name__}: {error}"
        except _STORE_ERRORS as error:
            result = "behind" if isinstance(error, NotReachedError) else "failed"
            self._store_problems[store] = f"{type(error).__name__}: {error}"
            logger.info("%s was not compared: %s", store, self._store_problems[store])
        else:
            self._compared_at[store] = asyncio.get_running_loop().time()
            if not breaches:
                self._agreed_at[store] = self._compared_at[store]
            result = "different" if breaches else "equal"
        _comparisons_total.labels(store, result).inc()
        return breaches

    # -- beside it ------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Tell Redis how far the audit is, for as long as the loop comes round, or is red."""
        while True:
            is_red = self.alarm.breach is not None
            if is_red or asyncio.get_running_loop().time() - self._round_at < STUCK_S:
                value = msgspec.json.encode(self._heartbeat())
                try:
                    await self._resources.cache.set(HEARTBEAT_KEY, value, ex=HEARTBEAT_AGE_S_MAX)
                except CACHE_ERRORS as error:
                    logger.warning("no heartbeat: %r", error)
            await asyncio.sleep(HEARTBEAT_EVERY_S)

    def _heartbeat(self) -> Heartbeat:
        now, is_red = asyncio.get_running_loop().time(), self.alarm.breach is not None
        oldest = min(self._agreed_at.get(comparison.store, -1.0) for comparison in self._comparisons)
        return Heartbeat(
            self.state.seq,
            clock_ms(),
            RED if is_red else REPLAYING if self._patience.problem else AUDITING,
            self._lag.milliseconds(now),
            self._lag.records(self._follower.next_offset),
            None if oldest < 0 else round((now - oldest) * 1000),
        )

    async def _watch_end(self) -> None:
        """Look where the log ends. While nobody can, the lag grows."""
        loop = asyncio.get_running_loop()
        while True:
            looked_at = loop.time()
            try:
                async with asyncio.timeout(self._settings.log_deadline_ms / 1000):
                    self._lag.log_ends(looked_at, await self._resources.event_log.end_offset())
            except (LogError, OSError, TimeoutError) as error:
                logger.warning("the log's end is not known: %r", error)
            await asyncio.sleep(END_EVERY_S)

    async def _watch_lag(self) -> None:
        while True:
            await asyncio.sleep(LAG_EVERY_S)
            try:
                async with asyncio.timeout(self._settings.log_deadline_ms / 1000):
                    newest = await self._resources.event_log.last()
                last_seq = decode_events(newest.value).outcomes[-1].events[-1].seq if newest else 0
            except (LogError, OSError, TimeoutError, ValueError, IndexError) as error:
                logger.warning("the lag is not known: %r", error)
                continue
            _lag_seq.set(max(0, last_seq - self.state.seq))
