"""What PostgreSQL was asked, from its own log, and what each statement reads: rows and pages."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

__all__ = ["LOGGED", "Plan", "Statement", "plan_of", "read_by", "statements_of"]

_RECORD: Final = "\x1e"
# A server with these settings logs each statement with its parameters, and records that can be told apart.
LOGGED: Final = {
    "log_line_prefix": _RECORD,
    "log_min_duration_statement": "0",
    "log_parameter_max_length": "-1",
    "log_error_verbosity": "default",
}
_STATEMENT: Final = re.compile(r"LOG:  duration: [\d.]+ ms  (?:execute [^:]*|statement): (.*)", re.DOTALL)
_PARAMETERS: Final = re.compile(r"DETAIL:  Parameters: (.*)", re.DOTALL | re.IGNORECASE)
_ENDS: Final = re.compile(r"\n(?!\t)")
_VALUE: Final = re.compile(r"\$\d+ = ('(?:[^']|'')*'|NULL)")
# Of connections, not of requests.
_NOT_READS: Final = (
    "BEGIN", "COMMIT", "ROLLBACK", "SET", "RESET", "SELECT pg_", "EXPLAIN", "PREPARE", "DEALLOCATE",
)  # fmt: skip
_PROBES: Final = ("SELECT 1", "SELECT 1;")


class Statement(NamedTuple):
    """A statement with its parameters as SQL text."""

    text: str
    values: tuple[str, ...]


class Plan(NamedTuple):
    """`rows`: read from tables and indexes, those that a filter dropped too; `pages` of 8 KiB touched.

    `reads`: how each table was read, in words.
    """

    rows: int
    pages: int
    took_ms: float
    reads: tuple[str, ...]


def statements_of(log: str) -> list[Statement]:
    """What was asked, in order, from a piece of the server's log."""
    found: list[Statement] = []
    for raw in log.split(_RECORD):
        # Further lines of a record begin with a tab; others were written before or after these settings held.
        record = _ENDS.split(raw, maxsplit=1)[0]
        asked, given = _STATEMENT.match(record), _PARAMETERS.match(record)
        if given is not None and found:
            found[-1] = found[-1]._replace(values=tuple(_VALUE.findall(given[1])))
        elif record.startswith("LOG:"):
            # Parsing and binding are told apart, with parameters of their own: they count for nothing.
            text = "" if asked is None else " ".join(asked[1].split())
            found.append(Statement("" if text in _PROBES or text.startswith(_NOT_READS) else text, ()))
    return [statement for statement in found if statement.text]


async def plan_of(connection: Any, statement: Statement) -> Plan:
    """Run it once more and count, in a transaction that is rolled back."""
    explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)"
    transaction = connection.transaction()
    await transaction.start()
    try:
        if statement.values:
            await connection.execute(f"PREPARE asked AS {statement.text}")
            answer = await connection.fetchval(f"{explain} EXECUTE asked({', '.join(statement.values)})")
            await connection.execute("DEALLOCATE asked")
        else:
            answer = await connection.fetchval(f"{explain} {statement.text}")
    finally:
        await transaction.rollback()
    (plan,) = json.loads(answer)
    rows, pages = read_by(plan["Plan"])
    return Plan(rows, pages, float(plan["Execution Time"]), tuple(dict.fromkeys(_reads(plan["Plan"]))))


def read_by(root: dict[str, Any]) -> tuple[int, int]:
    """Rows read and pages touched by a plan that was run with BUFFERS."""
    rows = sum(_rows_read(node) for node in _nodes(root))
    return rows, root["Shared Hit Blocks"] + root["Shared Read Blocks"]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def _rows_read(node: dict[str, Any]) -> int:
    """Of a node that reads a table or an index; others only hand on what those read."""
    if "Relation Name" not in node and "Index Name" not in node:
        return 0
    dropped = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    rows: int = round((node["Actual Rows"] + dropped) * node["Actual Loops"])
    return rows


def _reads(root: dict[str, Any]) -> Iterator[str]:
    for node in _nodes(root):
        if "Index Name" in node:
            backward = " backward" if node.get("Scan Direction") == "Backward" else ""
            yield f"{node['Node Type'].lower()} {node['Index Name']}{backward}"
        elif "Relation Name" in node:
            yield f"{node['Node Type'].lower()} {node['Relation Name']}"
