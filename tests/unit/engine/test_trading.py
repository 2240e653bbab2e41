"""Promises of the pure engine, order by order."""

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import (
    CancelAllOrders,
    CancelOrder,
    CreditDeposit,
    PlaceOrder,
    ReserveWithdrawal,
    SettleWithdrawal,
    SetTradingMode,
)
from exchange.contracts.events import (
    CommandRejected,
    DepositCredited,
    Event,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
    WithdrawalReserved,
    WithdrawalSettled,
)
from matching_engine.core.engine import Engine
from matching_engine.core.invariants import check_invariants
from matching_engine.genesis import genesis_commands

ALICE, BOB = 1001, 1002
BTC, ETH, USDT = 1, 2, 3
BTCUSDT = 1
UNIT = 10  # quote atoms of one tick (0.01 USDT) times one lot (0.00001 BTC)
ONE = 10**8


class Exchange:
    """An engine with the three markets and two funded traders, checked after every command."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.command_id = 0
        self.now_ms = 1_000
        for command in genesis_commands():
            self.engine.apply(command, self.now_ms)
        for deposit_id, (user_id, asset_id) in enumerate(
            [(ALICE, BTC), (ALICE, USDT), (BOB, BTC), (BOB, USDT)], start=1
        ):
            amount = 100 * ONE if asset_id == BTC else 10_000_000 * ONE
            self.engine.apply(CreditDeposit(1, user_id, asset_id, amount, deposit_id), self.now_ms)

    def apply(self, command: object) -> list[Event]:
        events = self.engine.apply(command, self.now_ms)  # type: ignore[arg-type]
        check_invariants(self.engine)
        return events

    def place(
        self,
        user_id: int,
        side: int,
        price: int,
        lots: int,
        *,
        order_type: int = codes.LIMIT,
        tif: int = codes.GTC,
        quote: int = 0,
        stp: int = codes.STP_EXPIRE_MAKER,
        name: str = "",
        valid_until_ms: int = 0,
    ) -> list[Event]:
        self.command_id += 1
        name = name or f"o{self.command_id}"
        return self.apply(
            PlaceOrder(
                self.command_id, user_id, BTCUSDT, name, side, order_type, tif, price, lots, quote, stp,
                valid_until_ms,
            )
        )  # fmt: skip

    def money(self, user_id: int, asset_id: int) -> tuple[int, int]:
        balance = self.engine.accounts.balance(user_id, asset_id)
        return balance.available, balance.held


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


def only(events: list[Event], kind: type[Event]) -> list[Event]:
    return [e for e in events if isinstance(e, kind)]


def reason(events: list[Event]) -> int:
    (event,) = events
    assert isinstance(event, CommandRejected)
    return event.reason


def test_resting_order_holds_its_whole_cost(exchange: Exchange) -> None:
    (event,) = exchange.place(ALICE, codes.BUY, 5_000_000, 1_000)
    assert isinstance(event, OrderAccepted)
    assert event.resting_lots == 1_000
    assert event.held_atoms == 5_000_000 * 1_000 * UNIT
    assert exchange.money(ALICE, USDT)[1] == event.held_atoms


def test_crossing_order_trades_at_the_makers_price_and_pays_fees_from_what_it_receives(
    exchange: Exchange,
) -> None:
    before = exchange.money(BOB, USDT)[0]
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    accepted, trade = exchange.place(BOB, codes.BUY, 5_010_000, 1_000)
    assert isinstance(accepted, OrderAccepted)
    assert isinstance(trade, TradeExecuted)
    assert accepted.resting_lots == 0
    assert trade.price_ticks == 5_000_000
    assert trade.quote_atoms == 5_000_000 * 1_000 * UNIT
    assert trade.buyer_released_atoms == 10_000 * 1_000 * UNIT
    assert trade.buyer_fee_atoms == 1_000 * 1_000 // 1_000
    assert exchange.money(BOB, USDT) == (before - trade.quote_atoms, 0)
    assert exchange.money(BOB, BTC) == (100 * ONE + trade.base_atoms - trade.buyer_fee_atoms, 0)
    assert len(exchange.engine.orders) == 0


def test_best_price_first_then_oldest_first(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_100, 1_000)
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    trades = only(exchange.place(BOB, codes.BUY, 5_000_100, 3_000), TradeExecuted)
    assert [t.seller_order_id for t in trades if isinstance(t, TradeExecuted)] == [2, 3, 1]


@pytest.mark.parametrize("tif", [codes.IOC, codes.FOK])
def test_orders_that_may_not_rest_never_rest(exchange: Exchange, tif: int) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    events = exchange.place(BOB, codes.BUY, 5_000_000, 3_000, tif=tif)
    (closed,) = only(events, OrderClosed)
    assert isinstance(closed, OrderClosed)
    assert closed.status == codes.EXPIRED
    assert closed.unbooked_lots == 0
    assert len(only(events, TradeExecuted)) == (1 if tif == codes.IOC else 0)
    assert exchange.money(BOB, USDT)[1] == 0


def test_fill_or_kill_fills_when_the_book_suffices(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    exchange.place(ALICE, codes.SELL, 5_000_001, 2_000)
    events = exchange.place(BOB, codes.BUY, 5_000_001, 3_000, tif=codes.FOK)
    assert len(only(events, TradeExecuted)) == 2
    assert not only(events, OrderClosed)


def test_market_order_by_quote_quantity_never_spends_more(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    exchange.place(ALICE, codes.SELL, 5_100_000, 1_000)
    budget = 800 * ONE
    events = exchange.place(BOB, codes.BUY, 0, 0, order_type=codes.MARKET, quote=budget)
    spent = sum(t.quote_atoms for t in events if isinstance(t, TradeExecuted))
    assert budget - 5_100_000 * UNIT < spent <= budget
    assert not only(events, OrderClosed)
    assert exchange.money(BOB, USDT)[1] == 0


def test_market_order_expires_what_the_book_cannot_give(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    events = exchange.place(BOB, codes.BUY, 0, 1_500, order_type=codes.MARKET)
    (closed,) = only(events, OrderClosed)
    assert isinstance(closed, OrderClosed)
    assert (closed.status, closed.reason) == (codes.EXPIRED, codes.CLOSED_NO_LIQUIDITY)


def test_maker_only_order_is_refused_when_it_would_take(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    events = exchange.place(BOB, codes.BUY, 5_000_000, 1_000, order_type=codes.LIMIT_MAKER)
    assert reason(events) == codes.REJECT_WOULD_TAKE


@pytest.mark.parametrize(
    ("mode", "maker_left", "taker_left"),
    [
        (codes.STP_EXPIRE_MAKER, False, True),
        (codes.STP_EXPIRE_TAKER, True, False),
        (codes.STP_EXPIRE_BOTH, False, False),
    ],
)
def test_nobody_trades_with_himself_unless_he_asks(
    exchange: Exchange, mode: int, maker_left: bool, taker_left: bool
) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    events = exchange.place(ALICE, codes.BUY, 5_000_000, 1_000, stp=mode)
    assert not only(events, TradeExecuted)
    assert [order.order_id for order in exchange.engine.orders.values()] == [1] * maker_left + [
        2
    ] * taker_left


def test_self_trade_happens_in_mode_none(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    events = exchange.place(ALICE, codes.BUY, 5_000_000, 1_000, stp=codes.STP_NONE)
    assert only(events, TradeExecuted)


def test_repeated_client_order_id_has_one_effect(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.BUY, 5_000_000, 1_000, name="mine")
    events = exchange.place(ALICE, codes.BUY, 5_000_000, 1_000, name="mine")
    assert reason(events) == codes.REJECT_DUPLICATE_CLIENT_ORDER_ID
    assert len(exchange.engine.orders) == 1


@pytest.mark.parametrize(
    ("price", "lots", "expected"),
    [
        (10**9, 1_000, codes.REJECT_PRICE_FILTER),
        (5_000_000, 10**12, codes.REJECT_LOT_SIZE),
        (5_000_000, 1, codes.REJECT_NOTIONAL),
        (5_000_000, 900_000_000, codes.REJECT_INSUFFICIENT_BALANCE),
    ],
)
def test_refused_order_changes_nothing(exchange: Exchange, price: int, lots: int, expected: int) -> None:
    before = exchange.money(ALICE, USDT)
    events = exchange.place(ALICE, codes.BUY, price, lots)
    assert reason(events) in (expected, codes.REJECT_NOTIONAL)
    assert exchange.money(ALICE, USDT) == before
    assert len(exchange.engine.orders) == 0


def test_price_far_from_the_average_is_refused_once_there_is_one(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    exchange.place(BOB, codes.BUY, 5_000_000, 1_000)
    assert reason(exchange.place(BOB, codes.BUY, 50_000_000, 1_000)) == codes.REJECT_PERCENT_PRICE_BY_SIDE


def test_stale_order_is_refused_on_the_engines_clock(exchange: Exchange) -> None:
    exchange.now_ms = 2_000
    events = exchange.place(ALICE, codes.BUY, 5_000_000, 1_000, valid_until_ms=1_999)
    assert reason(events) == codes.REJECT_STALE


def cancel(user_id: int, order_id: int, name: str = "", restriction: int = 0) -> CancelOrder:
    return CancelOrder(9, user_id, BTCUSDT, order_id, name, "why", restriction, 0)


def test_cancelled_order_gives_its_hold_back(exchange: Exchange) -> None:
    before = exchange.money(ALICE, USDT)
    exchange.place(ALICE, codes.BUY, 5_000_000, 1_000)
    (closed,) = exchange.apply(cancel(ALICE, 1))
    assert isinstance(closed, OrderClosed)
    assert (closed.status, closed.unbooked_lots) == (codes.CANCELED, 1_000)
    assert closed.cancel_client_order_id == "why"
    assert exchange.money(ALICE, USDT) == before


def test_nobody_cancels_another_users_order(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.BUY, 5_000_000, 1_000, name="hers")
    assert reason(exchange.apply(cancel(BOB, 1))) == codes.REJECT_UNKNOWN_ORDER
    assert reason(exchange.apply(cancel(BOB, 0, "hers"))) == codes.REJECT_UNKNOWN_ORDER
    assert exchange.engine.orders.get(1) is not None


def test_cancel_restrictions_are_kept(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.BUY, 5_000_000, 1_000)
    refused = exchange.apply(cancel(ALICE, 1, restriction=codes.CANCEL_ONLY_PARTIALLY_FILLED))
    assert reason(refused) == codes.REJECT_CANCEL_RESTRICTED
    assert only(exchange.apply(cancel(ALICE, 1, restriction=codes.CANCEL_ONLY_NEW)), OrderClosed)


def test_cancel_all_takes_only_the_users_own_orders_oldest_first(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.BUY, 5_000_000, 1_000)
    exchange.place(BOB, codes.BUY, 5_000_001, 1_000)
    exchange.place(ALICE, codes.SELL, 6_000_000, 1_000)
    events = exchange.apply(CancelAllOrders(9, ALICE, BTCUSDT, "", 0))
    assert [e.order_id for e in events if isinstance(e, OrderClosed)] == [1, 3]
    assert [order.order_id for order in exchange.engine.orders.values()] == [2]


def test_deposit_with_a_known_id_is_refused(exchange: Exchange) -> None:
    assert isinstance(exchange.apply(CreditDeposit(1, BOB, BTC, 5, 50))[0], DepositCredited)
    assert reason(exchange.apply(CreditDeposit(1, BOB, BTC, 5, 50))) == codes.REJECT_DUPLICATE_REFERENCE


def test_withdrawal_is_held_until_it_is_settled(exchange: Exchange) -> None:
    (reserved,) = exchange.apply(ReserveWithdrawal(1, BOB, BTC, 5 * ONE, 1, "addr"))
    assert isinstance(reserved, WithdrawalReserved)
    assert exchange.money(BOB, BTC) == (95 * ONE, 5 * ONE)
    assert isinstance(exchange.apply(SettleWithdrawal(1, 1))[0], WithdrawalSettled)
    assert exchange.money(BOB, BTC) == (95 * ONE, 0)
    assert reason(exchange.apply(SettleWithdrawal(1, 1))) == codes.REJECT_UNKNOWN_WITHDRAWAL


def test_halted_market_takes_no_orders_and_cancel_only_still_cancels(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.BUY, 5_000_000, 1_000)
    exchange.apply(SetTradingMode(1, 0, codes.MODE_CANCEL_ONLY))
    assert reason(exchange.place(ALICE, codes.BUY, 5_000_000, 1_000)) == codes.REJECT_MARKET_CLOSED
    assert only(exchange.apply(cancel(ALICE, 1)), OrderClosed)
