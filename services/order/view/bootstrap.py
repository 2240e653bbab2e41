"""Filling the view from PostgreSQL: one consistent picture and the place on the log where it stands."""

from typing import TYPE_CHECKING

import asyncpg

from exchange.contracts import codes
from exchange.contracts.codec import EMPTY_CHAIN_HASH
from exchange.contracts.events import MarketRegistered
from exchange.contracts.tables import EVENTS
from exchange.log.event_tail import TailPosition
from services.order.view.model import AccountView, Asset, Balance, OrderRecord

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = ["ORDER_COLUMNS", "load_view", "order_from_row"]

ORDER_FIELDS = tuple(OrderRecord.__dataclass_fields__)
ORDER_COLUMNS = ", ".join(ORDER_FIELDS)
_MARKET_FIELDS = next(names for cls, names in EVENTS.values() if cls is MarketRegistered)


def order_from_row(row: asyncpg.Record) -> OrderRecord:
    """A row with ORDER_COLUMNS, in that order, as an order."""
    return OrderRecord(*row)


async def load_view(
    connection: "PoolConnectionProxy[asyncpg.Record]", shard: int, deadline_s: float
) -> tuple[AccountView, TailPosition]:
    """Read everything in one REPEATABLE READ transaction, so that balances, orders and position agree.

    An empty ledger gives an empty view at the beginning of the log. Raises asyncpg's errors.
    """
    view = AccountView()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        position = await connection.fetchrow(
            "SELECT last_seq, last_hash, next_offset FROM positions WHERE shard = $1",
            shard,
            timeout=deadline_s,
        )
        for row in await connection.fetch(
            "SELECT asset_id, code, decimals FROM assets ORDER BY asset_id", timeout=deadline_s
        ):
            view.add_asset(Asset(row["asset_id"], row["code"], row["decimals"]))
        for row in await connection.fetch("SELECT * FROM markets ORDER BY market_id", timeout=deadline_s):
            view.add_market(MarketRegistered(*(row[name] for name in _MARKET_FIELDS)), row["mode"])
        async for row in connection.cursor(
            "SELECT user_id, asset_id, available_atoms, held_atoms, updated_ms FROM balances",
            prefetch=5_000,
            timeout=deadline_s,
        ):
            user_id = row["user_id"]
            balance = Balance(row["available_atoms"], row["held_atoms"])
            view.balances.setdefault(user_id, {})[row["asset_id"]] = balance
            view.updated_ms_of[user_id] = max(view.updated_ms_of.get(user_id, 0), row["updated_ms"])
        async for row in connection.cursor(
            f"SELECT {ORDER_COLUMNS} FROM orders WHERE status IN ({codes.NEW}, {codes.PARTIALLY_FILLED}) "
            "ORDER BY order_id",
            prefetch=5_000,
            timeout=deadline_s,
        ):
            view.add_open_order(order_from_row(row))
    if position is None:
        return view, TailPosition(0, EMPTY_CHAIN_HASH, 0)
    view.seq = position["last_seq"]
    return view, TailPosition(position["last_seq"], bytes(position["last_hash"]), position["next_offset"])
