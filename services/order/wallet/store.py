"""Deposits, withdrawals and addresses as PostgreSQL has them, newest first. Every question is bounded."""

from dataclasses import dataclass
from typing import Final

from exchange.trading.intervals import DAY_MS
from services.order.view.history import History
from services.order.wallet.days import ENTRIES_LOOKED_AT_MAX, STATEMENT, Balance, ends_of_days

__all__ = ["TRANSFERS_LOOKED_AT_MAX", "KeyRow", "TransferPage", "TransferRow", "WalletStore"]

# Of one account, the newest: older ones are found by time in its statements (/v1).
TRANSFERS_LOOKED_AT_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class TransferPage:
    """Which deposits or withdrawals of a user. Times are inclusive, in milliseconds; None: any."""

    user_id: int
    asset_id: int | None
    status: str | None
    start_ms: int | None
    end_ms: int | None
    transfer_id: int | None
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A deposit, whose address and status are empty, or a withdrawal."""

    transfer_id: int
    asset_id: int
    amount_atoms: int
    time_ms: int
    address: str
    status: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What a key may do, and from where."""

    permissions: tuple[str, ...]
    ip_allow_list: tuple[str, ...]
    created_ms: int


class WalletStore:
    """Everything raises what `History.fetch` does."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def deposits(self, page: TransferPage) -> list[TransferRow]:
        """A page of deposits; they have no status, for all have come."""
        return await self._transfers("deposits", "deposit_id", "''", "''", page)

    async def withdrawals(self, page: TransferPage) -> list[TransferRow]:
        """A page of withdrawals. `status`: RESERVED, SETTLED, RELEASED."""
        return await self._transfers("withdrawals", "withdrawal_id", "address", "status", page)

    async def _transfers(
        self, table: str, key: str, address: str, status: str, page: TransferPage
    ) -> list[TransferRow]:
        rows = await self._history.fetch(
            f"SELECT {key}, asset_id, amount_atoms, time_ms, {address} AS address, {status} AS status "
            f"FROM (SELECT * FROM {table} WHERE user_id = $1 ORDER BY {key} DESC "
            f"LIMIT {TRANSFERS_LOOKED_AT_MAX}) AS newest "
            f"WHERE ($2::int IS NULL OR asset_id = $2) AND ($3::text IS NULL OR {status} = $3) "
            "AND ($4::bigint IS NULL OR time_ms >= $4) AND ($5::bigint IS NULL OR time_ms <= $5) "
            f"AND ($6::bigint IS NULL OR {key} = $6) ORDER BY {key} DESC OFFSET $7 LIMIT $8",
            page.user_id,
            page.asset_id,
            page.status,
            page.start_ms,
            page.end_ms,
            page.transfer_id,
            page.offset,
            page.limit,
        )
        return [TransferRow(*row) for row in rows]

    async def days(self, user_id: int, first_day: int, today: int) -> dict[int, dict[int, Balance]]:
        """As `ends_of_days`."""
        most = ENTRIES_LOOKED_AT_MAX
        rows = await self._history.fetch(STATEMENT, user_id, first_day * DAY_MS, most)
        return ends_of_days((tuple(row) for row in rows), first_day, today, most)

    async def addresses(self, user_id: int) -> list[tuple[int, str, str, int]]:
        """Asset, address, label, and from when on it may be used, of all that the user has listed."""
        rows = await self._history.fetch(
            "SELECT asset_id, address, label, usable_ms FROM withdrawal_addresses "
            "WHERE user_id = $1 AND removed_ms IS NULL ORDER BY address_id",
            user_id,
        )
        return [(row["asset_id"], row["address"], row["label"], row["usable_ms"]) for row in rows]

    async def key(self, key_hash: bytes) -> KeyRow | None:
        """What is stored of a key; None when it is revoked, or unknown."""
        rows = await self._history.fetch(
            "SELECT permissions, ip_allow_list, created_ms FROM api_keys "
            "WHERE key_hash = $1 AND revoked_ms IS NULL",
            key_hash,
        )
        if not rows:
            return None
        row = rows[0]
        return KeyRow(tuple(row["permissions"]), tuple(row["ip_allow_list"]), row["created_ms"])
