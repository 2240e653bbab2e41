"""The past of a fresh exchange: believable, the same for a seed, taken by the engine without a refusal."""

from itertools import pairwise
from pathlib import Path

import pytest

from exchange.adapters.files.log import FileLog
from exchange.adapters.files.past import write_past
from exchange.contracts.codec import encode_commands, outcomes_of
from exchange.contracts.commands import CancelAllOrders, RegisterMarket
from exchange.contracts.events import CommandRejected, OrderAccepted, TradeExecuted
from exchange.ports.world import LogError
from local.past.trading import Moment, past
from local.past.writing import give_past
from matching_engine.core.engine import Engine
from matching_engine.core.invariants import check_invariants
from matching_engine.core.shard import Shard
from matching_engine.genesis import genesis_commands

END_MS = 1_795_000_000_000
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    """One past."""
    return list(past(genesis_commands(), END_MS, 5))


def encoded(moments: list[Moment]) -> list[tuple[int, bytes]]:
    """As it is written."""
    return [(moment.time_ms, encode_commands(moment.commands)) for moment in moments]


def test_the_same_seed_gives_the_same_past(moments: list[Moment]) -> None:
    assert encoded(list(past(genesis_commands(), END_MS, 5))) == encoded(moments)
    assert encoded(list(past(genesis_commands(), END_MS, 6))) != encoded(moments)


def test_the_engine_refuses_nothing_of_it(moments: list[Moment]) -> None:
    shard = Shard(Engine())
    trades: dict[int, list[tuple[int, int]]] = {}
    resting = 0
    for offset, (time_ms, value) in enumerate(encoded(moments)):
        for outcome in outcomes_of(shard.apply_record(offset, time_ms, value)):
            assert outcome.time_ms == time_ms
            for recorded in outcome.events:
                event = recorded.event
                assert not isinstance(event, CommandRejected), vars(event)
                if isinstance(event, TradeExecuted):
                    trades.setdefault(event.market_id, []).append((time_ms, event.price_ticks))
                resting += isinstance(event, OrderAccepted) and offset == len(moments) - 1
    check_invariants(shard.engine)
    # Enough for 200 candles of a minute, of an hour, and of a day, in each market.
    assert len(trades) == 3
    for times_and_prices in trades.values():
        for step_ms in (60_000, 3_600_000, DAY_MS):
            assert len({time_ms // step_ms for time_ms, _ in times_and_prices}) > 200
        prices = [price for _, price in times_and_prices]
        assert max(abs(after - before) / before for before, after in pairwise(prices)) < 0.05
        assert max(prices) > 1.02 * min(prices)
    assert trades[1][-1][1] == pytest.approx(6_500_000, rel=0.001)
    # The book that is left takes more than a first order.
    assert resting == 3 * 2 * 60
    book = shard.engine.markets[1]
    assert book.rules.symbol == "BTCUSDT"


def test_assets_whose_value_nobody_knows_have_none(tmp_path: Path) -> None:
    known = [c for c in genesis_commands() if not isinstance(c, RegisterMarket)]
    assert len(list(past(known, END_MS, 5))) == 1


async def test_it_is_written_once_and_read_as_any_log(tmp_path: Path) -> None:
    path = tmp_path / "commands.log"
    count = give_past(path)
    assert count > 1_000
    assert give_past(path) == 0
    log = await FileLog.open(path, 5_000)
    try:
        assert (await log.first_offset(), await log.end_offset()) == (0, count)
        last = await log.last()
        assert last is not None
        reader = await log.reader(0)
        read, newest_ms = 0, 0
        while read < count:
            for record in await reader.read(1_000):
                assert record.offset == read
                assert record.timestamp_ms >= newest_ms
                read, newest_ms = read + 1, record.timestamp_ms
        await reader.close()
        # What comes now is stamped behind it.
        writer = await log.writer()
        await writer.append(encode_commands([CancelAllOrders(1, 1, 1, "", 0)]))
        await writer.close()
        newest = await log.last()
        assert newest is not None
        assert newest.timestamp_ms > last.timestamp_ms
    finally:
        await log.close()


def test_a_past_never_replaces_a_log_and_never_goes_back(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="older"):
        write_past(tmp_path / "log", [(2, b"x"), (1, b"y")])
    assert not (tmp_path / "log").exists()
    # A run that was killed in the middle left a draft.
    assert write_past(tmp_path / "log", [(1, b"x")]) == 1
    with pytest.raises(LogError, match="already"):
        write_past(tmp_path / "log", [(1, b"x")])
