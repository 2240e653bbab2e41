"""The daily count of fee tiers: once a day by one of all replicas, in portions, whatever fails in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import pytest

from exchange.process.components import Resources
from exchange.trading.intervals import DAY_MS
from services.operator.markets import counting, daily, tiers
from services.operator.markets.counting import Counted
from services.operator.markets.daily import DailyTierCount
from services.operator.markets.orders import CountTiers, ListFees, SetTier
from tests.at_work import eventually
from tests.event_streams import START_MS
from tests.integration.operator.test_orders import Room, resources, room, settings
from tests.integration.operator.test_tiers import (
    ALICE,
    BOB,
    BTCUSDT,
    StillClock,
    clock,
    funded,
    in_tiers,
    trade,
)

__all__ = ["clock", "funded", "resources", "room", "settings"]

pytestmark = pytest.mark.integration
DAY = START_MS // DAY_MS
EPOCH = date(1970, 1, 1).toordinal()
NOTHING_LEFT = Counted(0, 0, is_all_added=True)


class Replica:
    """A process's daily count; the room's ledger has what it sent when `look` returns."""

    def __init__(self, room: Room, clock: StillClock) -> None:
        self._room = room
        self.count = DailyTierCount(room.resources, clock)

    async def look(self) -> Counted | None:
        counted = await self.count.look()
        await self._room.running.until(lambda: self._room.ledger.last_seq == self._room.engine.stream.seq)
        return counted


@pytest.fixture
def replica(funded: Room, clock: StillClock) -> Replica:
    return Replica(funded, clock)


@pytest.fixture
async def other_session(resources: Resources) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of somebody else, who counts as long as it holds the lock."""
    dsn = resources.settings.database_dsn.get_secret_value()
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def counted_day(room: Room) -> int | None:
    async with room.resources.database.acquire() as connection:
        day: int | None = await connection.fetchval("SELECT day FROM fee_counts")
        return day


async def with_a_tier_and_a_trade(room: Room) -> None:
    assert (await room.order(SetTier(1, "USDT", "500", "0.9", "0.8"))).is_done
    await trade(room, ALICE, BOB, BTCUSDT, "50000", "0.01")


async def test_each_day_is_counted_once_by_one_of_all_replicas(
    funded: Room, clock: StillClock, replica: Replica
) -> None:
    await with_a_tier_and_a_trade(funded)
    other = Replica(funded, clock)
    assert await replica.look() == Counted(2, 0, is_all_added=True)
    assert in_tiers(funded) == {ALICE: 1, BOB: 1}
    sent = len(funded.engine.commands)
    assert [await one.look() for one in (replica, other)] == [None, None], "the day is counted"
    clock.now_ms += DAY_MS
    found = await asyncio.gather(*(one.look() for one in (replica, other)))
    assert sorted(found, key=str) == [NOTHING_LEFT, None], "a day has begun, and one of them has counted it"
    assert await counted_day(funded) == DAY + 1
    # The window has passed over the trade: both fall back, and are told once.
    clock.now_ms += 29 * DAY_MS
    found = await asyncio.gather(*(one.look() for one in (replica, other)))
    assert sorted(found, key=str) == [Counted(2, 0, is_all_added=True), None]
    assert in_tiers(funded) == {}
    assert len(funded.engine.commands) == sent + 2
    assert [act for act in await funded.acts() if act[0] == "fee-tiers-counted"] == [
        ("fee-tiers-counted", {"moved": 2, "left": 0})
    ] * 2


