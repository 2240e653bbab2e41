"""What statements cost the database: rows that its plans read, by table, whatever the clock says."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from exchange.process.readers import Readers

if TYPE_CHECKING:
    from exchange.process.readers import Connection

__all__ = ["WatchedReaders", "rows_read"]

_KEYS = (
    "Actual Rows",
    "Rows Removed by Filter",
    "Rows Removed by Index Recheck",
    "Rows Removed by Join Filter",
)


class WatchedReaders(Readers):
    """Notes every statement that is asked over the connections it lends."""

    statements: list[tuple[str, tuple[Any, ...]]]

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[Connection]":
        """As `Readers`."""
        async with super().connection() as lent:
            lent.add_query_logger(self._note)
            try:
                yield lent
            finally:
                lent.remove_query_logger(self._note)

    def _note(self, record: Any) -> None:
        vars(self).setdefault("statements", []).append((record.query, tuple(record.args or ())))

    def take(self) -> list[tuple[str, tuple[Any, ...]]]:
        """The questions since the last call."""
        taken: list[tuple[str, tuple[Any, ...]]] = vars(self).pop("statements", [])
        return [one for one in taken if one[0].lstrip().upper().startswith(("SELECT", "WITH"))]


async def rows_read(
    connection: "Connection", statement: str, arguments: tuple[Any, ...]
) -> Mapping[str, int]:
    """Ask again, and count: table -> rows that a scan of it looked at, those it threw away among them."""
    text = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
    counted: Counter[str] = Counter()
    for node in _nodes(json.loads(text)[0]["Plan"]):
        if "Relation Name" in node:
            rows = sum(node.get(key, 0) for key in _KEYS)
            counted[node["Relation Name"]] += rows * node["Actual Loops"]
    return counted


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
