"""Tiers of fees counted from the ledger: what counts, who is moved, and that a second count moves nobody."""

from collections.abc import Callable
from functools import partial

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import Command, CreditDeposit, PlaceOrder
from exchange.contracts.events import CommandRejected
from exchange.contracts.fee_commands import SetAccountTier
from exchange.log.deciding import decide_all
from exchange.money import parse_fixed
from services.operator.desk import OperatorDesk
from services.operator.markets import tiers
from services.operator.markets.orders import (
    CountTiers,
    ListFees,
    SetDiscount,
    SetFees,
    SetTier,
)
from tests.event_streams import START_MS
from tests.integration.operator.test_orders import Room, resources, room, settings

__all__ = ["resources", "room", "settings"]

pytestmark = pytest.mark.integration
ALICE, BOB, CAROL, DAVE = 1001, 1002, 1003, 1004
BTC, ETH, USDT = 1, 2, 3
BTCUSDT, ETHUSDT, ETHBTC = 1, 2, 3
ONE = 10**8


def _deposit(user_id: int, asset_id: int, command_id: int) -> Command:
    return CreditDeposit(command_id, user_id, asset_id, 1_000_000 * ONE, 10 * user_id + asset_id)


def _order(
    user_id: int, market_id: int, side: int, price: str, quantity: str, room: Room, number: int
) -> Command:
    rules = room.engine.stream.engine.markets[market_id].rules
    ticks, lots = parse_fixed(price, 8) // rules.tick_atoms, parse_fixed(quantity, 8) // rules.lot_atoms
    name = f"o{number}"
    return PlaceOrder(
        number, user_id, market_id, name, side, codes.LIMIT, codes.GTC, ticks, lots, 0, codes.STP_NONE, 0
    )


async def decide(room: Room, *makes: Callable[[int], Command]) -> None:
    for outcome in await decide_all(room.resources, makes):
        assert not isinstance(outcome.events[0].event, CommandRejected), outcome
    await room.running.until(lambda: room.ledger.last_seq == room.engine.stream.seq)


async def trade(room: Room, buyer: int, seller: int, market_id: int, price: str, quantity: str) -> None:
    await decide(
        room,
        lambda n: _order(seller, market_id, codes.SELL, price, quantity, room, n),
        lambda n: _order(buyer, market_id, codes.BUY, price, quantity, room, n),
    )


def in_tiers(room: Room) -> dict[int, int]:
    return {
        user_id: one.tier for user_id, one in room.engine.stream.engine.fees.standings.items() if one.tier
    }


class StillClock:
    """Stands until a test moves it; in milliseconds since 1970."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> StillClock:
    """An hour after the engine's clock, which stands in the past."""
    return StillClock(START_MS + 3_600_000)


@pytest.fixture
async def funded(room: Room, clock: StillClock) -> Room:
    """Rich people, and a desk whose count goes by the still clock."""
    room.desk = OperatorDesk(room.resources, clock)
    users, assets = (ALICE, BOB, CAROL, DAVE), (BTC, ETH, USDT)
    await decide(room, *(partial(_deposit, user, asset) for user in users for asset in assets))
    return room


async def test_accounts_come_into_the_highest_tier_that_their_volume_reaches_and_leave_it_again(
    funded: Room,
) -> None:
    for tier, volume in ((1, "400"), (2, "1000")):
        assert (await funded.order(SetTier(tier, "USDT", volume, "0.9", "0.8"))).is_done
    # 500 USDT; 1,000 USDT in two; 0.02 BTC, which were 1,000 USDT at the last price; with oneself, nothing.
    await trade(funded, ALICE, BOB, BTCUSDT, "50000", "0.01")
    await trade(funded, BOB, CAROL, BTCUSDT, "50000", "0.01")
    await trade(funded, CAROL, ALICE, ETHBTC, "0.05", "0.2")
    await trade(funded, DAVE, DAVE, BTCUSDT, "50000", "1")
    answer = await funded.order(CountTiers())
    assert answer.lines == ["3 accounts are in another tier"]
    assert in_tiers(funded) == {ALICE: 2, BOB: 2, CAROL: 2}
    sent = len(funded.engine.commands)
    assert (await funded.order(CountTiers())).lines == ["0 accounts are in another tier"]
    assert len(funded.engine.commands) == sent, "what is right is not sent again"
    # The tier asks for more now, and one that was put there by hand has traded nothing.
    assert (await funded.order(SetTier(2, "USDT", "1000.01", "0.9", "0.8"))).is_done
    await decide(funded, lambda n: SetAccountTier(n, DAVE, 1))
    assert (await funded.order(CountTiers())).lines == ["4 accounts are in another tier"]
    assert in_tiers(funded) == {ALICE: 1, BOB: 1, CAROL: 1}
    assert (await funded.order(SetTier(1, "USDT", "0", "0", "0"))).is_done
    assert (await funded.order(SetTier(2, "USDT", "0", "0", "0"))).is_done
    assert (await funded.order(CountTiers())).lines == ["3 accounts are in another tier"]
    assert in_tiers(funded) == {}


