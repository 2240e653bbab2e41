"""An account's papers: tables of orders, fills and entries, and the statement of a month. Pure.

Amounts are text with all decimals of their asset. A statement's lines are sums of the ledger by kind; each
asset's end is its beginning and the sum of its lines, and is checked to be so before anything is shown.
"""

import calendar
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from exchange.contracts.codes import ORDER_STATUS_NAMES, ORDER_TYPE_NAMES, SIDE_NAMES, TIME_IN_FORCE_NAMES
from exchange.money import format_fixed
from services.user.tables.reports import LedgerSum, Span

__all__ = [
    "MONTH_PATTERN",
    "Statement",
    "StatementLine",
    "csv_of",
    "entry_table",
    "fill_table",
    "month_span",
    "order_table",
    "statement_of",
]

MONTH_PATTERN: Final = "^20[0-9]{2}-(0[1-9]|1[0-2])$"

Table = list[list[str]]
_BUCKETS: Final = {1: "AVAILABLE", 2: "HELD"}
# Moves between available and held: of the account as a whole they are nothing.
_INSIDE: Final = frozenset({"ORDER_HOLD", "ORDER_RELEASE", "WITHDRAWAL_RESERVE", "WITHDRAWAL_RELEASE"})


class StatementLine(NamedTuple):
    """One asset's month: the beginning, the sums by kind, the end."""

    asset: str
    opening: str
    movements: Mapping[str, str]
    closing: str


class Statement(NamedTuple):
    """The lines of all assets that the account had or moved. `month`: 2026-11."""

    month: str
    email: str
    lines: Sequence[StatementLine]

    def document(self) -> dict[str, Any]:
        """The month for a JSON encoder."""
        return {"month": self.month, "lines": [line._asdict() for line in self.lines]}

    def table(self) -> Table:
        """Rows for people and programs: asset, what, amount."""
        rows = [["asset", "line", "amount"]]
        for line in self.lines:
            rows.append([line.asset, "OPENING", line.opening])
            rows += [[line.asset, kind, amount] for kind, amount in line.movements.items()]
            rows.append([line.asset, "CLOSING", line.closing])
        return rows


def month_span(month: str) -> Span:
    """From the first of a month, in UTC, to the first of the next. `month` matches MONTH_PATTERN."""
    start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    from_ms = int(start.timestamp()) * 1000
    return Span(from_ms, from_ms + calendar.monthrange(start.year, start.month)[1] * 86_400_000)


def statement_of(
    month: str, email: str, before: Iterable[LedgerSum], within: Iterable[LedgerSum]
) -> Statement:
    """The statement from the ledger's sums before the month and within it."""
    decimals: dict[str, int] = {}
    opening: dict[str, int] = {}
    movements: dict[str, dict[str, int]] = {}
    for one in before:
        decimals[one.code] = one.decimals
        opening[one.code] = opening.get(one.code, 0) + one.amount_atoms
    for one in within:
        decimals[one.code] = one.decimals
        movements.setdefault(one.code, {})[one.kind] = one.amount_atoms
    lines = []
    for code in sorted(decimals):
        kinds = movements.get(code, {})
        assert all(kinds.get(kind, 0) == 0 for kind in _INSIDE), "what moves inside the account adds up to 0"
        shown = {kind: amount for kind, amount in sorted(kinds.items()) if kind not in _INSIDE}
        start = opening.get(code, 0)
        if start == 0 and not shown:
            continue
        fixed = {kind: format_fixed(amount, decimals[code]) for kind, amount in shown.items()}
        end = format_fixed(start + sum(shown.values()), decimals[code])
        lines.append(StatementLine(code, format_fixed(start, decimals[code]), fixed, end))
    return Statement(month, email, lines)


def csv_of(table: Table) -> bytes:
    """RFC 4180, UTF-8; a text that a spreadsheet would take for a formula stands behind an apostrophe."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[_harmless(cell) for cell in row] for row in table])
    return out.getvalue().encode()


def _harmless(cell: str) -> str:
    is_number = cell[1:2].isdigit() and cell.startswith("-")
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not is_number else cell


def order_table(rows: Sequence[Any]) -> Table:
    """Orders, one a row, times in ISO 8601."""
    head = (
        "time,updated,market,orderId,clientOrderId,side,type,timeInForce,price,quantity,filled,total,status"
    )
    return [
        head.split(","),
        *(
            [
                _utc(row["created_ms"]),
                _utc(row["updated_ms"]),
                row["symbol"],
                str(row["order_id"]),
                row["client_order_id"],
                SIDE_NAMES[row["side"]],
                ORDER_TYPE_NAMES[row["order_type"]],
                TIME_IN_FORCE_NAMES[row["time_in_force"]],
                format_fixed(row["price_ticks"] * row["tick_atoms"], row["quote_decimals"]),
                format_fixed(row["quantity_lots"] * row["lot_atoms"], row["base_decimals"]),
                format_fixed(row["executed_lots"] * row["lot_atoms"], row["base_decimals"]),
                format_fixed(row["executed_quote_atoms"], row["quote_decimals"]),
                ORDER_STATUS_NAMES[row["status"]],
            ]
            for row in rows
        ),
    ]


def fill_table(rows: Sequence[Any]) -> Table:
    """Fills, one a row, each with its fee in the asset in which it was paid."""
    head = "time,market,tradeId,orderId,side,role,price,quantity,total,fee,feeAsset"
    table = [head.split(",")]
    for row in rows:
        table.append(
            [
                *(_utc(row["time_ms"]), row["symbol"], str(row["trade_id"]), str(row["order_id"])),
                *(SIDE_NAMES[row["side"]], "TAKER" if row["is_taker"] else "MAKER"),
                format_fixed(row["price_ticks"] * row["tick_atoms"], row["quote_decimals"]),
                format_fixed(row["base_atoms"], row["base_decimals"]),
                format_fixed(row["quote_atoms"], row["quote_decimals"]),
                format_fixed(row["fee_atoms"], row["fee_decimals"]),
                row["fee_asset"],
            ]
        )
    return table


def entry_table(rows: Sequence[Any]) -> Table:
    """Entries of the ledger, one a row; an asset's amounts add up to what it moved."""
    return [
        ["time", "entryId", "asset", "amount", "bucket", "kind", "reference"],
        *(
            [
                *(_utc(row["time_ms"]), str(row["entry_id"]), row["code"]),
                format_fixed(row["amount_atoms"], row["decimals"]),
                *(_BUCKETS[row["bucket"]], row["kind"], row["reference"]),
            ]
            for row in rows
        ),
    ]


def _utc(time_ms: int) -> str:
    return (
        datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
