"""The SQL of order lists, amendments and decrements, each at the cost of its rows (see `pages`)."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from services.order.view.bootstrap import LIST_COLUMNS
from services.order.view.pages import ID_MAX, ID_MIN

__all__ = [
    "AMENDMENTS",
    "DECREMENTS_OF_ORDER",
    "DECREMENT_BY_SEQ",
    "LIST_BY_ID",
    "NEWEST_LIST_BY_NAME",
    "AmendmentRow",
    "DecrementRow",
    "ListPage",
    "lists_statement",
]


@dataclass(frozen=True, slots=True)
class ListPage:
    """Which order lists of a user. Times are inclusive, in milliseconds of creation."""

    user_id: int
    list_id_min: int | None
    start_ms: int | None
    end_ms: int | None
    limit: int

    @property
    def is_upward(self) -> bool:
        """From a lower bound upward; else the newest ones."""
        return self.list_id_min is not None or self.start_ms is not None


class AmendmentRow(NamedTuple):
    """One amendment of an order."""

    execution_id: int
    old_client_order_id: str
    new_client_order_id: str
    old_quantity_lots: int
    new_quantity_lots: int
    time_ms: int


class DecrementRow(NamedTuple):
    """One self-trade that made two orders smaller."""

    seq: int
    taker_order_id: int
    maker_order_id: int
    price_ticks: int
    prevented_lots: int
    time_ms: int


LIST_BY_ID: Final = f"SELECT {LIST_COLUMNS} FROM order_lists WHERE user_id = $1 AND order_list_id = $2"
# Names may be used again when their list is done.
NEWEST_LIST_BY_NAME: Final = f"""
SELECT {LIST_COLUMNS} FROM order_lists WHERE user_id = $1 AND list_client_order_id = $2
ORDER BY order_list_id DESC LIMIT 1
"""
AMENDMENTS: Final = f"""
SELECT {", ".join(f"a.{name}" for name in AmendmentRow._fields)} FROM order_amendments AS a
WHERE a.order_id = $3 AND a.execution_id >= $4
  AND EXISTS (SELECT FROM orders WHERE order_id = $3 AND user_id = $1 AND market_id = $2)
ORDER BY a.execution_id LIMIT $5
"""
_DECREMENT_COLUMNS: Final = ", ".join(DecrementRow._fields)
DECREMENT_BY_SEQ: Final = f"""
SELECT {_DECREMENT_COLUMNS} FROM decrements WHERE seq = $3 AND user_id = $1 AND market_id = $2
"""
DECREMENTS_OF_ORDER: Final = f"""
(SELECT {_DECREMENT_COLUMNS} FROM decrements
WHERE taker_order_id = $3 AND user_id = $1 AND market_id = $2 AND seq >= $4 ORDER BY seq LIMIT $5)
UNION ALL
(SELECT {_DECREMENT_COLUMNS} FROM decrements
WHERE maker_order_id = $3 AND user_id = $1 AND market_id = $2 AND seq >= $4 ORDER BY seq LIMIT $5)
ORDER BY seq LIMIT $5
"""


def lists_statement(page: ListPage) -> tuple[str, list[object]]:
    """A page of lists and its arguments: ascending when it goes upward, else descending."""
    first_id = ID_MIN if page.list_id_min is None else page.list_id_min
    arguments: list[object] = [page.user_id, first_id]
    order: tuple[str, ...] = ("user_id", "order_list_id")
    bounds = f"(user_id, order_list_id) >= ($1, $2) AND (user_id, order_list_id) <= ($1, {ID_MAX})"
    if page.start_ms is not None or page.end_ms is not None:
        start_ms = 0 if page.start_ms is None else page.start_ms
        end_ms = ID_MAX if page.end_ms is None else page.end_ms
        arguments = [page.user_id, start_ms, end_ms]
        order = ("user_id", "created_ms", "order_list_id")
        key = f"({', '.join(order)})"
        bounds = f"{key} >= ($1, $2, {ID_MIN}) AND {key} <= ($1, $3, {ID_MAX})"
    way = "ASC" if page.is_upward else "DESC"
    ordered = ", ".join(f"{column} {way}" for column in order)
    return (
        f"SELECT {LIST_COLUMNS} FROM order_lists WHERE {bounds} ORDER BY {ordered} LIMIT {page.limit:d}"
    ), arguments
