"""Where the market's history is kept, as the settings say."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

from exchange.adapters.aws.calls import AwsCalls
from exchange.adapters.aws.dynamodb import DynamoTable
from exchange.adapters.aws.kinesis import KinesisStream
from exchange.adapters.files.history import FolderStream, FolderTable
from exchange.ports.world import HistoryError, HistoryTable, RecordStream
from exchange.process.config import Settings, SettingsError

__all__ = ["HistoryTables", "open_lake", "open_market_history"]

_TABLES: Final = re.compile(r"dynamodb:([A-Za-z0-9_.-]{3,255}),([A-Za-z0-9_.-]{3,255})", re.ASCII)
_STREAM: Final = re.compile(r"kinesis:([A-Za-z0-9_.-]{1,128})", re.ASCII)
_FOLDER: Final = re.compile(r"folder:(.+)")
# DynamoDB: one key takes 1,000 writes a second, so more calls at once do not make more writes.
_DYNAMODB_THREADS: Final = 16
_DYNAMODB_TRIES: Final = 3
# The writer sends refused records again itself, in order (services/market_history); botocore would mix them.
_KINESIS_TRIES: Final = 1


class HistoryTables(NamedTuple):
    """`candles` also holds the markets, and where each follower of the log stands."""

    candles: HistoryTable
    trades: HistoryTable


@contextlib.asynccontextmanager
async def open_market_history(settings: Settings) -> AsyncIterator[HistoryTables]:
    """The tables. Raises SettingsError, also when the settings name none."""
    place = settings.market_history
    if match := _FOLDER.fullmatch(place):
        candles, trades = (FolderTable(Path(match[1]), name) for name in ("candles", "trades"))
        try:
            yield HistoryTables(candles, trades)
        finally:
            await candles.close()
            await trades.close()
    elif match := _TABLES.fullmatch(place):
        calls = AwsCalls(
            "dynamodb",
            deadline_ms=settings.market_history_deadline_ms,
            failure=HistoryError,
            tries=_DYNAMODB_TRIES,
            threads=_DYNAMODB_THREADS,
        )
        try:
            yield HistoryTables(
                DynamoTable(calls, match[1], "open_time_ms"), DynamoTable(calls, match[2], "trade_id")
            )
        finally:
            await calls.close()
    else:
        raise SettingsError(
            f"market_history={place!r} is neither dynamodb:<candles>,<trades> nor folder:<path>"
        )


@contextlib.asynccontextmanager
async def open_lake(settings: Settings) -> AsyncIterator[RecordStream | None]:
    """The stream, None when the settings name none. Raises SettingsError."""
    place = settings.lake
    if not place:
        yield None
    elif match := _FOLDER.fullmatch(place):
        stream = FolderStream(Path(match[1]))
        try:
            yield stream
        finally:
            await stream.close()
    elif match := _STREAM.fullmatch(place):
        calls = AwsCalls(
            "kinesis",
            deadline_ms=settings.market_history_deadline_ms,
            failure=HistoryError,
            tries=_KINESIS_TRIES,
            threads=2,
        )
        try:
            yield KinesisStream(calls, match[1])
        finally:
            await calls.close()
    else:
        raise SettingsError(f"lake={place!r} is neither kinesis:<stream> nor folder:<path>")
