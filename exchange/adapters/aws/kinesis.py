"""A stream of Kinesis. The partition key keeps the records of one key in one shard.

PutRecords promises no order among the records of one call. The port gives one record of each key at a time,
and the next ones only when those have been taken: so each key's records are in order whatever is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from exchange.adapters.aws.calls import AwsCalls, error_code, is_throttled
from exchange.ports.world import HistoryError

__all__ = ["KinesisStream"]

# PutRecords takes 1 MiB a record, 5 MiB and 500 records a call, partition keys included.
RECORD_SIZE_BYTES_MAX: Final = 1_000_000
_CALL_SIZE_BYTES_MAX: Final = 5_000_000
_RECORDS_PER_CALL_MAX: Final = 500


class KinesisStream:
    """A `RecordStream`. The stream exists: infra/terraform/modules/lake."""

    def __init__(self, calls: AwsCalls, stream: str) -> None:
        self._calls = calls
        self._stream = stream

    async def put(self, records: Mapping[str, bytes]) -> Sequence[str]:
        """One call after the other; what one refuses does not hold back the next."""
        refused: list[str] = []
        for part in _parts(records):
            refused += await self._put(part)
        return refused

    async def _put(self, records: Mapping[str, bytes]) -> Sequence[str]:
        entries = [{"PartitionKey": key, "Data": data} for key, data in records.items()]

        def put(client: Any) -> Sequence[str]:
            try:
                answer = client.put_records(StreamName=self._stream, Records=entries)
            except ClientError as error:
                if is_throttled(error_code(error)):
                    return list(records)
                raise
            # The answer is in the order of the request.
            outcomes = zip(records, answer["Records"], strict=True)
            return [key for key, outcome in outcomes if outcome.get("ErrorCode")]

        return await self._calls.call(f"{self._stream}: {len(records)} records", put)


def _parts(records: Mapping[str, bytes]) -> list[dict[str, bytes]]:
    parts: list[dict[str, bytes]] = []
    size_bytes = _CALL_SIZE_BYTES_MAX
    for key, data in records.items():
        own_bytes = len(data) + len(key.encode())
        if own_bytes > RECORD_SIZE_BYTES_MAX:
            raise HistoryError(f"a record of {key} has {own_bytes} bytes")
        if size_bytes + own_bytes > _CALL_SIZE_BYTES_MAX or len(parts[-1]) == _RECORDS_PER_CALL_MAX:
            parts.append({})
            size_bytes = 0
        parts[-1][key] = data
        size_bytes += own_bytes
    return parts
