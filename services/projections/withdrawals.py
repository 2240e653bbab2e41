"""Settling withdrawals: only what the ledger has reserved, the auditor has seen and nobody froze may leave.

In this mode the transfer itself succeeds at once. Settling is safe to repeat, because the engine refuses
a withdrawal that it does not hold any more; the ledger's row tells whether it worked.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import Counter, Gauge
from tenacity import stop_after_attempt, stop_after_delay

from exchange.contracts.codes import REJECT_UNKNOWN_WITHDRAWAL
from exchange.contracts.commands import SettleWithdrawal
from exchange.contracts.events import CommandRejected
from exchange.log import gathering
from exchange.log.event_tail import EventTail
from exchange.log.gateway import (
    CommandGateway,
    GatewayOverloadedError,
    GatewayUnavailableError,
    OutcomeUnknownError,
)
from exchange.ports.world import LogReader, LogWriter
from exchange.process.components import Resources
from exchange.process.connections import CONNECTION_ERRORS, acquire
from exchange.process.patience import Patience
from exchange.security.withdrawal_stop import CAUSES, Stop, WithdrawalStop
from exchange.wall_clock import clock_ms
from services.projections.ledger.store import LedgerError, read_position
from services.projections.retries import RETRY_S_MAX

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Any]

__all__ = ["WithdrawalSettler"]

logger = logging.getLogger(__name__)

POLL_INTERVAL_S: Final = 0.25
PAGE_MAX: Final = 100
READ_TIMEOUT_MS: Final = 500
FAILURES_MAX: Final = 20

_settled_total = Counter(
    "exchange_withdrawals_settled_total", "Withdrawals whose settlement was sent and decided."
)
_failures_total = Counter(
    "exchange_withdrawals_failures_total", "Settling rounds that failed and are repeated."
)
_stopped = Gauge(
    "exchange_withdrawals_stopped",
    "1 while nothing is settled, for this reason of the auditor's.",
    ["reason"],
)

# The auditor's word is about events: the reservation's own must be among those that it has seen ($3; NULL
# where no auditor is required). A row without its event's seq was written by an older release.
_RESERVED: Final = """
SELECT withdrawal_id, user_id FROM withdrawals AS w
WHERE status = 'RESERVED' AND withdrawal_id <> ALL($1::bigint[])
  AND ($3::bigint IS NULL OR $3 >= coalesce(reserved_seq, (
    SELECT e.seq FROM ledger_entries AS e
    WHERE e.user_id = w.user_id AND e.asset_id = w.asset_id AND e.kind = 'WITHDRAWAL_RESERVE'
      AND e.reference = 'withdrawal:' || w.withdrawal_id LIMIT 1)))
  AND NOT EXISTS (SELECT 1 FROM withdrawal_freezes AS f
    WHERE f.user_id = w.user_id AND (f.ends_ms IS NULL OR f.ends_ms > $4))
  AND ($5::bigint[] IS NULL OR w.user_id = ANY($5))
