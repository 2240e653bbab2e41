"""The addresses that a user has listed for withdrawals. A new one must wait before money goes there,

so that its owner has time to see that a thief has listed it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from exchange.contracts import limits
from exchange.security import audit_log
from exchange.security.audit_log import Act
from services.user.tables.database import Database
from services.user.tables.ledger import Asset

if TYPE_CHECKING:
    import asyncpg

__all__ = ["AddressListedError", "TooManyAddressesError", "WithdrawalAddresses"]

ADDRESSES_PER_USER_MAX: Final = limits.ADDRESSES_PER_USER_MAX
_COLUMNS: Final = "address_id, asset_id, address, label, created_ms, usable_ms"


class AddressListedError(Exception):
    """The address is on the list already."""


class TooManyAddressesError(Exception):
    """The list is as long as it may be."""


class WithdrawalAddresses:
    """The list. Raises DatabaseUnavailableError. Rows: address_id, asset_id, address, label, *_ms."""

    def __init__(self, database: Database, *, delay_s: int, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._delay_ms = delay_s * 1000
        self._clock_ms = clock_ms

    async def add(self, user_id: int, asset: Asset, address: str, label: str, ip: str) -> "asyncpg.Record":
        """List an address and return its row. Raises AddressListedError, TooManyAddressesError."""
        now_ms = self._clock_ms()
        async with self._database.transaction() as connection:
            # The lock makes two requests count one after the other.
            await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", user_id)
            count = await connection.fetchval(
                "SELECT count(*) FROM withdrawal_addresses WHERE user_id = $1 AND removed_ms IS NULL", user_id
            )
            if count >= ADDRESSES_PER_USER_MAX:
                raise TooManyAddressesError(f"{count} addresses")
            row = await connection.fetchrow(
                "INSERT INTO withdrawal_addresses (user_id, asset_id, address, label, created_ms, usable_ms) "
                "VALUES ($1, $2, $3, $4, $5, $6) "
                "ON CONFLICT (user_id, asset_id, address) WHERE removed_ms IS NULL DO NOTHING "
                f"RETURNING {_COLUMNS}",
                *(user_id, asset.asset_id, address, label, now_ms, now_ms + self._delay_ms),
            )
            if row is None:
                raise AddressListedError(address)
            detail = {"address_id": row["address_id"], "asset": asset.code, "address": address}
            await audit_log.append(connection, Act("address-added", user_id, ip, now_ms, detail))
        return row

    async def of_user(self, user_id: int) -> "list[asyncpg.Record]":
        """All of the list, oldest first."""
        async with self._database.connection() as connection:
            return await connection.fetch(
                f"SELECT {_COLUMNS} FROM withdrawal_addresses "
                "WHERE user_id = $1 AND removed_ms IS NULL ORDER BY address_id LIMIT $2",
                user_id,
                ADDRESSES_PER_USER_MAX,
            )

    async def remove(self, user_id: int, address_id: int, ip: str) -> bool:
        """Take an address off the list; False when the user has no such address."""
        now_ms = self._clock_ms()
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                "UPDATE withdrawal_addresses SET removed_ms = $3 "
                "WHERE address_id = $1 AND user_id = $2 AND removed_ms IS NULL RETURNING address",
                address_id,
                user_id,
                now_ms,
            )
            if row is None:
                return False
            detail = {"address_id": address_id, "address": row["address"]}
            await audit_log.append(connection, Act("address-removed", user_id, ip, now_ms, detail))
        return True
