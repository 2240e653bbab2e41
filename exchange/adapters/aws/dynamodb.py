"""Rows in DynamoDB: `series` is the partition key, `number` the sort key under the table's own name for it.

A row is always written whole. Values are numbers or texts; `expires_at_s` is the table's TTL attribute.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from botocore.exceptions import ClientError

from exchange.adapters.aws.calls import AwsCalls, error_code, is_throttled
from exchange.ports.world import HistoryError, HistoryRow

__all__ = ["DynamoTable"]

# Of BatchWriteItem.
_ROWS_PER_CALL_MAX: Final = 25
# A bound on what waits for a thread, and so for its deadline.
_CALLS_AT_ONCE_MAX: Final = 64
_EXPIRES: Final = "expires_at_s"

_Item = dict[str, dict[str, str]]


class DynamoTable:
    """A `HistoryTable`. The table exists: infra/terraform/modules/market_history."""

    def __init__(self, calls: AwsCalls, table: str, number_name: str) -> None:
        """`number_name`: the table's sort key, a number."""
        self._calls = calls
        self._table = table
        self._number_name = number_name

    async def put(self, rows: Sequence[HistoryRow], newer_by: str | None = None) -> Sequence[HistoryRow]:
        """In batches, or row by row where each has a condition: DynamoDB takes none for a batch."""
        # A batch must not name a key twice; the last row of a key is the one that counts.
        distinct = list({(row.series, row.number): row for row in rows}.values())
        rows_per_call = _ROWS_PER_CALL_MAX if newer_by is None else 1
        parts = [distinct[first : first + rows_per_call] for first in range(0, len(distinct), rows_per_call)]
        refused: list[HistoryRow] = []
        for first in range(0, len(parts), _CALLS_AT_ONCE_MAX):
            calls = (
                self._put_batch(part) if newer_by is None else self._put_newer(part[0], newer_by)
                for part in parts[first : first + _CALLS_AT_ONCE_MAX]
            )
            # No earlier than all of them have ended: none arrives behind what is written next.
            for outcome in await asyncio.gather(*calls, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
                refused += outcome
        return refused

    async def read(
        self, series: str, first: int, last: int, *, limit: int, newest_first: bool = False
    ) -> list[HistoryRow]:
        """Query page by page, consistently."""
        if first > last or limit <= 0:
            return []
        arguments: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
            "KeyConditionExpression": "series = :series AND #number BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#number": self._number_name},
            "ExpressionAttributeValues": {
                ":series": {"S": series},
                ":first": {"N": str(first)},
                ":last": {"N": str(last)},
            },
        }
        found: list[HistoryRow] = []
        while True:
            page = arguments | {"Limit": limit - len(found)}
            answer = await self._calls.call(f"{self._table}: read {series}", partial(_query, page))
            found += map(self._row, answer["Items"])
            start = answer.get("LastEvaluatedKey")
            if start is None or len(found) >= limit:
                return found
            arguments["ExclusiveStartKey"] = start

    async def _put_batch(self, rows: Sequence[HistoryRow]) -> Sequence[HistoryRow]:
        requests = [{"PutRequest": {"Item": self._item(row)}} for row in rows]

        def put(client: Any) -> Any:
            try:
                answer = client.batch_write_item(RequestItems={self._table: requests})
            except ClientError as error:
                if is_throttled(error_code(error)):
                    return requests
                raise
            return answer.get("UnprocessedItems", {}).get(self._table, [])

        left = await self._calls.call(f"{self._table}: write {len(rows)} rows", put)
        return [self._row(request["PutRequest"]["Item"]) for request in left]

    async def _put_newer(self, row: HistoryRow, newer_by: str) -> Sequence[HistoryRow]:
        def put(client: Any) -> Sequence[HistoryRow]:
            try:
                client.put_item(
                    TableName=self._table,
                    Item=self._item(row),
                    ConditionExpression="attribute_not_exists(series) OR #field < :field",
                    ExpressionAttributeNames={"#field": newer_by},
                    ExpressionAttributeValues={":field": _typed(row.values[newer_by])},
                )
            except ClientError as error:
                if is_throttled(error_code(error)):
                    return (row,)
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
            return ()

        return await self._calls.call(f"{self._table}: write {row.series}", put)

    def _item(self, row: HistoryRow) -> _Item:
        item = {name: _typed(value) for name, value in row.values.items()}
        item["series"] = {"S": row.series}
        item[self._number_name] = {"N": str(row.number)}
        if row.expires_at_s is not None:
            item[_EXPIRES] = {"N": str(row.expires_at_s)}
        return item

    def _row(self, item: _Item) -> HistoryRow:
        values = {name: _plain(value) for name, value in item.items()}
        series, number, expires = (values.pop(n, None) for n in ("series", self._number_name, _EXPIRES))
        if not isinstance(series, str) or not isinstance(number, int) or isinstance(expires, str):
            raise HistoryError(f"{self._table} holds an item that is no row: {item}")
        return HistoryRow(series, number, values, expires)


def _query(arguments: Mapping[str, Any], client: Any) -> Any:
    return client.query(**arguments)


def _typed(value: int | str) -> dict[str, str]:
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def _plain(value: Mapping[str, str]) -> int | str:
    return int(value["N"]) if "N" in value else str(value.get("S", ""))