ORDER BY withdrawal_id LIMIT $2
"""
# Whoever freezes an account locks its row. Settlers do not wait for each other.
_HOLD_ACCOUNTS: Final = """
SELECT 1 FROM users WHERE user_id = ANY($1::bigint[]) ORDER BY user_id FOR SHARE
"""

# Nothing was sent, or its fate is unknown: both may be tried again, as settling twice does no harm.
_RETRYABLE: Final[tuple[type[BaseException], ...]] = (
    *CONNECTION_ERRORS,
    GatewayOverloadedError,
    GatewayUnavailableError,
    OutcomeUnknownError,
)


class WithdrawalSettler:
    """Component that sends SettleWithdrawal for every withdrawal the ledger holds as RESERVED.

    Without a `gateway` it opens one of its own with its own tail of the event log; a given one is run
    and resolved by its owner. Raises the last error after FAILURES_MAX failed rounds in a row that took
    RETRY_S_MAX at the least.
    """

    name = "withdrawals"

    def __init__(self, resources: Resources, gateway: CommandGateway | None = None) -> None:
        self._settings = resources.settings
        self._command_log = resources.command_log
        self._event_log = resources.event_log
        self._database = resources.database
        self._gateway = gateway
        self._stop = WithdrawalStop(
            resources.cache,
            auditor_required=resources.settings.auditor_required,
            deadline_ms=resources.settings.cache_deadline_ms,
        )
        self._writer: LogWriter | None = None
        self._reader: LogReader | None = None
        self._tail: EventTail | None = None
        # Decided by the engine, but the ledger may not show it yet.
        self._decided: set[int] = set()
        self._patience = Patience(
            self.name,
            _RETRYABLE,
            _failures_total,
            give_up=stop_after_attempt(FAILURES_MAX) & stop_after_delay(RETRY_S_MAX),
        )
        self._stopped: Stop | None = None

    async def start(self) -> None:
        """Open the gateway, unless one was given."""
        if self._gateway is None:
            async with acquire(self._database, self._settings.database_deadline_ms) as connection:
                position = await read_position(connection, self._settings.shard)
            self._reader = await self._event_log.reader(position.next_offset, gathering.WITHDRAWALS_MS)
            self._tail = EventTail(self._reader, position)
            self._writer = await self._command_log.writer()
            self._gateway = CommandGateway(
                self._writer,
                tick_ms=self._settings.command_tick_ms,
                deadline_ms=self._settings.command_deadline_ms,
                sender=self.name,
            )
        self._patience.worked()

    async def run(self) -> None:
        """Settle until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._tail is not None and self._gateway is not None:
                group.create_task(self._gateway.run(), name="withdrawals-gateway")
                group.create_task(self._resolve(self._tail, self._gateway), name="withdrawals-outcomes")
            group.create_task(self._settle_forever(), name="withdrawals-settle")

    async def stop(self) -> None:
        """Close what start opened."""
        self._patience.problem = "stopped"
        deadline_s = self._settings.log_deadline_ms / 1000
        for part in (self._writer, self._reader):
            if part is not None:
                async with asyncio.timeout(deadline_s):
                    await part.close()
        self._writer = self._reader = self._tail = None

    def readiness(self) -> Mapping[str, str | None]:
        """Whether the last round worked. A stop of all withdrawals is no fault of this part."""
        return {self.name: self._patience.problem}

    async def _resolve(self, tail: EventTail, gateway: CommandGateway) -> None:
        while True:
            gateway.resolve(await tail.read(READ_TIMEOUT_MS))

    async def _settle_forever(self) -> None:
        while True:
            async for attempt in self._patience.attempts():
                with attempt:
                    await self._settle_round()
                    self._patience.worked()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _settle_round(self) -> None:
        """One page of reservations that the ledger has and nobody settled, all at once.

        While withdrawals are stopped, what was reserved before stays reserved; so does what an account has
        reserved whose withdrawals are frozen.
        """
        stop, audited_seq = await self._stop.verdict()
        self._note_stop(stop)
        if stop is not None:
            return
        async with acquire(self._database, self._settings.database_deadline_ms) as connection:
            still_reserved = await connection.fetch(
                "SELECT withdrawal_id FROM withdrawals WHERE withdrawal_id = ANY($1::bigint[]) "
                "AND status = 'RESERVED'",
                list(self._decided),
            )
            self._decided = {row["withdrawal_id"] for row in still_reserved}
            if not await self._payable(connection, audited_seq, None):
                return
            async with connection.transaction():
                await self._settle_page(connection, audited_seq)

    async def _settle_page(self, connection: "Connection", audited_seq: int | None) -> None:
        """Pay what may be paid while its accounts' rows are held.

        So a freeze comes before all of this, and is seen, or waits for it: once it is confirmed, nothing
        leaves any more but what the engine was sent before and did not decide within the deadline.
        """
        asked = await self._payable(connection, audited_seq, None)
        user_ids = sorted({row["user_id"] for row in asked})
        await connection.execute(_HOLD_ACCOUNTS, user_ids)
        rows = await self._payable(connection, audited_seq, user_ids)
        results = await asyncio.gather(
            *(self._settle(row["withdrawal_id"]) for row in rows), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _payable(
        self, connection: "Connection", audited_seq: int | None, user_ids: list[int] | None
    ) -> "list[asyncpg.Record]":
        """A page of what may be paid now: withdrawal_id, user_id. `user_ids`: of these accounts alone."""
        now_ms = clock_ms()
        decided = list(self._decided)
        return await connection.fetch(_RESERVED, decided, PAGE_MAX, audited_seq, now_ms, user_ids)

    def _note_stop(self, stop: Stop | None) -> None:
        for cause in CAUSES:
            _stopped.labels(cause).set(stop is not None and cause == stop.cause)
        if stop != self._stopped:
            logger.warning("withdrawals are %s", f"stopped: {stop.reason}" if stop else "settled again")
            self._stopped = stop

    async def _settle(self, withdrawal_id: int) -> None:
        """Make the transfer (here: nothing to do) and tell the engine. Raises the gateway's errors."""
        gateway = self._gateway
        assert gateway is not None
        outcome = await gateway.submit(SettleWithdrawal(gateway.new_command_id(), withdrawal_id))
        event = outcome.events[0].event
        if isinstance(event, CommandRejected) and event.reason != REJECT_UNKNOWN_WITHDRAWAL:
            raise LedgerError(f"withdrawal {withdrawal_id} was refused for reason {event.reason}")
        # A refusal as unknown is a repeat: it was settled before, and the ledger will show it.
        self._decided.add(withdrawal_id)
        _settled_total.inc()
