"""Pages of orders and trades, and the SQL that reads each at the cost of its rows, whatever the account's
age.

Ids ascend with time within a market: the market says which id was the first at a time, and the account's own
rows are then read by id. Bounds are comparisons of whole rows, in the order of an index's columns: PostgreSQL
can then answer from that index alone, whatever its statistics make it believe of an account. With plain
conditions it may walk the ids of everybody, or all of the account's past, when it thinks that matching rows
are near.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.order.view.bootstrap import ORDER_COLUMNS

__all__ = [
    "NEWEST_ORDER_BY_NAME",
    "PREVENTED",
    "PREVENTED_BY_ID",
    "OrderPage",
    "TradePage",
    "TradeRow",
    "orders_statement",
    "trades_statement",
]

# No id is larger, none is smaller.
ID_MAX: Final = 2**63 - 1
ID_MIN: Final = 0


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Which orders of a user in a market. Times are inclusive, in milliseconds of creation."""

    user_id: int
    market_id: int
    order_id_min: int | None
    start_ms: int | None
    end_ms: int | None
    limit: int

    @property
    def is_upward(self) -> bool:
        """From a lower bound upward; else the newest ones."""
        return self.order_id_min is not None or self.start_ms is not None


@dataclass(frozen=True, slots=True)
class TradePage:
    """Which trades of a user in a market, of one of his orders or of all."""

    user_id: int
    market_id: int
    order_id: int | None
    trade_id_min: int | None
    start_ms: int | None
    end_ms: int | None
    limit: int

    @property
    def is_upward(self) -> bool:
        """From a lower bound upward; else the newest ones."""
        return self.trade_id_min is not None or self.start_ms is not None


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One side of a trade. `fee_asset_id` 0: the fee is in base for the buyer, in quote for the seller."""

    trade_id: int
    time_ms: int
    taker_side: int
    price_ticks: int
    quantity_lots: int
    quote_atoms: int
    order_id: int
    fee_atoms: int
    fee_asset_id: int
    is_buyer: bool


# The newest order of a name ($3): names may be used again and again (ADR 0006).
NEWEST_ORDER_BY_NAME: Final = f"""
SELECT {ORDER_COLUMNS} FROM orders
WHERE (user_id, market_id, client_order_id, order_id) >= ($1, $2, $3, {ID_MIN})
  AND (user_id, market_id, client_order_id, order_id) <= ($1, $2, $3, {ID_MAX})
ORDER BY user_id DESC, market_id DESC, client_order_id DESC, order_id DESC LIMIT 1
"""

# Orders of a user in a market that ended in a prevented match with the order $3: itself, and by the matches'
# ids from $4 on, at most $5, those that ended against it.
PREVENTED: Final = f"""
(SELECT {ORDER_COLUMNS} FROM orders
WHERE order_id = $3 AND user_id = $1 AND market_id = $2 AND counter_order_id > 0)
UNION ALL
(SELECT {ORDER_COLUMNS} FROM orders
WHERE user_id = $1 AND market_id = $2 AND order_id = ANY(ARRAY(
    SELECT order_id FROM prevented_ends WHERE (counter_order_id, match_id) >= ($3, $4)
    AND (counter_order_id, match_id) <= ($3, {ID_MAX}) ORDER BY counter_order_id, match_id LIMIT $5)))
"""
# One match ends two orders at most.
PREVENTED_BY_ID: Final = f"""
SELECT {ORDER_COLUMNS} FROM orders WHERE user_id = $1 AND market_id = $2 AND order_id = ANY(ARRAY(
    SELECT order_id FROM prevented_ends WHERE match_id = $3 LIMIT 2))
"""

_TRADE_COLUMNS: Final = (
    "trade_id, time_ms, taker_side, price_ticks, quantity_lots, quote_atoms, "
    "{side}_order_id, {side}_fee_atoms, {side}_fee_asset_id"
)

Statement = tuple[str, list[object]]


def orders_statement(page: OrderPage) -> Statement:
    """A page of orders and its arguments: ascending when it goes upward, else descending."""
    arguments: list[object] = [page.user_id, page.market_id]
    bounds = _bounds(
        "orders", "order_id", "created_ms", page.order_id_min, page.start_ms, page.end_ms, arguments
    )
    return (
        f"{bounds} SELECT {ORDER_COLUMNS} FROM orders "
        f"WHERE {_between('user_id, market_id, order_id', '$1, $2')} "
        f"{_order(('user_id', 'market_id', 'order_id'), page.is_upward)} LIMIT {page.limit:d}"
    ), arguments


def trades_statement(page: TradePage) -> Statement:
    """A page of trades as TradeRow, and its arguments: ascending when it goes upward, else descending.

    What was bought and what was sold, a page of each at most, then the page of both.
    """
    arguments: list[object] = [page.user_id, page.market_id]
    bounds = _bounds(
        "trades", "trade_id", "time_ms", page.trade_id_min, page.start_ms, page.end_ms, arguments
    )
    columns: tuple[str, ...] = ("{side}_user_id", "market_id", "trade_id")
    fixed, owned = "$1, $2", ""
    if page.order_id is not None:
        arguments.append(page.order_id)
        columns, fixed = ("{side}_order_id", "trade_id"), f"${len(arguments)}::bigint"
        # Asked once, before any trade is read: another's order has none for this user.
        owned = (
            f"AND EXISTS (SELECT FROM orders WHERE order_id = {fixed} AND user_id = $1 AND market_id = $2)"
        )
    half = (
        f"(SELECT {_TRADE_COLUMNS}, {{is_buyer}} AS is_buyer FROM trades "
        f"WHERE {_between(', '.join(columns), fixed)} {owned} "
        f"{_order(columns, page.is_upward)} LIMIT {page.limit:d})"
    )
    halves = half.format(side="buyer", is_buyer="true"), half.format(side="seller", is_buyer="false")
    order = _order(("trade_id",), page.is_upward)
    return f"{bounds} {' UNION ALL '.join(halves)} {order} LIMIT {page.limit:d}", arguments


def _bounds(
    table: str,
    key: str,
    column: str,
    id_min: int | None,
    start_ms: int | None,
    end_ms: int | None,
    arguments: list[object],
) -> str:
    """The page's first and last id, both inclusive; an empty range when the market had none at that time."""

    def place(value: int) -> str:
        arguments.append(value)
        return f"${len(arguments)}::bigint"

    first, last = str(ID_MIN) if id_min is None else place(id_min), str(ID_MAX)
    if start_ms is not None:
        found = (
            f"(SELECT {key} FROM {table} WHERE market_id = $2 AND {column} >= {place(start_ms)} "
            f"ORDER BY {column}, {key} LIMIT 1)"
        )
        first = f"greatest({first}, coalesce({found}, {ID_MAX}))"
    if end_ms is not None:
        found = (
            f"(SELECT {key} FROM {table} WHERE market_id = $2 AND {column} <= {place(end_ms)} "
            f"ORDER BY {column} DESC, {key} DESC LIMIT 1)"
        )
        last = f"coalesce({found}, {ID_MIN - 1})"
    return f"WITH bounds AS MATERIALIZED (SELECT {first}::bigint AS first_id, {last}::bigint AS last_id)"


def _between(columns: str, fixed: str) -> str:
    return (
        f"({columns}) >= ({fixed}, (SELECT first_id FROM bounds)) "
        f"AND ({columns}) <= ({fixed}, (SELECT last_id FROM bounds))"
    )


def _order(columns: Sequence[str], is_upward: bool) -> str:
    return "ORDER BY " + ", ".join(f"{column} {'ASC' if is_upward else 'DESC'}" for column in columns)
