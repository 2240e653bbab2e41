"""A log of trades for these tests, what it should come to, and what the lake holds of it."""

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import boto3

from exchange.adapters.chosen.market_history import open_lake, open_market_history
from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.events import TradeExecuted
from exchange.ports.world import HistoryTable, Log, RecordStream
from exchange.process.config import Settings
from exchange.trading.candles import CandleStore
from exchange.trading.trades import Trade
from services.market_history.component import HistoryFollower
from services.market_history.main import followers
from services.market_history.reader import HistoryReader
from tests.event_streams import START_MS, EngineStream

SYMBOLS = {1: "BTCUSDT", 2: "ETHUSDT"}
WAIT_S = 300.0


class Tape:
    """Random trades of two markets in an event log, and the same trades by themselves."""

    def __init__(self, seed: int) -> None:
        print(f"seed {seed}")
        self._random = random.Random(seed)
        self._stream = EngineStream()
        self._time_ms = START_MS
        self.log = MemoryLog(lambda: self._time_ms)
        self.trades: dict[str, list[Trade]] = {symbol: [] for symbol in SYMBOLS.values()}

    @property
    def seq(self) -> int:
        """Of the newest event."""
        return self._stream.seq

    @property
    def now_ms(self) -> int:
        """Time of the newest event."""
        return self._time_ms

    async def grow(self, trades: int, *, gap_ms_max: int = 2_000, markets: Sequence[int] = (1, 2)) -> None:
        """Append so many trades, several to an outcome and several outcomes to a record, some repeated."""
        pick = self._random
        left = trades
        while left:
            self._time_ms += pick.choice((0, pick.randint(0, gap_ms_max)))
            market_id = pick.choice(markets)
            count = min(left, pick.randint(1, 5))
            events = [self._trade(market_id) for _ in range(count)]
            self._stream.append(*events, time_ms=self._time_ms)
            left -= count
        writer = await self.log.writer()
        for record in self._stream.take_records(7):
            await writer.append(record)
            if pick.random() < 0.1:
                await writer.append(record)

    def _trade(self, market_id: int) -> TradeExecuted:
        pick = self._random
        trades = self.trades[SYMBOLS[market_id]]
        lots, ticks = pick.randint(1, 50), pick.randint(9_000, 11_000)
        event = TradeExecuted(
            market_id, len(trades) + 1, pick.choice((BUY, SELL)), ticks, lots, lots * 1_000,
            lots * ticks * 10, pick.randint(1, 99), 1001, 1, 0, pick.randint(1, 99), 1002, 1,
        )  # fmt: skip
        trades.append(Trade.from_event(event, self._time_ms))
        return event


def candles_of(trades: Sequence[Trade]) -> CandleStore:
    """What the market-data service makes of the same trades."""
    store = CandleStore()
    for trade in trades:
        store.add(trade)
    return store


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[HistoryTable, HistoryTable, RecordStream]]:
    """Tables of candles and trades, and the lake."""
    async with open_market_history(settings) as tables, open_lake(settings) as lake:
        assert lake is not None
        yield tables.candles, tables.trades, lake


@contextlib.asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[HistoryReader]:
    async with open_market_history(settings) as (candles, trades):
        yield HistoryReader(candles, trades, shard=0, key_shards=settings.market_history_shards)


@contextlib.asynccontextmanager
async def running(components: Sequence[HistoryFollower]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    for component in components:
        await component.start()
    tasks = [asyncio.create_task(component.run()) for component in components]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for component in components:
            await component.stop()


async def until_written(components: Sequence[HistoryFollower], seq: int, tasks: Sequence[Any] = ()) -> None:
    """Wait until everything up to `seq` is written; what ends a component ends the wait."""
    async with asyncio.timeout(WAIT_S):
        while any(component.recorded_seq < seq for component in components):
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.02)


async def follow(settings: Settings, log: Log, seq: int) -> None:
    """Run all followers in a process of their own, as it were, until everything is written."""
    async with open_market_history(settings) as tables, open_lake(settings) as lake:
        components = followers(settings, log, tables, lake)
        async with running(components) as tasks:
            await until_written(components, seq, tasks)


def lake_records(settings: Settings) -> list[bytes]:
    """Every record of the lake, shard by shard in order; a folder's files count as one record each."""
    kind, _, place = settings.lake.partition(":")
    if kind == "folder":
        return [path.read_bytes() for path in sorted(Path(place).glob("*.jsonl"))]
    client = boto3.client("kinesis")
    records: list[bytes] = []
    for shard in client.list_shards(StreamName=place)["Shards"]:
        start = client.get_shard_iterator(
            StreamName=place, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while start:
            page = client.get_records(ShardIterator=start, Limit=1_000)
            records += [record["Data"] for record in page["Records"]]
            start = page.get("NextShardIterator") if page["Records"] else None
    client.close()
    return records


def lake_lines(records: Sequence[bytes]) -> dict[str, list[dict[str, Any]]]:
    """The lines of each market in the order of the lake."""
    lines = itertools.chain.from_iterable(record.splitlines() for record in records)
    found: dict[str, list[dict[str, Any]]] = {}
    for line in map(json.loads, lines):
        found.setdefault(line["symbol"], []).append(line)
    return found
