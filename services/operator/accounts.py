"""Accounts and the auditor's breaches, as an operator sees and changes them: tables of PostgreSQL."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from services.operator.tagged import OrderError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Any]

__all__ = [
    "clear_breach",
    "freeze_account",
    "list_breaches",
    "show_account",
    "unfreeze_account",
    "user_id_of",
    "utc",
]

_ROWS_MAX: Final = 50


async def user_id_of(connection: "Connection", account: str) -> int:
    """The account of this e-mail address or number. Raises OrderError."""
    user_id = await connection.fetchval(
        "SELECT user_id FROM users WHERE email = lower($1) OR user_id::text = $1", account
    )
    if user_id is None:
        raise OrderError(f"there is no account {account}")
    return int(user_id)


async def show_account(connection: "Connection", user_id: int) -> list[str]:
    """Freezes that hold or held, and withdrawals that are reserved."""
    freezes = await connection.fetch(
        "SELECT source, frozen_ms, ends_ms FROM withdrawal_freezes WHERE user_id = $1 ORDER BY source",
        user_id,
    )
    reserved = await connection.fetch(
        "SELECT withdrawal_id, amount_atoms, address, time_ms, code, decimals "
        "FROM withdrawals JOIN assets USING (asset_id) "
        "WHERE user_id = $1 AND status = 'RESERVED' ORDER BY withdrawal_id LIMIT $2",
        user_id,
        _ROWS_MAX,
    )
    lines = [f"account {user_id}"]
    lines += [f"  frozen by {row['source']} since {utc(row['frozen_ms'])}, {_end(row)}" for row in freezes]
    lines += [
        f"  withdrawal {row['withdrawal_id']}: {row['amount_atoms']} atoms of {row['code']} "
        f"reserved since {utc(row['time_ms'])}"
        for row in reserved
    ]
    return lines


async def freeze_account(connection: "Connection", user_id: int, now_ms: int) -> None:
    """Hold everything that would leave, until `unfreeze_account`."""
    await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", user_id)
    await connection.execute(
        "INSERT INTO withdrawal_freezes (user_id, source, frozen_ms) VALUES ($1, 'OPERATOR', $2) "
        "ON CONFLICT (user_id, source) DO UPDATE SET frozen_ms = excluded.frozen_ms, ends_ms = NULL "
        "WHERE withdrawal_freezes.ends_ms IS NOT NULL",
        user_id,
        now_ms,
    )


async def unfreeze_account(connection: "Connection", user_id: int, now_ms: int) -> bool:
    """End all freezes now; False when there is none."""
    await connection.execute("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", user_id)
    ended = await connection.fetch(
        "UPDATE withdrawal_freezes SET ends_ms = greatest($2, frozen_ms) "
        "WHERE user_id = $1 AND (ends_ms IS NULL OR ends_ms > $2) RETURNING source",
        user_id,
        now_ms,
    )
    return bool(ended)


async def list_breaches(connection: "Connection", shard: int) -> list[str]:
    """What is not cleared, oldest first."""
    rows = await connection.fetch(
        "SELECT breach_id, seq, invariant, detail, found_ms, halted_ms FROM audit_breaches "
        "WHERE shard = $1 AND cleared_ms IS NULL ORDER BY breach_id LIMIT $2",
        shard,
        _ROWS_MAX,
    )
    return [
        f"{row['breach_id']}: {row['invariant']} at seq {row['seq']}, found {utc(row['found_ms'])}, "
        f"{'halted' if row['halted_ms'] else 'the halt is not confirmed'}: {row['detail']}"
        for row in rows
    ] or ["no breach is open"]


async def clear_breach(connection: "Connection", shard: int, breach_id: int, now_ms: int) -> None:
    """Its cause is repaired. Raises OrderError when it is not there, or cleared already."""
    done = await connection.fetchval(
        "UPDATE audit_breaches SET cleared_ms = $3 "
        "WHERE shard = $1 AND breach_id = $2 AND cleared_ms IS NULL RETURNING breach_id",
        *(shard, breach_id, now_ms),
    )
    if done is None:
        raise OrderError(f"no open breach has the number {breach_id}")


def _end(row: Mapping[str, Any]) -> str:
    return "until somebody ends it" if row["ends_ms"] is None else f"ends {utc(row['ends_ms'])}"


def utc(time_ms: int) -> str:
    """A time for people."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")
