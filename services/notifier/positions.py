"""The notifier's SQL: how far it has read, what assets and markets are called, what people did."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg
import msgspec

from exchange.log.event_tail import TailPosition
from exchange.process.connections import acquire
from exchange.wall_clock import clock_ms
from services.notifier.notices import ACTS, NoticeMaker

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = ["ActPage", "FencedError", "NotifierStore", "OwnersAct"]

# Of the whole audit log; its name is older than the other acts.
LOGINS: Final = "logins"

_MOVE: Final = """
UPDATE notice_positions SET last_id = $3, last_hash = $4, next_offset = $5, updated_ms = $6
WHERE source = $1 AND last_id = $2
"""
_BEGIN: Final = """
INSERT INTO notice_positions (source, last_id, last_hash, next_offset, updated_ms)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""


class FencedError(Exception):
    """The position is not where this process left it: another notifier is at work."""


class OwnersAct(NamedTuple):
    """One act that its account's owner is told of. `act_id`: its row of the audit log."""

    act: str
    act_id: int
    user_id: int
    time_ms: int
    ip: str
    detail: Mapping[str, object]


class ActPage(NamedTuple):
    """Those acts of a piece of the audit log, which ends at `last_id`."""

    acts: list[OwnersAct]
    last_id: int


class NotifierStore:
    """Every call ends within the deadline or raises one of exchange.process.connections.CONNECTION_ERRORS."""

    def __init__(self, database: "asyncpg.Pool[asyncpg.Record]", shard: int, deadline_ms: int) -> None:
        self._database = database
        self._events = f"events.{shard}"
        self._deadline_ms = deadline_ms

    async def position(self) -> TailPosition | None:
        """Where the event log was read to; None when it never was."""
        async with acquire(self._database, self._deadline_ms) as connection:
            row = await connection.fetchrow(
                "SELECT last_id, last_hash, next_offset FROM notice_positions WHERE source = $1", self._events
            )
        return None if row is None else TailPosition(row["last_id"], row["last_hash"], row["next_offset"])

    async def begin(self, position: TailPosition) -> None:
        """Keep the first position, unless there is one."""
        async with acquire(self._database, self._deadline_ms) as connection:
            await connection.execute(
                _BEGIN, self._events, position.seq, position.hash, position.next_offset, clock_ms()
            )

    async def move(self, expected_seq: int, position: TailPosition) -> None:
        """Go on from `expected_seq`. Raises FencedError when the position was elsewhere."""
        async with acquire(self._database, self._deadline_ms) as connection:
            moved = await connection.execute(
                *(_MOVE, self._events, expected_seq, position.seq, position.hash, position.next_offset),
                clock_ms(),
            )
        if moved != "UPDATE 1":
            raise FencedError(f"{self._events} is no longer at seq {expected_seq}: another notifier works")

    async def teach(self, maker: NoticeMaker) -> None:
        """Tell it of all assets and markets that the ledger has."""
        async with acquire(self._database, self._deadline_ms) as connection:
            assets = await connection.fetch("SELECT asset_id, code, decimals FROM assets")
            markets = await connection.fetch(
                "SELECT market_id, symbol, base_asset_id, quote_asset_id, tick_atoms, lot_atoms FROM markets"
            )
        for row in assets:
            maker.add_asset(*row)
        for row in markets:
            maker.add_market(*row)

    async def login_position(self) -> int:
        """The last row of the audit log that was read; its end, kept from now on, when there is none."""
        async with acquire(self._database, self._deadline_ms) as connection:
            end = await connection.fetchval("SELECT coalesce(max(id), 0) FROM audit_log")
            await connection.execute(_BEGIN, LOGINS, end, b"", 0, clock_ms())
            last_id = await connection.fetchval(
                "SELECT last_id FROM notice_positions WHERE source = $1", LOGINS
            )
        return int(last_id)

    async def acts_after(self, last_id: int, rows_max: int) -> ActPage:
        """The acts of the next rows; ids appear in order and without a gap (security/audit_log.py)."""
        async with acquire(self._database, self._deadline_ms) as connection:
            rows = await connection.fetch(
                "SELECT id, user_id, time_ms, ip, act, detail::text AS detail FROM audit_log "
                "WHERE id > $1 ORDER BY id LIMIT $2",
                last_id,
                rows_max,
            )
        acts = [
            OwnersAct(
                *(row["act"], row["id"], row["user_id"], row["time_ms"], row["ip"]),
                msgspec.json.decode(row["detail"], type=dict[str, object]),
            )
            for row in rows
            if row["act"] in ACTS and row["user_id"] is not None
        ]
        return ActPage(acts, rows[-1]["id"] if rows else last_id)

    async def move_logins(self, expected_id: int, last_id: int) -> None:
        """Go on from `expected_id`. Raises FencedError when the position was elsewhere."""
        async with acquire(self._database, self._deadline_ms) as connection:
            moved = await connection.execute(_MOVE, LOGINS, expected_id, last_id, b"", 0, clock_ms())
        if moved != "UPDATE 1":
            raise FencedError(f"{LOGINS} is no longer at row {expected_id}: another notifier works")
