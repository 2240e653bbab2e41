"""The audit log: who did what that matters for security, in a chain of hashes.

`hash` is the SHA-256 of `previous_hash` and the row's own fields, so a row that was changed, removed or
moved breaks the chain. Who can rewrite the whole table can make a new chain: keep what `verify` prints
elsewhere, and hand it to a later `verify --expect`.

    python -m services.audit_log.main verify [--expect 17:0a1b…]
"""

import hashlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg
import orjson

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = ["Act", "AuditFault", "AuditHead", "append", "verify"]

logger = logging.getLogger(__name__)
EMPTY_HASH: Final = bytes(32)
_LOCK_KEY: Final = 0x6175_6469  # "audi": nobody else takes this one
_PAGE_SIZE: Final = 1_000
_FAULTS_MAX: Final = 20


class Act(NamedTuple):
    """One act. `user_id` None: nobody is known. `detail` holds names and reasons, never a secret."""

    act: str
    user_id: int | None
    ip: str
    time_ms: int
    detail: Mapping[str, object]


class AuditHead(NamedTuple):
    """The end of the chain: 0 and EMPTY_HASH when nothing was written yet."""

    id: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.id}:{self.hash.hex()}"


class AuditFault(NamedTuple):
    """Something that is not as it was written. `id`: the row."""

    id: int
    what: str


async def append(connection: "Connection", act: Act) -> None:
    """Add a row. Call it inside of the transaction that does the act, so that both happen or neither.

    The lock is held until that transaction ends: the chain has no fork, whoever writes from wherever.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)
    head = await _head(connection)
    row_id = head.id + 1
    detail = orjson.dumps(dict(act.detail), option=orjson.OPT_SORT_KEYS).decode()
    digest = _digest(head.hash, row_id, act.time_ms, act.user_id, act.ip, act.act, detail)
    await connection.execute(
        "INSERT INTO audit_log (id, time_ms, user_id, ip, act, detail, previous_hash, hash) "
        "VALUES ($1, $2, $3, $4, $5, $6::json, $7, $8)",
        *(row_id, act.time_ms, act.user_id, act.ip, act.act, detail, head.hash, digest),
    )
    logger.info("act %d: %s of account %s from %s", row_id, act.act, act.user_id or "-", act.ip or "-")
    await connection.execute(
        "INSERT INTO audit_log_head (id, hash) VALUES ($1, $2) "
        "ON CONFLICT (only_row) DO UPDATE SET id = EXCLUDED.id, hash = EXCLUDED.hash",
        row_id,
        digest,
    )


async def _head(connection: "Connection") -> AuditHead:
    row = await connection.fetchrow("SELECT id, hash FROM audit_log_head")
    return AuditHead(0, EMPTY_HASH) if row is None else AuditHead(row["id"], row["hash"])


def _digest(
    previous: bytes, row_id: int, time_ms: int, user_id: int | None, ip: str, act: str, detail: str
) -> bytes:
    return hashlib.sha256(previous + orjson.dumps([row_id, time_ms, user_id, ip, act, detail])).digest()


async def verify(
    connection: "Connection", expected: AuditHead | None = None
) -> tuple[AuditHead, list[AuditFault]]:
    """Read the whole log and return where it ends and what is wrong with it, at most 20 faults.

    `expected`: what an earlier `verify` told; the row with this id must still have this hash.
    """
    faults: list[AuditFault] = []
    last = AuditHead(0, EMPTY_HASH)
    # One snapshot: rows that are added meanwhile, and their head, are not seen.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        head = await _head(connection)
        while len(faults) < _FAULTS_MAX:
            rows = await connection.fetch(
                "SELECT id, time_ms, user_id, ip, act, detail::text AS detail, previous_hash, hash "
                "FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2",
                last.id,
                _PAGE_SIZE,
            )
            if not rows:
                break
            for row in rows:
                faults += _faults_of(row, last, expected)
                last = AuditHead(row["id"], row["hash"])
    if last != head and len(faults) < _FAULTS_MAX:
        faults.append(AuditFault(last.id, f"the log ends here, and its head stands at {head.id}"))
    if expected is not None and expected.id > last.id and len(faults) < _FAULTS_MAX:
        faults.append(AuditFault(expected.id, "this row was there, and is gone"))
    return last, faults[:_FAULTS_MAX]


def _faults_of(row: "asyncpg.Record", last: AuditHead, expected: AuditHead | None) -> list[AuditFault]:
    row_id: int = row["id"]
    faults = []
    if row_id != last.id + 1:
        faults.append(AuditFault(row_id, f"the row before it is {last.id}: rows are missing"))
    if row["previous_hash"] != last.hash:
        faults.append(AuditFault(row_id, f"it does not follow from row {last.id}"))
    fields = (row["time_ms"], row["user_id"], row["ip"], row["act"], row["detail"])
    if _digest(row["previous_hash"], row_id, *fields) != row["hash"]:
        faults.append(AuditFault(row_id, "it was changed"))
    if expected is not None and expected.id == row_id and expected.hash != row["hash"]:
        faults.append(AuditFault(row_id, "it has another hash than it had"))
    return faults
