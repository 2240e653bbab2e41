"""The ledger as its projection has written it, and numbers for what is to be entered in it."""

import asyncio
from typing import Final, NamedTuple

import asyncpg

from exchange.contracts.codec import EMPTY_CHAIN_HASH
from exchange.log.event_tail import TailPosition
from exchange.process.turns import Turns
from services.user.tables.database import Database

__all__ = ["Asset", "Ledger"]

_ID_MAX: Final = 2**63 - 1


class Asset(NamedTuple):
    """An asset that the exchange knows."""

    asset_id: int
    code: str
    decimals: int


class Ledger:
    """Reads what the projection has written, and writes nothing but sequences.

    Everything raises DatabaseUnavailableError, the pages of statements NoTurnError too.
    """

    def __init__(self, database: Database, turns: Turns) -> None:
        """`turns`: at the database, for statements; log-ins, keys and withdrawals do not wait behind them."""
        self._database = database
        self._turns = turns
        self._asking_seq: asyncio.Task[int] | None = None

    # -- numbers of transfers

    async def new_deposit_id(self) -> int:
        """A number that no deposit has."""
        async with self._database.connection() as connection:
            return int(await connection.fetchval("SELECT nextval('deposit_ids')"))

    async def new_withdrawal_id(self) -> int:
        """A number that no withdrawal has."""
        async with self._database.connection() as connection:
            return int(await connection.fetchval("SELECT nextval('withdrawal_ids')"))

    async def advance_sequences(self, deposit_id: int, withdrawal_id: int) -> None:
        """Move the sequences past the ids in use: a ledger rebuilt from the events starts them anew.

        In use is what the ledger has, and what the log has up to `deposit_id` and `withdrawal_id`.
        """
        async with self._database.connection() as connection:
            for name, table, column, read_id in (
                ("deposit_ids", "deposits", "deposit_id", deposit_id),
                ("withdrawal_ids", "withdrawals", "withdrawal_id", withdrawal_id),
            ):
                await connection.execute(
                    f"SELECT setval('{name}', used.id) FROM "
                    f"(SELECT GREATEST(max({column}), $1) AS id FROM {table}) used, {name} "
                    f"WHERE used.id > {name}.last_value",
                    read_id,
                )

    # -- what the projection has written

    async def position(self, shard: int) -> TailPosition:
        """Where the ledger stands; at the log's beginning when nothing was projected yet."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT last_seq, last_hash, next_offset FROM positions WHERE shard = $1", shard
            )
        return TailPosition(0, EMPTY_CHAIN_HASH, 0) if row is None else TailPosition(*row)

    async def last_seq(self, shard: int) -> int:
        """Seq of the newest event in the ledger: statements wait for it.

        One question serves all that ask meanwhile, and takes no turn: the turn is for the page.
        """
        if self._asking_seq is None:
            self._asking_seq = asyncio.create_task(self._read_seq(shard), name="the ledger's position")
        return await asyncio.shield(self._asking_seq)

    async def _read_seq(self, shard: int) -> int:
        try:
            async with self._database.connection() as connection:
                seq = await connection.fetchval("SELECT last_seq FROM positions WHERE shard = $1", shard)
            return int(seq or 0)
        finally:
            self._asking_seq = None

    async def assets(self) -> list[Asset]:
        """Every asset in the ledger."""
        async with self._database.connection() as connection:
            rows = await connection.fetch("SELECT asset_id, code, decimals FROM assets")
        return [Asset(*row) for row in rows]

    async def ledger_page(
        self, user_id: int, asset_id: int | None, from_id: int, limit: int
    ) -> list[asyncpg.Record]:
        """The user's entries: entry_id, time_ms, asset_id, amount_atoms, bucket, kind, reference."""
        async with self._turns.turn(), self._database.connection() as connection:
            return await connection.fetch(
                # One range of the index (user_id, asset_id, entry_id) for each asset, then a short sort.
                # Bounds as whole rows: else PostgreSQL may walk everybody's entries, when it thinks this
                # user's are near.
                "SELECT e.entry_id, e.time_ms, e.asset_id, e.amount_atoms, e.bucket, e.kind, e.reference "
                "FROM assets a CROSS JOIN LATERAL (SELECT * FROM ledger_entries "
                "  WHERE (user_id, asset_id, entry_id) >= ($1, a.asset_id, $2) "
                f"  AND (user_id, asset_id, entry_id) <= ($1, a.asset_id, {_ID_MAX}) "
                "  ORDER BY user_id, asset_id, entry_id LIMIT $4) e "
                "WHERE $3::int IS NULL OR a.asset_id = $3 ORDER BY e.entry_id LIMIT $4",
                user_id,
                from_id,
                asset_id,
                limit,
            )

    async def deposits_page(self, user_id: int, from_id: int, limit: int) -> list[asyncpg.Record]:
        """The user's deposits: deposit_id, asset_id, amount_atoms, time_ms."""
        async with self._turns.turn(), self._database.connection() as connection:
            return await connection.fetch(
                "SELECT deposit_id, asset_id, amount_atoms, time_ms FROM deposits "
                f"WHERE (user_id, deposit_id) >= ($1, $2) AND (user_id, deposit_id) <= ($1, {_ID_MAX}) "
                "ORDER BY user_id, deposit_id LIMIT $3",
                user_id,
                from_id,
                limit,
            )

    async def withdrawal(self, user_id: int, withdrawal_id: int) -> asyncpg.Record | None:
        """One of the user's withdrawals: asset_id, amount_atoms, address, status."""
        async with self._database.connection() as connection:
            return await connection.fetchrow(
                "SELECT asset_id, amount_atoms, address, status FROM withdrawals "
                "WHERE user_id = $1 AND withdrawal_id = $2",
                user_id,
                withdrawal_id,
            )

    async def withdrawals_page(self, user_id: int, from_id: int, limit: int) -> list[asyncpg.Record]:
        """The user's withdrawals: withdrawal_id, asset_id, amount_atoms, address, status, time_ms."""
        async with self._turns.turn(), self._database.connection() as connection:
            return await connection.fetch(
                "SELECT withdrawal_id, asset_id, amount_atoms, address, status, time_ms FROM withdrawals "
                f"WHERE (user_id, withdrawal_id) >= ($1, $2) AND (user_id, withdrawal_id) <= ($1, {_ID_MAX}) "
                "ORDER BY user_id, withdrawal_id LIMIT $3",
                user_id,
                from_id,
                limit,
            )
