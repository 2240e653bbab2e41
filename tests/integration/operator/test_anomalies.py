"""An anomaly from the events to what operators see, and to cancel-only where the settings say so: once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY

from exchange.contracts import codes, limits
from exchange.contracts.anomaly_kinds import ACCOUNT_BURST, LATENCY, PRICE_JUMP
from exchange.contracts.codec import CodecError
from exchange.contracts.commands import SetTradingMode
from exchange.contracts.limits import ANOMALY_ACTS_WITHIN_MS
from exchange.log.event_tail import ChainError
from exchange.ports.world import LogError
from exchange.process.components import Resources
from services.anomalies import store
from services.anomalies.component import AnomalyWatcher
from services.anomalies.store import AnomalyStore
from services.anomalies.watch import Alarm, Change
from services.operator.anomalies.acts import WHO, AnomalyActs
from services.operator.orders import ListAnomalies, SetMode, Signed
from tests.at_work import eventually
from tests.event_streams import START_MS
from tests.integration.operator.test_orders import Room, resources, room, settings
from tests.integration.operator.test_tiers import ALICE, BOB, BTCUSDT, StillClock, clock, funded, trade
from tests.integration.projections.conftest import Running

__all__ = ["clock", "funded", "resources", "room", "settings"]

pytestmark = pytest.mark.integration
JUMP = Alarm(PRICE_JUMP, BTCUSDT, 0, START_MS, 9, 2_000, 1_000)


@pytest.fixture
def now() -> StillClock:
    """A moment after the engine's clock."""
    return StillClock(START_MS + 5_000)


def resources_with(room: Room, action: str) -> Resources:
    settings = room.resources.settings.model_copy(update={"anomaly_action": action})
    return replace(room.resources, settings=settings)


@asynccontextmanager
async def watching(
    room: Room, clock: StillClock, action: str = "cancel_only"
) -> AsyncIterator[AnomalyWatcher]:
    """One life of the watch, and of who acts."""
    with_action = resources_with(room, action)
    watcher = AnomalyWatcher(with_action, clock)
    acts = AnomalyActs(with_action, room.desk.carry_out, clock)
    running = Running([watcher, acts])
    await running.start()
    await running.until(lambda: watcher._tail is not None)
    yield watcher
    assert running.failure() is None
    await running.stop()


async def walk(room: Room, *prices: int) -> None:
    for price in prices:
        await trade(room, ALICE, BOB, BTCUSDT, str(price), "0.01")


async def listed(room: Room) -> list[str]:
    return (await room.desk.carry_out(Signed(ListAnomalies(), "victor", "to look"))).lines


def turned(room: Room) -> list[int]:
    """Markets that somebody turned to cancel-only, in order."""
    modes = (command for command in room.engine.commands if isinstance(command, SetTradingMode))
    return [command.market_id for command in modes if command.mode == codes.MODE_CANCEL_ONLY]


async def rows(room: Room) -> list[dict[str, Any]]:
    async with room.resources.database.acquire() as connection:
        found = await connection.fetch("SELECT * FROM anomalies ORDER BY anomaly_id")
    return [dict(row) for row in found]


