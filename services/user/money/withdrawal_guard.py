"""What a withdrawal must pass before the engine hears of it: the stop, a freeze, the address, the limits.

The verdict and its line in the audit log are one transaction; the user's row is locked for it, so that
requests at the same moment count one after the other, on whichever replica. Within a process they queue
before they take a connection: one user's flood must not take all of them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.security import audit_log
from exchange.security.audit_log import Act
from exchange.security.withdrawal_stop import WithdrawalStop
from services.user.money.withdrawal_limits import WINDOW_MS, WithdrawalLimits
from services.user.tables.database import Database, DatabaseUnavailableError
from services.user.tables.freezes import is_frozen
from services.user.tables.ledger import Asset

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

__all__ = [
    "AddressNotListedError",
    "AddressNotUsableYetError",
    "WithdrawalGuard",
    "WithdrawalLimitError",
    "WithdrawalRequest",
    "WithdrawalsFrozenError",
    "WithdrawalsStoppedError",
]


_QUEUES: Final = 64


class WithdrawalsStoppedError(Exception):
    """No money may leave at the moment; the text says why."""


class WithdrawalsFrozenError(Exception):
    """The owner or an operator has frozen what leaves this account."""


class AddressNotListedError(Exception):
    """The address is not on its user's list for this asset."""


class AddressNotUsableYetError(Exception):
    """The address was listed too short a while ago: usable from `usable_ms` on."""

    def __init__(self, usable_ms: int) -> None:
        super().__init__(f"usable from {usable_ms}")
        self.usable_ms = usable_ms


class WithdrawalLimitError(Exception):
    """As much or as many as may leave within 24 hours; the text says which."""


class WithdrawalRequest(NamedTuple):
    """What somebody asks for."""

    withdrawal_id: int
    user_id: int
    asset: Asset
    amount_atoms: int
    address: str
    ip: str


class WithdrawalGuard:
    """Lets requests through, or not. Raises DatabaseUnavailableError."""

    def __init__(
        self,
        database: Database,
        stop: WithdrawalStop,
        limits: WithdrawalLimits,
        *,
        needs_listed_address: bool,
        wait_deadline_ms: int,
        clock_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._stop = stop
        self._limits = limits
        self._needs_listed_address = needs_listed_address
        self._wait_deadline_s = wait_deadline_ms / 1000
        self._clock_ms = clock_ms
        self._queues = [asyncio.Lock() for _ in range(_QUEUES)]

    @asynccontextmanager
    async def _turn(self, user_id: int) -> "AsyncIterator[PoolConnectionProxy[asyncpg.Record]]":
        """A transaction of this user's own. Raises DatabaseUnavailableError when his turn does not come."""
        queue = self._queues[user_id % _QUEUES]
        try:
            async with asyncio.timeout(self._wait_deadline_s):
                await queue.acquire()
        except TimeoutError:
            raise DatabaseUnavailableError("too many withdrawals are waiting") from None
        try:
            async with self._database.transaction() as connection:
                yield connection
        finally:
            queue.release()

    async def admit(self, request: WithdrawalRequest) -> None:
        """Return when the request may go to the engine, and count it from now on.

        Raises WithdrawalsStoppedError, AddressNotListedError, AddressNotUsableYetError,
        WithdrawalLimitError; then it counts for nothing.
        """
        now_ms = self._clock_ms()
        stopped = await self._stop.reason()
        async with self._turn(request.user_id) as connection:
            await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", request.user_id)
            refusal: Exception | None = None if stopped is None else WithdrawalsStoppedError(stopped)
            if refusal is None and await is_frozen(connection, request.user_id, now_ms):
                refusal = WithdrawalsFrozenError()
            refusal = refusal or await self._refusal_of_address(connection, request, now_ms)
            refusal = refusal or await self._refusal_of_limits(connection, request, now_ms)
            if refusal is None:
                await connection.execute(
                    "INSERT INTO withdrawal_requests "
                    "(withdrawal_id, user_id, asset_id, amount_atoms, time_ms) VALUES ($1, $2, $3, $4, $5)",
                    *(request.withdrawal_id, request.user_id, request.asset.asset_id),
                    *(request.amount_atoms, now_ms),
                )
            await audit_log.append(connection, _act(request, now_ms, refusal))
        if refusal is not None:
            raise refusal

    async def take_back(self, request: WithdrawalRequest, why: Exception) -> None:
        """The engine refused an admitted request, or never got it: it does not count any more."""
        now_ms = self._clock_ms()
        async with self._turn(request.user_id) as connection:
            await connection.execute(
                "UPDATE withdrawal_requests SET refused = true WHERE withdrawal_id = $1",
                request.withdrawal_id,
            )
            await audit_log.append(connection, _act(request, now_ms, why))

    async def cancelled(self, request: WithdrawalRequest) -> None:
        """Its owner took it back before it was paid: it does not count any more."""
        now_ms = self._clock_ms()
        async with self._turn(request.user_id) as connection:
            await connection.execute(
                "UPDATE withdrawal_requests SET refused = true WHERE withdrawal_id = $1",
                request.withdrawal_id,
            )
            act = _act(request, now_ms, None)._replace(act="withdrawal-cancelled")
            await audit_log.append(connection, act)

    async def _refusal_of_address(
        self,
        connection: "PoolConnectionProxy[asyncpg.Record]",
        request: WithdrawalRequest,
        now_ms: int,
    ) -> Exception | None:
        if not self._needs_listed_address:
            return None
        usable_ms = await connection.fetchval(
            "SELECT usable_ms FROM withdrawal_addresses "
            "WHERE user_id = $1 AND asset_id = $2 AND address = $3 AND removed_ms IS NULL",
            *(request.user_id, request.asset.asset_id, request.address),
        )
        if usable_ms is None:
            return AddressNotListedError()
        return AddressNotUsableYetError(usable_ms) if now_ms < usable_ms else None

    async def _refusal_of_limits(
        self,
        connection: "PoolConnectionProxy[asyncpg.Record]",
        request: WithdrawalRequest,
        now_ms: int,
    ) -> Exception | None:
        asset = request.asset
        row = await connection.fetchrow(
            "SELECT count(*) AS count, coalesce(sum(amount_atoms), 0)::text AS amount_atoms "
            "FROM withdrawal_requests "
            "WHERE user_id = $1 AND asset_id = $2 AND time_ms > $3 AND NOT refused",
            *(request.user_id, asset.asset_id, now_ms - WINDOW_MS),
        )
        assert row is not None, "an aggregate has one row"
        if row["count"] >= self._limits.count_max:
            return WithdrawalLimitError(f"at most {self._limits.count_max} of {asset.code} in 24 hours")
        # The sum of bigints is a numeric, which asyncpg gives as a Decimal: text is as exact, and plain.
        amount_atoms = int(row["amount_atoms"]) + request.amount_atoms
        if amount_atoms > self._limits.amount_atoms_max(asset.code, asset.decimals):
            units_max = self._limits.amount_atoms_max(asset.code, 0)
            return WithdrawalLimitError(f"at most {units_max} {asset.code} in 24 hours")
        return None


def _act(request: WithdrawalRequest, now_ms: int, refusal: Exception | None) -> Act:
    detail: dict[str, object] = {
        "withdrawal_id": request.withdrawal_id,
        "asset": request.asset.code,
        "amount_atoms": request.amount_atoms,
        "address": request.address,
    }
    if refusal is not None:
        detail["reason"] = f"{type(refusal).__name__}: {refusal}"
    act = "withdrawal-asked" if refusal is None else "withdrawal-refused"
    return Act(act, request.user_id, request.ip, now_ms, detail)
