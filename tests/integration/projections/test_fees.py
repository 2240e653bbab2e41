"""What trades cost, on a real PostgreSQL: in tiers, with a discount, in whatever asset it was paid."""

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from exchange.contracts import codes
from exchange.contracts.commands import CreditDeposit, PlaceOrder
from exchange.contracts.fee_commands import (
    SetAccountTier,
    SetFeeDiscount,
    SetFeeTier,
    SetMarketFees,
    SwitchFeeDiscount,
)
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.process.components import Resources
from exchange.process.turns import Turns
from services.order.view.bootstrap import load_view
from services.order.view.model import AccountView
from services.projections.ledger.reconcile import reconcile
from services.user.money.papers import fill_table
from services.user.tables.reports import Reports, Span
from tests.event_streams import ONE, START_MS, USERS, EngineStream, RandomTrading
from tests.fee_traffic import fee_command
from tests.integration.projections.conftest import project, publish

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.integration
Connection = Any
ALICE, BOB = 1001, 1002
BTCUSDT, ETHUSDT = 1, 2
BTC, ETH, USDT = 1, 2, 3


def order(command_id: int, user_id: int, market_id: int, side: int, ticks: int, lots: int) -> PlaceOrder:
    name = f"c{command_id}"
    return PlaceOrder(
        command_id, user_id, market_id, name, side, codes.LIMIT, codes.GTC, ticks, lots, 0, codes.STP_NONE, 0
    )


@pytest.fixture
async def connection(resources: Resources) -> Any:
    async with resources.database.acquire() as one:
        yield one


async def test_a_discounted_fee_stands_in_its_asset_in_trades_entries_and_papers(
    resources: Resources, connection: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    stream = EngineStream()
    stream.apply(
        CreditDeposit(1, ALICE, BTC, ONE, 1),
        CreditDeposit(2, ALICE, ETH, ONE, 2),
        CreditDeposit(3, BOB, USDT, 10_000 * ONE, 3),
        CreditDeposit(4, BOB, ETH, ONE, 4),
        order(5, ALICE, ETHUSDT, codes.SELL, 250_000, 100),
        order(6, BOB, ETHUSDT, codes.BUY, 250_000, 100),
        SetFeeDiscount(7, ETH, 250_000),
        SwitchFeeDiscount(8, BOB, 1),
        SetFeeTier(9, 1, USDT, ONE, 500_000, 500_000),
        SetFeeTier(10, 2, USDT, 2 * ONE, 500_000, 500_000),
        SetFeeTier(11, 2, USDT, 0, 0, 0),
        SetAccountTier(12, ALICE, 1),
        SetMarketFees(13, BTCUSDT, 1_000, 2_000),
        order(14, ALICE, BTCUSDT, codes.SELL, 5_000_000, 1_000),
        order(15, BOB, BTCUSDT, codes.BUY, 5_000_000, 1_000),
    )
    trade = stream.outcomes[-1].events[1].event
    assert isinstance(trade, TradeExecutedWithDiscount)
    # 500 USDT, two thousandths less a quarter: 0.75 USDT, 0.0003 ETH at 2,500.
    assert trade.buyer_discount_fee_atoms == 30_000
    await publish(resources, stream)
    await project(resources, stream.seq)
    assert await reconcile(connection) == []
    row = await connection.fetchrow("SELECT * FROM trades WHERE market_id = 1")
    assert row is not None
    assert (row["buyer_fee_atoms"], row["buyer_fee_asset_id"]) == (30_000, ETH)
    assert (row["seller_fee_atoms"], row["seller_fee_asset_id"]) == (25_000_000, 0)
    fees = await connection.fetch(
        "SELECT asset_id, sum(amount_atoms)::bigint AS fees FROM ledger_entries WHERE bucket = 3 GROUP BY 1"
    )
    totals = stream.engine.accounts.totals
    assert {row["asset_id"]: row["fees"] for row in fees} == {
        asset_id: total.fees for asset_id, total in totals.items() if total.fees
    }
    assert [tuple(row) for row in await connection.fetch("SELECT * FROM fee_standings ORDER BY 1")] == [
        (ALICE, 1, False),
        (BOB, 0, True),
    ]
    assert [row["tier"] for row in await connection.fetch("SELECT tier FROM fee_tiers")] == [1]
    reports = Reports(_OneConnection(connection), Turns(1))  # type: ignore[arg-type]
    head, *rows = fill_table(await reports.fills(BOB, Span(START_MS - 1, START_MS + 10_000), 10))
    shown = [dict(zip(head, one, strict=True)) for one in rows]
    assert [(one["market"], one["fee"], one["feeAsset"]) for one in shown] == [
        ("ETHUSDT", "0.00001000", "ETH"),
        ("BTCUSDT", "0.00030000", "ETH"),
    ]
    _, *sold = fill_table(await reports.fills(ALICE, Span(START_MS - 1, START_MS + 10_000), 10))
    assert [one[-2:] for one in sold] == [["0.02500000", "USDT"], ["0.25000000", "USDT"]]


class _OneConnection:
    """The user service's way to the database, over the test's own connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def connection(self) -> "_OneConnection":
        return self

    async def __aenter__(self) -> Connection:
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        return None


@pytest.mark.parametrize("seed", [47])
async def test_random_fees_reconcile_and_a_start_knows_what_the_events_have_told(
    resources: Resources, connection: "asyncpg.Connection[asyncpg.Record]", seed: int
) -> None:
    print(f"seed {seed}")
    trading = RandomTrading(seed)
    for number in range(60):
        trading.run(12)
        trading.stream.apply(fee_command(trading.random, number, USERS, (1, 2), (1, 2, 3)))
        if number % 10 == 0:
            await publish(resources, trading.stream)
            await project(resources, trading.stream.seq)
    stream = trading.stream
    await publish(resources, stream)
    await project(resources, stream.seq)
    discounted = [
        recorded.event
        for outcome in stream.outcomes
        for recorded in outcome.events
        if isinstance(recorded.event, TradeExecutedWithDiscount)
    ]
    assert len(discounted) > 20
    assert await reconcile(connection) == []
    followed = AccountView()
    for outcome in stream.outcomes:
        followed.apply(outcome)
    lent: Any = connection
    loaded, _ = await load_view(lent, 0, 5.0)
    assert loaded.balances == followed.balances
    for user_id in USERS:
        for market_id, market in followed.markets.items():
            rules = loaded.markets[market_id].rules
            assert loaded.fees.rates(user_id, rules) == followed.fees.rates(user_id, market.rules)
        assert loaded.fees.pays_discounted(user_id) == followed.fees.pays_discounted(user_id)
    assert loaded.fees.discount_asset_id == followed.fees.discount_asset_id
    assert loaded.fees.discount_ppm == followed.fees.discount_ppm
    assert {tier: vars(one) for tier, one in loaded.fees.tiers.items()} == {
        tier: vars(one) for tier, one in followed.fees.tiers.items()
    }
