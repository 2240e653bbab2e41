"""What an operator looks at beside markets: accounts, withdrawals, freezes, the audit log, readers."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.contracts.audit_keys import Heartbeat
from exchange.log.event_tail import newest_event
from exchange.money import format_fixed
from exchange.ports.world import Log
from services.operator.accounts import utc
from services.operator.tagged import OrderError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[Any]

__all__ = ["find_accounts", "list_freezes", "list_withdrawals", "readers", "search_audit_log"]

ROWS_MAX: Final = 50
# Of the audit log, at one search, whatever it is for: the log grows for ever.
SEARCHED_ROWS_MAX: Final = 20_000
_FOUND: Final = """
SELECT user_id, coalesce(email, '') AS email, created_ms FROM users
WHERE position(lower($1) in email) > 0 OR user_id::text = $1
   OR user_id IN (SELECT user_id FROM api_keys WHERE api_key = $1)
ORDER BY user_id LIMIT $2
"""
_WAITING: Final = """
SELECT w.withdrawal_id, w.user_id, w.amount_atoms, a.code, a.decimals, w.time_ms,
       EXISTS (SELECT 1 FROM withdrawal_freezes f
               WHERE f.user_id = w.user_id AND (f.ends_ms IS NULL OR f.ends_ms > $2)) AS is_frozen
FROM withdrawals w JOIN assets a USING (asset_id)
WHERE w.status = 'RESERVED' ORDER BY w.withdrawal_id LIMIT $1
"""
_FREEZES: Final = """
SELECT f.user_id, coalesce(u.email, '') AS email, f.source, f.frozen_ms, f.ends_ms
FROM withdrawal_freezes f JOIN users u USING (user_id)
WHERE f.ends_ms IS NULL OR f.ends_ms > $2 ORDER BY f.frozen_ms DESC LIMIT $1
"""
_SEARCHED: Final = """
SELECT id, time_ms, user_id, ip, act, detail::text AS detail FROM audit_log
WHERE id < $1 ORDER BY id DESC LIMIT $2
"""
_ID_MAX: Final = 2**63 - 1
_TEXT_LENGTH_MAX: Final = 200


async def list_freezes(connection: "Connection", now_ms: int) -> list[str]:
    """Accounts from which nothing leaves now, the newest freeze first."""
    lines = [
        f"account {row['user_id']} ({row['email']}): by {row['source']} since {utc(row['frozen_ms'])}"
        + ("" if row["ends_ms"] is None else f", ends {utc(row['ends_ms'])}")
        for row in await connection.fetch(_FREEZES, ROWS_MAX, now_ms)
    ]
    return _bounded(lines) or ["no account is frozen"]


async def search_audit_log(connection: "Connection", text: str, before_id: int) -> list[str]:
    """Rows in which `text` stands, the newest first, out of SEARCHED_ROWS_MAX at most.

    The last line says where an older search goes on. Raises OrderError.
    """
    if len(text) > _TEXT_LENGTH_MAX or not 0 <= before_id <= _ID_MAX:
        raise OrderError(f"a search has at most {_TEXT_LENGTH_MAX} characters")
    wanted, lines, last_id = text.lower(), list[str](), 0
    # Told by rows, not by a pattern in the database: what is looked at is bounded, whatever is looked for.
    async for row in connection.cursor(_SEARCHED, before_id or _ID_MAX, SEARCHED_ROWS_MAX, prefetch=1_000):
        whose = "" if row["user_id"] is None else f" account {row['user_id']}"
        line = f"{row['id']}: {utc(row['time_ms'])} {row['act']}{whose} {row['ip']} {row['detail']}"
        last_id = row["id"]
        if wanted in line.lower():
            lines.append(line)
        if len(lines) == ROWS_MAX:
            break
    end = [f"older rows: before {last_id}"] if last_id > 1 else []
    return [*(lines or ["no row has that"]), *end]


async def find_accounts(connection: "Connection", text: str) -> list[str]:
    """Accounts by a part of the e-mail address, by number, or by an API key."""
    rows = await connection.fetch(_FOUND, text, ROWS_MAX)
    lines = [f"{row['user_id']}: {row['email']}, since {utc(row['created_ms'])}" for row in rows]
    return _bounded(lines) or [f"no account is like {text}"]


async def list_withdrawals(connection: "Connection", now_ms: int) -> list[str]:
    """What is reserved and has not left, the oldest first, and whether its account is frozen."""
    lines = [
        f"{row['withdrawal_id']}: {format_fixed(row['amount_atoms'], row['decimals'])} {row['code']} "
        f"of account {row['user_id']}, since {utc(row['time_ms'])}{', FROZEN' if row['is_frozen'] else ''}"
        for row in await connection.fetch(_WAITING, ROWS_MAX, now_ms)
    ]
    return _bounded(lines) or ["no withdrawal waits"]


async def readers(
    connection: "Connection", event_log: Log, shard: int, heartbeat: bytes | str | None
) -> list[str]:
    """How far each reader is that keeps its place: against the newest event of the log. Raises LogError."""
    newest = await newest_event(event_log)
    ledger = await connection.fetchval("SELECT last_seq FROM positions WHERE shard = $1", shard)
    notices = await connection.fetchval(
        "SELECT last_id FROM notice_positions WHERE source = $1", f"events.{shard}"
    )
    lines = [f"event log: seq {newest.seq}", _behind("ledger", ledger, newest.seq)]
    lines.append(_behind("notices", notices, newest.seq))
    if heartbeat is None:
        return [*lines, "auditor: no heartbeat"]
    beat = msgspec.json.decode(heartbeat, type=Heartbeat)
    return [*lines, f"{_behind('auditor', beat.seq, newest.seq)}, {beat.state} at {utc(beat.time_ms)}"]


def _behind(name: str, seq: int | None, newest_seq: int) -> str:
    if seq is None:
        return f"{name}: has not begun"
    return f"{name}: seq {seq}, {max(0, newest_seq - seq)} behind"


def _bounded(lines: list[str]) -> list[str]:
    return [*lines, f"only the first {ROWS_MAX} are shown"] if len(lines) == ROWS_MAX else lines