async def test_nobody_counts_while_another_does_nor_is_held_up_by_one_that_died(
    funded: Room, replica: Replica, other_session: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await with_a_tier_and_a_trade(funded)
    sent = len(funded.engine.commands)
    await other_session.execute("SELECT pg_advisory_lock($1)", counting._LOCK_KEY)
    assert await replica.look() is None
    refused = await funded.order(CountTiers())
    assert (refused.is_done, refused.lines) == (
        False,
        ["tiers are being counted at this moment: order again"],
    )
    assert (len(funded.engine.commands), await counted_day(funded)) == (sent, None)
    # As when its process is killed: no word of farewell.
    other_session.terminate()
    found: list[Counted | None] = [None]
    async with asyncio.timeout(60):
        while (found := [await replica.look()]) == [None]:
            await asyncio.sleep(0.01)
    assert found == [Counted(2, 0, is_all_added=True)]


async def test_a_long_count_goes_on_portion_by_portion_and_its_day_is_over_at_the_end(
    funded: Room, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_a_tier_and_a_trade(funded)
    monkeypatch.setattr(tiers, "PAGES_MAX", 1)
    monkeypatch.setattr(tiers, "CHANGES_MAX", 1)
    for expected in (
        Counted(0, 0, is_all_added=False),
        Counted(1, 1, is_all_added=True),
    ):
        assert await replica.look() == expected
        assert await counted_day(funded) is None
    assert await replica.look() == Counted(1, 0, is_all_added=True)
    assert await counted_day(funded) == DAY
    assert await replica.look() is None
    assert (await funded.order(ListFees())).lines[
        -1
    ] == f"tiers were counted on {date.fromordinal(EPOCH + DAY)}"


async def test_what_an_operator_has_counted_the_day_has_not_to_count_again(
    funded: Room, replica: Replica
) -> None:
    await with_a_tier_and_a_trade(funded)
    assert (await funded.order(CountTiers())).is_done
    assert await counted_day(funded) == DAY
    assert await replica.look() is None
    assert (await funded.order(CountTiers())).lines == ["0 accounts are in another tier"], "he may again"


async def test_without_tiers_nobodys_trades_are_added_up(funded: Room, replica: Replica) -> None:
    await trade(funded, ALICE, BOB, BTCUSDT, "50000", "0.01")
    assert await replica.look() == NOTHING_LEFT
    assert await counted_day(funded) == DAY
    async with funded.resources.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM fee_volume_folds") == 0
    assert not [act for act in await funded.acts() if act[0] == "fee-tiers-counted"]


async def test_a_clock_that_is_behind_counts_no_day_again(
    funded: Room, clock: StillClock, replica: Replica
) -> None:
    clock.now_ms += DAY_MS
    assert await replica.look() == NOTHING_LEFT
    clock.now_ms -= 2 * DAY_MS
    assert await replica.look() is None
    assert (await funded.order(CountTiers())).is_done
    assert await counted_day(funded) == DAY + 1


async def test_a_count_that_fails_is_made_again_and_told_meanwhile(
    funded: Room, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_a_tier_and_a_trade(funded)
    right = tiers.changes
    failures = daily._failures_total._value.get()

    async def into_a_tier_that_is_none(connection: object, now_ms: int) -> list[tiers.Change]:
        return [tiers.Change(ALICE, 7)]

    async def away(connection: object, now_ms: int) -> list[tiers.Change]:
        raise ConnectionResetError("the database is gone")

    for wrong in (into_a_tier_that_is_none, away):
        monkeypatch.setattr(tiers, "changes", wrong)
        assert await replica.look() is None
        assert await counted_day(funded) is None
    assert daily._failures_total._value.get() == failures + 2
    monkeypatch.setattr(tiers, "changes", right)
    assert await replica.look() == Counted(2, 0, is_all_added=True)
    assert daily._counted_day._value.get() == DAY


async def test_it_looks_by_itself_until_it_is_stopped(
    funded: Room, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily, "LOOK_EVERY_S", 0.01)
    await replica.count.start()
    task = asyncio.create_task(replica.count.run())
    await eventually(lambda: daily._counted_day._value.get() == DAY)
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    await replica.count.stop()
    assert replica.count.readiness() == {}, "no trader is sent elsewhere for a tier"
