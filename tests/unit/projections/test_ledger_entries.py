"""Promises of the double entries: every movement in full, and zero in sum."""

from collections import defaultdict

import pytest

from exchange.contracts import codes
from exchange.contracts.events import (
    CommandRejected,
    DepositCredited,
    LeaderChanged,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from services.projections.ledger.batch import LedgerBatch
from services.projections.ledger.entries import (
    AVAILABLE,
    FEES,
    HELD,
    OUTSIDE,
    Entry,
    MarketAssets,
    UnknownMarketError,
    entries_of,
)
from tests.event_streams import RandomTrading

BTC, USDT = 1, 3
MARKETS = {1: MarketAssets(BTC, USDT)}


def accepted(side: int, held_atoms: int) -> OrderAccepted:
    return OrderAccepted(12, 1001, 1, "c", side, codes.LIMIT, codes.GTC, 100, 5, 0, 1, held_atoms, 5)


def test_buy_order_holds_quote_and_sell_order_holds_base() -> None:
    assert entries_of(accepted(codes.BUY, 700), MARKETS) == [
        Entry(1001, USDT, AVAILABLE, -700, "ORDER_HOLD", "order:12"),
        Entry(1001, USDT, HELD, 700, "ORDER_HOLD", "order:12"),
    ]
    assert {entry.asset_id for entry in entries_of(accepted(codes.SELL, 5), MARKETS)} == {BTC}


def test_order_that_holds_nothing_writes_nothing() -> None:
    assert entries_of(accepted(codes.BUY, 0), MARKETS) == []


def test_closed_order_gives_its_hold_back() -> None:
    event = OrderClosed(12, 1001, 1, codes.SELL, 100, codes.CANCELED, codes.CLOSED_BY_USER, 5, 5, "x", 0)
    assert entries_of(event, MARKETS) == [
        Entry(1001, BTC, HELD, -5, "ORDER_RELEASE", "order:12"),
        Entry(1001, BTC, AVAILABLE, 5, "ORDER_RELEASE", "order:12"),
    ]


def test_trade_moves_both_assets_fees_and_price_improvement() -> None:
    event = TradeExecuted(1, 5, codes.BUY, 100, 2, 2_000, 90_000, 12, 1001, 2, 500, 11, 1002, 90)
    entries = entries_of(event, MARKETS)
    moved: dict[tuple[int, int, int], int] = defaultdict(int)
    for entry in entries:
        moved[entry.user_id, entry.asset_id, entry.bucket] += entry.amount_atoms
    assert moved == {
        (1001, USDT, HELD): -90_500,
        (1001, USDT, AVAILABLE): 500,
        (1001, BTC, AVAILABLE): 1_998,
        (1002, BTC, HELD): -2_000,
        (1002, USDT, AVAILABLE): 89_910,
        (0, BTC, FEES): 2,
        (0, USDT, FEES): 90,
    }
    assert {entry.reference for entry in entries} == {"trade:1:5"}
    assert {entry.kind for entry in entries} == {"TRADE", "FEE", "ORDER_RELEASE"}


def test_deposits_and_withdrawals_pass_through_the_outside_bucket() -> None:
    assert entries_of(DepositCredited(1001, BTC, 9, 7), MARKETS) == [
        Entry(0, BTC, OUTSIDE, -9, "DEPOSIT", "deposit:7"),
        Entry(1001, BTC, AVAILABLE, 9, "DEPOSIT", "deposit:7"),
    ]
    kinds = [
        (entries_of(event, MARKETS)[0].kind, [(e.user_id, e.bucket) for e in entries_of(event, MARKETS)])
        for event in (
            WithdrawalReserved(1001, BTC, 9, 3, "address"),
            WithdrawalSettled(1001, BTC, 9, 3),
            WithdrawalReleased(1001, BTC, 9, 3),
        )
    ]
    assert kinds == [
        ("WITHDRAWAL_RESERVE", [(1001, AVAILABLE), (1001, HELD)]),
        ("WITHDRAWAL_SETTLE", [(1001, HELD), (0, OUTSIDE)]),
        ("WITHDRAWAL_RELEASE", [(1001, HELD), (1001, AVAILABLE)]),
    ]


def test_events_without_money_have_no_entries() -> None:
    assert entries_of(CommandRejected(1001, 1, codes.REJECT_STALE, "", ""), MARKETS) == []
    assert entries_of(LeaderChanged("a", 1), MARKETS) == []


def test_unknown_market_is_refused_loudly() -> None:
    with pytest.raises(UnknownMarketError):
        entries_of(accepted(codes.BUY, 1), {})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_entries_of_every_event_sum_to_zero_and_give_the_engines_balances(seed: int) -> None:
    print(f"seed {seed}")
    trading = RandomTrading(seed)
    trading.run(1_500)
    batch = LedgerBatch({})
    batch.add(trading.stream.outcomes)
    sums: dict[tuple[int, int], int] = defaultdict(int)
    for _, event_seq, _, _, asset_id, _, amount_atoms, _, _ in batch.entries:
        sums[event_seq, asset_id] += amount_atoms
    assert not any(sums.values())
    accounts = trading.stream.engine.accounts
    assert batch.trades
    for (user_id, asset_id), change in batch.balances.items():
        assert change.available_atoms == accounts.balance(user_id, asset_id).available
        assert change.held_atoms == accounts.balance(user_id, asset_id).held
