"""Filling the view from PostgreSQL: one consistent picture and the place on the log where it stands."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import asyncpg

from exchange.contracts import codes
from exchange.contracts.codec import EMPTY_CHAIN_HASH, field_names
from exchange.contracts.events import MarketRegistered
from exchange.contracts.fee_events import FeeTierChanged
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.tables import EVENTS
from exchange.log.event_tail import TailPosition
from exchange.trading.filters import FILTER_COLUMNS
from services.order.view.model import AccountView
from services.order.view.records import Asset, Balance, OrderListRecord, OrderRecord, OrderTerms

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

__all__ = [
    "LIST_COLUMNS",
    "ORDERS_OF_LISTS",
    "ORDER_COLUMNS",
    "lists_from_rows",
    "load_view",
    "order_from_row",
]

ORDER_FIELDS = tuple(name for name in OrderRecord.__struct_fields__ if name != "terms")
_TERM_FIELDS = tuple(OrderTerms.__dataclass_fields__)
# Asked of orders alone that a prevented match has ended; what an older release wrote has the order's name.
_MATCH_ID = """CASE WHEN counter_order_id = 0 THEN 0 ELSE coalesce(
    (SELECT match_id FROM prevented_ends AS p WHERE p.order_id = orders.order_id), order_id) END"""
# Only orders with terms say what the book shows of them.
ORDER_COLUMNS = ", ".join(
    (
        *(_MATCH_ID if name == "prevented_match_id" else name for name in ORDER_FIELDS),
        *_TERM_FIELDS,
        "displayed_lots IS NOT NULL",
    )
)
_LIST_FIELDS = tuple(name for name in OrderListRecord.__dataclass_fields__ if name != "orders")
LIST_COLUMNS = ", ".join(_LIST_FIELDS)
ORDERS_OF_LISTS = """
SELECT order_list_id, order_id, client_order_id FROM orders
WHERE order_list_id = ANY($1::bigint[]) AND order_list_id > 0 ORDER BY order_list_id, order_id
"""
_TIER_COLUMNS = ", ".join(field_names(FeeTierChanged))
_MARKET_FIELDS = next(names for cls, names in EVENTS.values() if cls is MarketRegistered)


def order_from_row(row: asyncpg.Record) -> OrderRecord:
    """A row with ORDER_COLUMNS, in that order, as an order."""
    values = tuple(row)
    count = len(ORDER_FIELDS)
    order = OrderRecord(*values[:count])
    if values[-1]:
        order.terms = OrderTerms(*values[count:-1])
    return order


def lists_from_rows(
    lists: Iterable[asyncpg.Record], orders: Iterable[asyncpg.Record]
) -> list[OrderListRecord]:
    """Rows with LIST_COLUMNS, and the orders of them (order_list_id, order_id, client_order_id) by id."""
    found = {row[0]: OrderListRecord(*row) for row in lists}
    for order_list_id, order_id, name in orders:
        found[order_list_id].orders[order_id] = name
    return list(found.values())


async def _load_fees(
    connection: "PoolConnectionProxy[asyncpg.Record]", view: AccountView, deadline_s: float
) -> None:
    fees = view.fees
    for row in await connection.fetch(f"SELECT {_TIER_COLUMNS} FROM fee_tiers", timeout=deadline_s):
        fees.tiers[row[0]] = FeeTierChanged(*row)
    for row in await connection.fetch("SELECT asset_id, discount_ppm FROM fee_discount", timeout=deadline_s):
        fees.discount_asset_id, fees.discount_ppm = row
    async for row in connection.cursor(
        "SELECT user_id, tier, pays_discounted FROM fee_standings", prefetch=5_000, timeout=deadline_s
    ):
        fees.stand(*row)


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
        for row in await connection.fetch(f"SELECT {FILTER_COLUMNS} FROM filters", timeout=deadline_s):
            view.change_filter(FilterChanged(*row))
        await _load_fees(connection, view, deadline_s)
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
        open_lists = await connection.fetch(
            f"SELECT {LIST_COLUMNS} FROM order_lists WHERE done_ms = 0 ORDER BY order_list_id",
            timeout=deadline_s,
        )
        listed = await connection.fetch(ORDERS_OF_LISTS, [row[0] for row in open_lists], timeout=deadline_s)
        for one in lists_from_rows(open_lists, listed):
            view.lists.add(one)
    if position is None:
        return view, TailPosition(0, EMPTY_CHAIN_HASH, 0)
    view.seq = position["last_seq"]
    return view, TailPosition(position["last_seq"], bytes(position["last_hash"]), position["next_offset"])
