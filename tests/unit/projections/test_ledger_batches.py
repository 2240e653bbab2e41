"""One transaction of the ledger is bounded by its entries, and gets smaller when it takes too long."""

import asyncio
import copy
from types import SimpleNamespace
from typing import Any, cast

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts import limits
from exchange.contracts.codec import CommandOutcome, RecordedEvent
from exchange.contracts.events import OrderAccepted, OrderClosed, TradeExecuted
from exchange.log.event_tail import TailPosition
from exchange.process import patience
from exchange.process.config import Settings
from services.projections.ledger.batch import LedgerBatch
from services.projections.ledger.entries import MarketAssets, entries_max_of, entries_of
from services.projections.ledger.projection import LedgerProjection, chunk_length
from tests.event_streams import RandomTrading

MARKETS = {1: MarketAssets(1, 2)}
# With every entry that a trade can have: both fees and a better price.
TRADE = TradeExecuted(1, 1, 1, 10, 10, 100, 200, 1, 7, 1, 5, 2, 8, 1)


def outcome(trades: int) -> CommandOutcome:
    return CommandOutcome(1, 0, 1, 1, tuple(RecordedEvent(1, b"", TRADE) for _ in range(trades)))


def test_no_event_has_more_entries_than_are_reckoned_with() -> None:
    assert len(entries_of(TRADE, MARKETS)) == limits.ENTRIES_PER_TRADE_MAX
    closed = OrderClosed(1, 7, 1, 1, 10, 4, 1, 5, 5, "", 0)
    accepted = OrderAccepted(1, 7, 1, "a", 1, 1, 1, 10, 10, 0, 1, 5, 10)
    for event in (closed, accepted):
        assert len(entries_of(event, MARKETS)) == limits.ENTRIES_PER_ORDER_EVENT_MAX
    trading = RandomTrading(3)
    trading.run(300)
    for traded in trading.stream.outcomes:
        found = sum(len(entries_of(recorded.event, RandomAssets())) for recorded in traded.events)
        assert found <= entries_max_of(traded)


class RandomAssets(dict[int, MarketAssets]):
    def __missing__(self, market_id: int) -> MarketAssets:
        return MarketAssets(1, 2)


def test_a_transaction_is_cut_by_entries() -> None:
    outcomes = [outcome(1_000) for _ in range(110)]
    assert chunk_length(outcomes, limits.LEDGER_ENTRIES_PER_BATCH_MAX) == 2
    assert chunk_length(outcomes, 1) == 1, "an outcome is never split"
    small = [outcome(1) for _ in range(3_000)]
    assert chunk_length(small, limits.LEDGER_ENTRIES_PER_BATCH_MAX) == 2_000
    assert chunk_length(small[:7], limits.LEDGER_ENTRIES_PER_BATCH_MAX) == 7


class SlowStore:
    """A database that needs too long for more than `bears` entries; keeps what it was given."""

    def __init__(self, bears: int) -> None:
        self.bears = bears
        self.position = TailPosition(0, bytes(16), 0)
        self.sizes: list[int] = []
        self.markets: dict[int, MarketAssets] = {}

    async def resume(self, shard: int) -> tuple[TailPosition, dict[int, MarketAssets]]:
        return copy.copy(self.position), dict(self.markets)

    async def write(
        self, shard: int, expected_seq: int, position: TailPosition, time_ms: int, batch: LedgerBatch
    ) -> None:
        assert expected_seq == self.position.seq
        self.sizes.append(len(batch.entries))
        if len(batch.entries) > self.bears:
            raise TimeoutError("the statement took too long")
        self.position = position
        for market in batch.new_markets:
            self.markets[market.market_id] = MarketAssets(market.base_asset_id, market.quote_asset_id)

    async def fold_older(self) -> list[object]:
        return []


async def test_what_takes_too_long_gets_smaller_until_it_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAIT_S_MAX", 0.01)
    trading = RandomTrading(5)
    trading.run(400)
    stream, store, log = trading.stream, SlowStore(bears=60), MemoryLog(lambda: 1)
    writer = await log.writer()
    await writer.append(stream.record(stream.outcomes))
    resources = SimpleNamespace(settings=Settings(), event_log=log, database=None)
    ledger = LedgerProjection(cast(Any, resources), cast(Any, store))
    await ledger.start()
    running = asyncio.create_task(ledger.run())
    async with asyncio.timeout(60):
        while store.position.seq < stream.seq:
            assert not running.done(), running
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    await ledger.stop()
    assert store.sizes[0] > store.bears, "the first was too large, and so were some after it"
    assert sum(size <= store.bears for size in store.sizes) > 10
