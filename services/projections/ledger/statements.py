"""What all writers of the ledger's tables need: rows by COPY, texts for PostgreSQL, counts that must fit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = ["LedgerError", "columns", "copy", "expect", "text"]


class LedgerError(Exception):
    """The events and the tables contradict each other: stop, do not guess."""


def columns(names: str) -> tuple[str, ...]:
    """Names that stand in one text."""
    return tuple(names.split())


async def copy(
    connection: "AnyConnection", table: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert the rows, if there are any."""
    if rows:
        await connection.copy_records_to_table(table, records=rows, columns=names)


def text(value: str) -> str:
    """PostgreSQL has no NUL in text, and a trader's text must not stop the ledger."""
    return value.replace("\x00", "\ufffd")


def expect(status: str, count: int, what: str) -> None:
    """Raise LedgerError when a statement changed another number of rows."""
    if status.rpartition(" ")[2] != str(count):
        raise LedgerError(f"{what}: {count} on the log, {status} in the tables")
