"""What the event log tells the user service, and the shared look at the log's end."""

import asyncio
from typing import cast

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.codec import EMPTY_CHAIN_HASH
from exchange.contracts.events import AssetRegistered, DepositCredited, TradingModeChanged
from exchange.log.barrier import OutcomeBarrier
from exchange.log.event_tail import EventTail, TailPosition
from exchange.log.gateway import CommandGateway
from matching_engine.core.engine import Engine
from services.projections.ledger.batch import LedgerBatch
from services.projections.ledger.entries import MarketAssets
from services.user.money import event_follower
from services.user.money.event_follower import EventFollower
from services.user.money.transfers import Transfers
from services.user.money.withdrawal_guard import WithdrawalGuard
from services.user.tables.ledger import Asset, Ledger
from tests.event_streams import START_MS, EventStream
from tests.property.terms_traffic import USERS, TermsTraffic, genesis


async def follower_of(log: MemoryLog) -> EventFollower:
    return EventFollower(EventTail(await log.reader(0), TailPosition(0, EMPTY_CHAIN_HASH, 0)), ())


async def test_the_last_seq_of_a_user_is_never_too_low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_follower, "_USERS_MAX", 2)
    log, stream = MemoryLog(lambda: 0), EventStream()
    stream.append(AssetRegistered(1, "BTC", 8))
    for user_id in (11, 12, 11, 13):
        stream.append(DepositCredited(user_id, 1, 5, stream.seq + 1))
    stream.append(TradingModeChanged(1, 4))
    await (await log.writer()).append(stream.take_record())
    follower = await follower_of(log)
    await follower.read(100)
    assert follower.asset("BTC") == follower.asset_by_id(1) == Asset(1, "BTC", 8)
    assert follower.last_seq_of(11) == 4
    assert follower.last_seq_of(13) == 5
    # 12 was forgotten to make room: at seq 3 it moved last, and so may anybody who is not known.
    assert follower.last_seq_of(12) == 3
    assert follower.last_seq_of(99) == 3


async def test_every_event_that_moves_a_users_money_is_remembered_as_his() -> None:
    """By the ledger's own word for what moves money, so that no kind of event is left out."""
    traffic, stream, engine, log = TermsTraffic(9), EventStream(), Engine(), MemoryLog(lambda: 0)
    writer, follower = await log.writer(), await follower_of(log)
    markets: dict[int, MarketAssets] = {}
    moved: dict[int, int] = {}
    for command in (*genesis(), *traffic.take(600)):
        outcome = stream.append(*engine.apply(command, START_MS + len(stream.outcomes)))
        await writer.append(stream.take_record())
        await follower.read(100)
        batch = LedgerBatch(markets)
        batch.add([outcome])
        moved |= {user_id: seq for _, seq, _, user_id, *_ in batch.entries if user_id}
        for user_id, seq in moved.items():
            assert follower.last_seq_of(user_id) >= seq, outcome
    assert set(moved) == set(USERS)


async def test_a_reader_waits_until_the_log_was_read_that_far() -> None:
    log, stream = MemoryLog(lambda: 0), EventStream()
    follower = await follower_of(log)
    waiting = asyncio.create_task(follower.has_read_to(1))
    await follower.read(1)
    assert not waiting.done()
    stream.append(AssetRegistered(1, "BTC", 8))
    await (await log.writer()).append(stream.take_record())
    await follower.read(100)
    await asyncio.wait_for(waiting, 1)


class SlowLog(MemoryLog):
    """Answers where it ends after a while, with the end as of the question."""

    def __init__(self) -> None:
        super().__init__(lambda: 0)
        self.end = 0
        self.looks = 0

    async def end_offset(self) -> int:
        self.looks += 1
        end = self.end
        await asyncio.sleep(0.02)
        return end


async def test_many_readers_share_a_look_at_the_end_of_the_log_but_never_an_old_one() -> None:
    log = SlowLog()
    transfers = Transfers(
        cast(CommandGateway, None),
        await follower_of(log),
        log,
        cast(Ledger, None),
        cast(WithdrawalGuard, None),
        OutcomeBarrier(log),
        shard=0,
        faucet=False,
    )
    asked: list[tuple[int, asyncio.Task[int]]] = []
    for end in range(40):
        log.end = end
        asked.append((end, asyncio.create_task(transfers._fresh_end_offset())))
        await asyncio.sleep(0.003)
    for end, task in asked:
        assert await task >= end
    assert log.looks < 20
