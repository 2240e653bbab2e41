"""The watch over the events: raises alarms of what is unusual, in a log line, a metric and the table.

It begins where the log ends, learns anew after each start, and knows what was open before.
"""

import asyncio
import logging
from collections import Counter as CountOf
from collections.abc import Callable, Mapping
from typing import Final

import asyncpg
from prometheus_client import Counter, Gauge

from exchange.contracts.anomaly_kinds import (
    ACCOUNT_BURST,
    CANCEL_RATIO,
    KINDS,
    LATENCY,
    ORDER_RATE,
    PRICE_JUMP,
    kinds_that_act,
)
from exchange.contracts.codec import CodecError
from exchange.contracts.limits import ANOMALY_ACTS_WITHIN_MS
from exchange.log import gathering
from exchange.log.event_tail import ChainError, EventTail, newest_event
from exchange.log.held_reader import HeldReader
from exchange.log.portions import portions
from exchange.ports.world import LogError
from exchange.process.components import Resources
from exchange.process.config import Settings
from exchange.process.connections import CONNECTION_ERRORS
from exchange.process.patience import Patience
from exchange.wall_clock import clock_ms
from services.anomalies.store import AnomalyStore
from services.anomalies.watch import AnomalyWatch, Change

__all__ = ["AnomalyWatcher"]

logger = logging.getLogger(__name__)

READ_TIMEOUT_MS: Final = 500
# What is wrong with the log is the auditor's to say: the watch goes on where the log ends.
_LOG_ERRORS: Final[tuple[type[BaseException], ...]] = (LogError, ChainError, CodecError)
_RETRYABLE: Final[tuple[type[BaseException], ...]] = (
    *_LOG_ERRORS,
    *CONNECTION_ERRORS,
    asyncpg.PostgresError,
)

_open = Gauge("exchange_anomalies_open", "Anomalies that are not over.", ["kind"])
_raised_total = Counter("exchange_anomalies_raised_total", "Anomalies found.", ["kind"])
_failures_total = Counter("exchange_anomalies_failures_total", "Failures after which the watch went on.")


class AnomalyWatcher:
    """Component that follows the event log with nobody waiting for it. Ends with nothing but cancellation."""

    name = "anomalies"

    def __init__(self, resources: Resources, clock_ms: Callable[[], int] = clock_ms) -> None:
        settings = resources.settings
        self._log = resources.event_log
        self._clock_ms = clock_ms
        self._store = AnomalyStore(resources)
        self._acting = kinds_that_act(settings.anomaly_action)
        self._hard = _hard_limits(settings)
        self.watch = AnomalyWatch(self._hard)
        # Found, and not in the table yet; whether they ask for cancel-only was decided when they were found.
        self._unwritten: list[tuple[Change, bool]] = []
        self._reader = HeldReader(self.name, self._log, settings.log_deadline_ms, gathering.ANOMALIES_MS)
        self._deadline_s = settings.log_deadline_ms / 1000
        self._tail: EventTail | None = None
        self._patience = Patience(self.name, _RETRYABLE, _failures_total)
        for kind in KINDS:
            _open.labels(kind).set(0)
            _raised_total.labels(kind)

    async def start(self) -> None:
        """Nothing that others would have to wait for."""

    async def run(self) -> None:
        """Watch until cancelled."""
        async for attempt in self._patience.attempts():
            with attempt:
                self.watch = AnomalyWatch(self._hard, await self._store.open_alarms())
        self._tell_open()
        while True:
            async for attempt in self._patience.attempts():
                with attempt:
                    await self._advance()
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Let go of the log."""
        self._patience.problem = "stopped"
        self._tail = None
        await self._reader.close()

    def readiness(self) -> Mapping[str, str | None]:
        """Never in the way of trading: metrics and lines of the log tell of a watch that cannot see."""
        return {}

    async def _advance(self) -> None:
        """One gulp: what it says stands in the table before the next."""
        if self._unwritten:
            await self._write()
        if self._tail is None:
            await self._open_log()
        assert self._tail is not None
        try:
            outcomes = await self._tail.read(READ_TIMEOUT_MS)
        except _LOG_ERRORS:
            self._tail = None
            raise
        self._patience.worked()
        seen_ms = self._clock_ms()
        for part in portions(outcomes):
            is_last = part[-1] is outcomes[-1]
            for change in self.watch.fold(part, seen_ms if is_last else None):
                self._note(change, seen_ms)
            await asyncio.sleep(0)
        if self._unwritten:
            await self._write()

    async def _open_log(self) -> None:
        async with asyncio.timeout(self._deadline_s):
            position = await newest_event(self._log)
        await self._reader.open(position.next_offset)
        self._tail = EventTail(self._reader, position)

    def _note(self, change: Change, seen_ms: int) -> None:
        """Say it. Only what has happened just now asks for anything: not what is caught up with."""
        alarm, cleared_ms = change
        is_live = seen_ms - alarm.raised_ms <= ANOMALY_ACTS_WITHIN_MS
        asks = cleared_ms is None and alarm.kind in self._acting and is_live
        self._unwritten.append((change, asks))
        whose = KINDS[alarm.kind].subject
        number = f" {alarm.market_id or alarm.user_id}" if alarm.market_id or alarm.user_id else ""
        if cleared_ms is None:
            _raised_total.labels(alarm.kind).inc()
            said = f"{alarm.value} {KINDS[alarm.kind].unit}, usual are at most {alarm.limit}"
            logger.warning("unusual: %s of %s%s: %s", alarm.kind, whose, number, said)
        else:
            logger.info("usual again: %s of %s%s", alarm.kind, whose, number)
        self._tell_open()

    def _tell_open(self) -> None:
        counts = CountOf(alarm.kind for alarm in self.watch.open)
        for kind in KINDS:
            _open.labels(kind).set(counts[kind])

    async def _write(self) -> None:
        await self._store.write(self._unwritten)
        self._unwritten.clear()


def _hard_limits(settings: Settings) -> dict[str, int]:
    """Kind -> what is always unusual."""
    return {
        ORDER_RATE: settings.anomaly_orders_max,
        CANCEL_RATIO: settings.anomaly_cancels_permille_max,
        PRICE_JUMP: settings.anomaly_jump_bips_max,
        ACCOUNT_BURST: settings.anomaly_account_commands_max,
        LATENCY: settings.anomaly_latency_ms_max,
    }