async def test_sums_go_on_page_by_page_and_forget_what_no_window_has(
    funded: Room, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "_TRADES_PER_PAGE", 2)
    await funded.order(SetTier(1, "USDT", "2500", "0.9", "0.8"))
    for _ in range(5):
        await trade(funded, ALICE, BOB, BTCUSDT, "50000", "0.01")
    monkeypatch.setattr(tiers, "PAGES_MAX", 1)
    for _ in range(2):
        assert (await funded.order(CountTiers())).lines == ["not all trades are added up yet: order again"]
    monkeypatch.setattr(tiers, "PAGES_MAX", 1_000)
    assert (await funded.order(CountTiers())).lines == ["2 accounts are in another tier"]
    day_ms = 86_400_000
    async with funded.resources.database.acquire() as connection:
        for days, expected in ((29, []), (30, [(ALICE, 0), (BOB, 0)])):
            later_ms = START_MS + days * day_ms
            assert await tiers.changes(connection, later_ms) == expected, "the 30 days end with today"
        assert await connection.fetchval("SELECT count(*) FROM fee_volumes") == 2
    clock.now_ms = START_MS + 30 * day_ms
    assert (await funded.order(CountTiers())).lines == ["2 accounts are in another tier"]
    async with funded.resources.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM fee_volumes") == 0


async def test_what_was_traded_before_the_window_is_not_even_read(funded: Room, clock: StillClock) -> None:
    await funded.order(SetTier(1, "USDT", "1", "0.9", "0.8"))
    await trade(funded, ALICE, BOB, BTCUSDT, "50000", "0.01")
    clock.now_ms = START_MS + 31 * 86_400_000
    assert (await funded.order(CountTiers())).lines == ["0 accounts are in another tier"]
    async with funded.resources.database.acquire() as connection:
        folds = await connection.fetch("SELECT trade_id FROM fee_volume_folds ORDER BY market_id")
    assert [row["trade_id"] for row in folds] == [1, 0, 0]


async def test_a_count_goes_on_where_a_bounded_one_ended(
    funded: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiers, "CHANGES_MAX", 1)
    await funded.order(SetTier(1, "USDT", "1", "0.9", "0.8"))
    await trade(funded, ALICE, BOB, BTCUSDT, "50000", "0.01")
    assert (await funded.order(CountTiers())).lines == [
        "1 accounts are in another tier",
        "order again: 1 are left",
    ]
    assert (await funded.order(CountTiers())).lines == ["1 accounts are in another tier"]
    assert in_tiers(funded) == {ALICE: 1, BOB: 1}


async def test_what_holds_is_listed_and_what_is_wrong_is_refused_in_words(funded: Room) -> None:
    for order in (
        SetFees("BTCUSDT", "0.0002", "0.0004"),
        SetTier(1, "USDT", "1000000", "0.9", "1"),
        SetDiscount("ETH", "0.25"),
    ):
        assert (await funded.order(order)).is_done
    assert (await funded.order(ListFees())).lines == [
        "BTCUSDT: maker 0.000200, taker 0.000400",
        "ETHUSDT: maker 0.001000, taker 0.001000",
        "ETHBTC: maker 0.001000, taker 0.001000",
        "tier 1: from 1000000.00000000 USDT in 30 days, maker 0.900000, taker 1.000000 of the fee, "
        "0 accounts",
        "in ETH: 0.250000 of the fee less, 0 accounts",
    ]
    for wrong, words in (
        (SetFees("DOGEUSDT", "0", "0"), "there is no market DOGEUSDT"),
        (SetFees("BTCUSDT", "1.5", "0"), "the maker fee is a part of the whole: 0 to 1"),
        (SetFees("BTCUSDT", "0.1%", "0"), "0.1% is no maker fee"),
        (SetTier(1, "DOGE", "1", "1", "1"), "there is no asset DOGE"),
        (SetTier(1, "USDT", "much", "1", "1"), "much is no amount of USDT"),
        (SetTier(99, "USDT", "1", "1", "1"), "the engine refused: REJECT_MALFORMED"),
        (SetDiscount("DOGE", "0.1"), "there is no asset DOGE"),
    ):
        answer = await funded.order(wrong)
        assert not answer.is_done
        assert answer.lines[0].startswith(words), answer.lines
    assert (await funded.order(SetDiscount("NONE", "0"))).is_done
    assert len((await funded.order(ListFees())).lines) == 4