async def until_row(room: Room, is_so: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(60):
        while not any(is_so(row) for row in await rows(room)):
            await asyncio.sleep(0.01)


async def test_a_walked_price_turns_its_market_once_and_an_operator_who_reopens_it_is_heeded(
    funded: Room, now: StillClock
) -> None:
    assert await listed(funded) == ["nothing was unusual"]
    before = REGISTRY.get_sample_value("exchange_anomaly_acts_total", {"result": "done"}) or 0
    async with watching(funded, now):
        await walk(funded, 50_000, 52_000, 54_000, 56_000)
        await until_row(funded, lambda row: row["outcome"] is not None)
        assert funded.mode_of(BTCUSDT) == codes.MODE_CANCEL_ONLY
        assert [funded.mode_of(number) for number in (2, 3)] == [codes.MODE_TRADING] * 2
        open_now = REGISTRY.get_sample_value("exchange_anomalies_open", {"kind": PRICE_JUMP})
        assert open_now == 1
    assert REGISTRY.get_sample_value("exchange_anomaly_acts_total", {"result": "done"}) == before + 1
    (first, asked), (second, done) = await funded.acts()
    assert (first, second) == ("operator-order", "operator-done")
    assert asked["who"] == done["who"] == WHO == "anomaly-watch"
    assert asked["order"] == {"type": "SetMode", "symbol": "BTCUSDT", "word": "cancel-only"}
    assert str(asked["reason"]).startswith("anomaly 1: price_jump of BTCUSDT: 1200 hundredths of a percent")
    (line,) = await listed(funded)
    assert line.startswith("1: price_jump of BTCUSDT: 1200 ")
    assert ", OPEN; BTCUSDT: cancel-only since seq " in line
    # Somebody looks, and opens it again: no later life of the watch closes it for the same anomaly.
    assert (await funded.order(SetMode("BTCUSDT", "reopen"))).is_done
    async with watching(funded, now) as again:
        assert [alarm.key for alarm in again.watch.open] == [(PRICE_JUMP, BTCUSDT)]
        await walk(funded, 50_000, 56_000)
        await eventually(
            lambda: again._tail is not None and again._tail.position.seq == funded.ledger.last_seq
        )
    assert funded.mode_of(BTCUSDT) == codes.MODE_TRADING
    assert turned(funded) == [BTCUSDT]
    assert len(await rows(funded)) == 1


async def test_without_the_setting_it_is_told_alone(funded: Room, now: StillClock) -> None:
    async with watching(funded, now, "alert"):
        await walk(funded, 50_000, 56_000)
        await until_row(funded, lambda row: row["kind"] == PRICE_JUMP)
    async with watching(funded, now, "order_rate,cancel_ratio"):
        pass
    (row,) = await rows(funded)
    assert not row["asks_cancel_only"]
    assert turned(funded) == []
    assert ", OPEN" in (await listed(funded))[0]


async def test_what_is_caught_up_with_never_acts(funded: Room, clock: StillClock) -> None:
    """The events are an hour old when they are seen."""
    async with watching(funded, clock):
        await walk(funded, 50_000, 56_000)
        await until_row(funded, lambda row: row["kind"] == PRICE_JUMP)
    assert [row["asks_cancel_only"] for row in await rows(funded) if row["kind"] == PRICE_JUMP] == [False]
    assert turned(funded) == []


@pytest.mark.parametrize("error", [LogError("away"), ChainError("a gap"), CodecError("no events")])
async def test_a_log_that_cannot_be_read_is_watched_again_from_its_end(
    funded: Room, now: StillClock, error: Exception
) -> None:
    async with watching(funded, now) as watcher:
        tail = watcher._tail
        assert tail is not None

        async def fails(_: int) -> Any:
            raise error

        vars(tail)["read"] = fails
        await eventually(lambda: watcher._tail not in (None, tail))
        await walk(funded, 50_000, 56_000)
        await until_row(funded, lambda row: row["outcome"] is not None)
    assert turned(funded) == [BTCUSDT]


async def test_what_could_not_be_written_at_once_is_written_later_and_acted_on_only_while_it_is_new(
    funded: Room, now: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, tries = AnomalyStore.write, 0

    async def away_twice(self: AnomalyStore, changes: Any) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise asyncpg.InterfaceError("away")
        now.now_ms = START_MS + 5_000 + ANOMALY_ACTS_WITHIN_MS
        await write(self, changes)

    monkeypatch.setattr(AnomalyStore, "write", away_twice)
    async with watching(funded, now) as watcher:
        await walk(funded, 50_000, 56_000)
        await until_row(funded, lambda row: row["kind"] == PRICE_JUMP)
        assert tries == 3
        assert not await AnomalyActs(resources_with(funded, "cancel_only"), funded.desk.carry_out, now).look()
        assert len(watcher.watch.open) == 1
    (row,) = await rows(funded)
    assert (row["asks_cancel_only"], row["acted_ms"]) == (True, None)
    assert turned(funded) == []


async def asking(room: Room, *alarms: Alarm) -> None:
    await AnomalyStore(room.resources).write([(Change(alarm), True) for alarm in alarms])


async def test_of_all_who_look_one_acts_and_nobody_who_comes_later(funded: Room, now: StillClock) -> None:
    await asking(funded, JUMP)
    acting = resources_with(funded, "cancel_only")
    replicas = [AnomalyActs(acting, funded.desk.carry_out, now) for _ in range(3)]
    assert sorted(await asyncio.gather(*(one.look() for one in replicas))) == [False, False, True]
    assert [await one.look() for one in replicas] == [False] * 3
    assert turned(funded) == [BTCUSDT]


async def test_who_died_in_between_has_acted(funded: Room, now: StillClock) -> None:
    await asking(funded, JUMP)

    async def dies(_: object) -> Any:
        raise asyncio.CancelledError

    acting = resources_with(funded, "cancel_only")
    with pytest.raises(asyncio.CancelledError):
        await AnomalyActs(acting, dies, now).look()
    assert not await AnomalyActs(acting, funded.desk.carry_out, now).look()
    assert turned(funded) == []
    assert (await rows(funded))[0]["acted_ms"] == now.now_ms
    assert (await listed(funded))[0].endswith(", OPEN; cancel-only was taken up, and not concluded")


async def test_what_is_old_is_not_acted_on(funded: Room, now: StillClock) -> None:
    await asking(funded, JUMP)
    acts = AnomalyActs(resources_with(funded, "cancel_only"), funded.desk.carry_out, now)
    now.now_ms = START_MS + ANOMALY_ACTS_WITHIN_MS + 1
    assert not await acts.look()
    now.now_ms -= 1
    assert await acts.look()


@pytest.mark.parametrize("word", ["halt", "cancel-only"])
async def test_a_market_that_is_closed_is_not_opened_for_cancels(
    funded: Room, now: StillClock, word: str
) -> None:
    assert (await funded.order(SetMode("BTCUSDT", word))).is_done
    mode, sent = funded.mode_of(BTCUSDT), len(funded.engine.commands)
    await asking(funded, JUMP, JUMP._replace(market_id=77))
    acts = AnomalyActs(resources_with(funded, "cancel_only"), funded.desk.carry_out, now)
    assert [await acts.look() for _ in range(3)] == [True, True, False]
    assert (funded.mode_of(BTCUSDT), len(funded.engine.commands)) == (mode, sent)
    outcomes = [row["outcome"] for row in await rows(funded)]
    assert outcomes == [f"left as it is: {word}", "left as it is: not known"]


async def test_one_open_anomaly_of_a_kind_and_whose_whoever_finds_it(room: Room) -> None:
    table = AnomalyStore(room.resources)
    of_alice = Alarm(ACCOUNT_BURST, 0, ALICE, START_MS, 9, 301, 300)
    everywhere = Alarm(LATENCY, 0, 0, START_MS, 9, 6_000, 5_000)
    for _ in range(2):
        await table.write([(Change(alarm), False) for alarm in (JUMP, of_alice, everywhere)])
    assert await table.open_alarms() == [JUMP, of_alice, everywhere]
    await table.write([(Change(JUMP, START_MS + 1), False), (Change(JUMP._replace(value=3_000)), False)])
    assert await table.open_alarms() == [of_alice, everywhere, JUMP._replace(value=3_000)]
    lines = await listed(room)
    assert [line.split(":")[1].strip() for line in lines] == [
        "price_jump of BTCUSDT", "latency of the exchange", f"account_burst of account {ALICE}",
        "price_jump of BTCUSDT",
    ]  # fmt: skip
    assert [", OPEN" in line for line in lines] == [True, True, True, False]


async def test_of_those_that_are_over_the_newest_are_kept(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "ANOMALIES_KEPT_MAX", 3)
    assert limits.ANOMALIES_KEPT_MAX == 200
    table = AnomalyStore(room.resources)
    await table.write([(Change(JUMP._replace(market_id=2)), False)])
    for number in range(6):
        alarm = JUMP._replace(value=number)
        await table.write([(Change(alarm), False), (Change(alarm, START_MS + number), False)])
    assert [row["value"] for row in await rows(room)] == [2_000, 3, 4, 5]
