"""What one command may do is bounded (rules version 2), and each look at the book has the same bound."""

import pytest

import matching_engine.core.book
from exchange.contracts import codes, limits
from exchange.contracts.codec import (
    CommandOutcome,
    EventBatch,
    RecordedEvent,
    encode_commands,
    encode_events,
    outcomes_of,
)
from exchange.contracts.commands import (
    ActivateRules,
    CancelAllOrders,
    Command,
    CreditDeposit,
    PlaceOrder,
    RegisterAsset,
    RegisterMarket,
    ReserveWithdrawal,
    SettleWithdrawal,
)
from exchange.contracts.events import (
    AssetRegistered,
    CommandRejected,
    DepositCredited,
    Event,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
)
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import UNBOUNDED, EngineLimits
from matching_engine.core.invariants import check_invariants
from matching_engine.core.naive_book import NaiveBook
from matching_engine.core.shard import PoisonError, Shard
from matching_engine.core.state import from_rows, to_rows
from matching_engine.genesis import genesis_commands
from matching_engine.outbox import records_of
from matching_engine.snapshots import state_bytes

MAKER, TAKER = 1001, 1002
BTC, USDT = 1, 3
ONE = 10**8
PRICE, LOTS = 5_000_000, 1_000
COST = PRICE * LOTS * 10  # atoms of one such order


class Market:
    """BTCUSDT with a maker, a taker, and small limits, checked after every command."""

    def __init__(self, version: int = 2, bounds: EngineLimits | None = None) -> None:
        self.engine = Engine(limits=bounds or EngineLimits(fills_per_command_max=3))
        self.names = 0
        for command in genesis_commands():
            if isinstance(command, ActivateRules):
                command.version = version
            self.engine.apply(command, 1)
        for number, user_id in enumerate((MAKER, TAKER)):
            self.deposit(user_id, BTC, 1_000 * ONE, 10 * number + 1)
            self.deposit(user_id, USDT, 10_000_000 * ONE, 10 * number + 2)

    def deposit(self, user_id: int, asset_id: int, amount: int, deposit_id: int) -> list[Event]:
        return self.apply(CreditDeposit(1, user_id, asset_id, amount, deposit_id))

    def apply(self, command: Command) -> list[Event]:
        events = self.engine.apply(command, 1)
        check_invariants(self.engine)
        return events

    def place(
        self, user_id: int, side: int, price: int, lots: int, *, order_type: int = codes.LIMIT,
        tif: int = codes.GTC, quote: int = 0, stp: int = codes.STP_EXPIRE_MAKER,
    ) -> list[Event]:  # fmt: skip
        self.names += 1
        return self.apply(
            PlaceOrder(
                1, user_id, 1, f"o{self.names}", side, order_type, tif, price, lots, quote, stp, 0
            )
        )  # fmt: skip

    def asks(self, count: int, user_id: int = MAKER) -> None:
        for _ in range(count):
            self.place(user_id, codes.SELL, PRICE, LOTS)

    def money(self, user_id: int, asset_id: int) -> tuple[int, int]:
        balance = self.engine.accounts.balance(user_id, asset_id)
        return balance.available, balance.held


def trades_of(events: list[Event]) -> int:
    return sum(isinstance(event, TradeExecuted) for event in events)


def closed_of(events: list[Event]) -> tuple[int, int]:
    (closed,) = [event for event in events if isinstance(event, OrderClosed)]
    return closed.status, closed.reason


def refusal(events: list[Event]) -> int:
    (event,) = events
    assert isinstance(event, CommandRejected)
    return event.reason


CUT = (codes.EXPIRED, codes.CLOSED_TOO_MANY_FILLS)


@pytest.mark.parametrize("tif", [codes.GTC, codes.IOC])
def test_order_meets_so_many_others_and_the_rest_expires(tif: int) -> None:
    market = Market()
    market.asks(5)
    before = market.money(TAKER, USDT)[0]
    events = market.place(TAKER, codes.BUY, PRICE, 5 * LOTS, tif=tif)
    assert trades_of(events) == 3
    assert closed_of(events) == CUT
    assert events[0].resting_lots == 0  # type: ignore[attr-defined]
    # Paid what was bought; nothing stays held; the book keeps the two that were not met.
    assert market.money(TAKER, USDT) == (before - 3 * COST, 0)
    assert len(market.engine.orders) == 2
    # The very same order again goes on where the first one ended.
    again = market.place(TAKER, codes.BUY, PRICE, 2 * LOTS, tif=tif)
    assert trades_of(again) == 2
    assert not [event for event in again if isinstance(event, OrderClosed)]


def test_remainder_that_would_not_cross_rests_as_ever() -> None:
    market = Market()
    market.asks(3)
    market.place(MAKER, codes.SELL, PRICE + 10, LOTS)
    events = market.place(TAKER, codes.BUY, PRICE, 4 * LOTS)
    assert trades_of(events) == 3
    assert isinstance(events[0], OrderAccepted)
    assert events[0].resting_lots == LOTS


def test_version_1_meets_them_all() -> None:
    market = Market(version=1)
    market.asks(5)
    assert trades_of(market.place(TAKER, codes.BUY, PRICE, 5 * LOTS)) == 5


def test_market_order_by_quantity_pays_for_what_it_can_meet() -> None:
    market = Market()
    market.asks(5)
    before = market.money(TAKER, USDT)[0]
    events = market.place(TAKER, codes.BUY, 0, 5 * LOTS, order_type=codes.MARKET)
    assert isinstance(events[0], OrderAccepted)
    assert (events[0].held_atoms, trades_of(events), closed_of(events)) == (3 * COST, 3, CUT)
    assert market.money(TAKER, USDT) == (before - 3 * COST, 0)


@pytest.mark.parametrize("side", [codes.BUY, codes.SELL])
def test_market_order_by_total_ends_as_expired_not_as_filled(side: int) -> None:
    market = Market()
    for _ in range(5):
        market.place(MAKER, codes.SELL if side == codes.BUY else codes.BUY, PRICE, LOTS)
    events = market.place(TAKER, side, 0, 0, order_type=codes.MARKET, quote=4 * COST)
    assert isinstance(events[0], OrderAccepted)
    assert (events[0].quantity_lots, trades_of(events)) == (4 * LOTS, 3)
    assert closed_of(events) == CUT
    assert market.money(TAKER, USDT)[1] == market.money(TAKER, BTC)[1] == 0


def test_market_order_by_total_that_the_bound_just_lets_through_is_filled() -> None:
    market = Market()
    market.asks(5)
    events = market.place(TAKER, codes.BUY, 0, 0, order_type=codes.MARKET, quote=3 * COST)
    assert trades_of(events) == 3
    assert not [event for event in events if isinstance(event, OrderClosed)]


def test_fill_or_kill_is_killed_where_matching_would_be_cut() -> None:
    market = Market()
    market.asks(5)
    assert trades_of(market.place(TAKER, codes.BUY, PRICE, 3 * LOTS, tif=codes.FOK)) == 3
    market.asks(3)
    events = market.place(TAKER, codes.BUY, PRICE, 4 * LOTS, tif=codes.FOK)
    assert trades_of(events) == 0
    assert closed_of(events) == (codes.EXPIRED, codes.CLOSED_FOK_UNFILLABLE)


@pytest.mark.parametrize("order_type", [codes.LIMIT, codes.MARKET])
def test_own_orders_that_self_trade_prevention_closes_are_met_too(order_type: int) -> None:
    market = Market()
    market.asks(2, TAKER)
    market.asks(2)
    price = PRICE if order_type == codes.LIMIT else 0
    events = market.place(TAKER, codes.BUY, price, 3 * LOTS, order_type=order_type)
    assert trades_of(events) == 1
    ended = [event.reason for event in events if isinstance(event, OrderClosed)]
    assert ended == [codes.CLOSED_SELF_TRADE, codes.CLOSED_SELF_TRADE, codes.CLOSED_TOO_MANY_FILLS]
    assert market.money(TAKER, USDT)[1] == 0


def test_money_is_looked_at_before_the_book() -> None:
    market = Market(bounds=EngineLimits())
    poor = 5_000
    refused = codes.REJECT_INSUFFICIENT_BALANCE
    # Who has nothing is refused even where the book, being empty, would have asked for nothing.
    assert refusal(market.place(poor, codes.BUY, 0, LOTS, order_type=codes.MARKET)) == refused
    market.asks(200)
    market.deposit(poor, USDT, 3 * COST, 1_000)
    assert refusal(market.place(poor, codes.BUY, 0, 200 * LOTS, order_type=codes.MARKET)) == refused
    by_total = market.place(poor, codes.BUY, 0, 0, order_type=codes.MARKET, quote=200 * COST)
    assert refusal(by_total) == refused
    # The walks themselves end one order beyond what is to be had.
    walks = market.engine.markets[1]
    affordable = 3 * PRICE * LOTS
    _, cost = walks.fillable(codes.BUY, 0, 200 * LOTS, poor, codes.STP_NONE, 1_000, affordable, True)
    assert cost == affordable + PRICE * LOTS
    budget = 200 * PRICE * LOTS
    _, cost, _ = walks.fillable_for_quote(
        codes.BUY, budget, poor, codes.STP_NONE, 1_000, affordable, UNBOUNDED, True
    )
    assert cost == affordable + PRICE * LOTS
    lots, _, _ = walks.fillable_for_quote(
        codes.BUY, budget, poor, codes.STP_NONE, 1_000, UNBOUNDED, 3 * LOTS, True
    )
    assert lots == 4 * LOTS


def test_levels_that_fill_whole_are_looked_at_once() -> None:
    market = Market(bounds=EngineLimits())
    for number in range(60):
        market.place(MAKER, codes.SELL, PRICE + 10 * (number // 20), LOTS)
    walks = market.engine.markets[1]
    looked_at = 0

    class Watched:
        """The book, counting how often the walk goes on."""

        def __getattr__(self, name: str) -> object:
            return getattr(book, name)

        def following(self, order: object) -> object:
            nonlocal looked_at
            looked_at += 1
            return book.following(order)  # type: ignore[arg-type]

    book = walks.book
    if not str(matching_engine.core.book.__file__).endswith(".py"):
        pytest.skip("a compiled market takes no other book")
    walks.book = Watched()  # type: ignore[assignment]
    arguments = (codes.BUY, 0, 60 * LOTS, TAKER, codes.STP_NONE, 1_000, UNBOUNDED)
    whole = walks.fillable(*arguments, False)
    assert looked_at == 3
    assert walks.fillable(*arguments, True) == whole
    assert looked_at == 3 + 60


def outcome_size(events: list[Event]) -> int:
    recorded = tuple(RecordedEvent(2**62 + n, b"h" * 16, event) for n, event in enumerate(events))
    outcome = CommandOutcome(2**62, 9_999, 2**62, 2**62, recorded)
    return len(encode_events(EventBatch(2**62, 2**62, (outcome,))))


def test_the_largest_outcomes_fit_a_record() -> None:
    market = Market(bounds=EngineLimits())
    per_user = 200
    for number in range(limits.FILLS_PER_COMMAND_MAX // per_user + 1):
        market.deposit(3_000 + number, BTC, 1_000 * ONE, 100 + number)
        market.asks(per_user, 3_000 + number)
    lots = len(market.engine.orders) * LOTS
    events = market.place(TAKER, codes.BUY, PRICE, lots)
    assert trades_of(events) == limits.FILLS_PER_COMMAND_MAX
    assert closed_of(events) == CUT
    assert len(events) <= limits.EVENTS_PER_OUTCOME_MAX
    assert outcome_size(events) <= limits.ORDER_OUTCOME_SIZE_BYTES_MAX


def rules_of(market_id: int, open_orders_max: int, symbol: str = "NEW") -> RegisterMarket:
    return RegisterMarket(
        1, market_id, symbol, BTC, USDT, 10**6, 10**3, 1, 10**9, 1, 10**12, 10**12, 0, 2**62,
        10**7, 0, 10**7, 0, open_orders_max, 0, 0,
    )  # fmt: skip


def test_market_may_not_allow_more_open_orders_than_one_command_can_cancel() -> None:
    market = Market(bounds=EngineLimits(open_orders_max=4))
    assert refusal(market.apply(rules_of(9, 5))) == codes.REJECT_MALFORMED
    assert isinstance(market.apply(rules_of(9, 4))[0], MarketRegistered)


def test_older_market_that_allows_more_keeps_to_the_new_limit() -> None:
    market = Market(version=1, bounds=EngineLimits(open_orders_max=4))
    market.asks(6)
    market.apply(ActivateRules(1, 2))
    assert refusal(market.place(MAKER, codes.SELL, PRICE, LOTS)) == codes.REJECT_MAX_NUM_ORDERS
    first = market.apply(CancelAllOrders(1, MAKER, 1, "", 0))
    assert [event.order_id for event in first if isinstance(event, OrderClosed)] == [1, 2, 3, 4]
    second = market.apply(CancelAllOrders(1, MAKER, 1, "", 0))
    assert [event.order_id for event in second if isinstance(event, OrderClosed)] == [5, 6]


def test_markets_and_assets_are_bounded() -> None:
    market = Market(bounds=EngineLimits(markets_max=4, assets_max=5))
    assert isinstance(market.apply(rules_of(9, 4))[0], MarketRegistered)
    assert refusal(market.apply(rules_of(10, 4, "OTHER"))) == codes.REJECT_OVERFLOW
    added = [market.apply(RegisterAsset(1, 50 + n, f"A{n}", 8))[0] for n in range(3)]
    assert sum(isinstance(event, AssetRegistered) for event in added) < 3
    assert len(market.engine.asset_decimals) == 5


def test_deposit_limit_counts_what_is_inside() -> None:
    results = []
    for version in (1, 2):
        market = Market(version)
        market.apply(RegisterAsset(1, 50, "BIG", 0))
        for number in range(3):
            event = market.deposit(MAKER, 50, 2**62, 100 + number)[0]
            results.append(isinstance(event, DepositCredited))
            market.apply(ReserveWithdrawal(1, MAKER, 50, 2**62, 1 + number, ""))
            market.apply(SettleWithdrawal(1, 1 + number))
    assert results == [True, False, False, True, True, True]
    # More has come in than 63 bits hold: a snapshot keeps it, to the atom.
    shard = Shard(market.engine)
    assert market.engine.accounts.totals[50].deposited == 3 * 2**62
    again = from_rows(to_rows(shard), Engine())
    assert again.engine.accounts.totals[50].deposited == 3 * 2**62
    assert state_bytes(again) == state_bytes(shard)
    assert refusal(market.deposit(MAKER, 50, 2**62 + 1, 200)) == codes.REJECT_OVERFLOW


def test_outcome_that_no_log_takes_is_poison() -> None:
    """An old history may hold such a command: the engine must halt there, not fail at each publish."""
    shard = Shard(Engine())
    setup = [c for c in genesis_commands() if not isinstance(c, ActivateRules)]
    shard.apply_record(0, 1, encode_commands(setup))
    makers, orders_each = 100, 200
    funds = [CreditDeposit(1, 2_000 + n, BTC, 10_000 * ONE, n + 1) for n in range(makers)]
    funds.append(CreditDeposit(1, TAKER, USDT, 2**61, 10**6))
    shard.apply_record(1, 1, encode_commands(funds))
    for number in range(makers):
        orders: list[Command] = [
            PlaceOrder(1, 2_000 + number, 1, f"o{n}", codes.SELL, 1, 1, PRICE, 100, 0, 1, 0)
            for n in range(orders_each)
        ]
        shard.apply_record(2 + number, 1, encode_commands(orders))
    assert len(shard.engine.orders) == makers * orders_each
    sweep = PlaceOrder(1, TAKER, 1, "sweep", codes.BUY, 1, 2, PRICE, 100 * makers * orders_each, 0, 1, 0)
    rows = to_rows(shard)
    links = shard.apply_record(2 + makers, 1, encode_commands([sweep]))
    with pytest.raises(PoisonError, match="fits no record") as stopped:
        records_of(0, 1, links)
    assert (stopped.value.offset, stopped.value.index) == (2 + makers, 0)
    # The operator's order goes past it, or newer rules do.
    past = from_rows(rows, Engine())
    past.skipped = {(2 + makers, 0): True}
    (outcome,) = outcomes_of(past.apply_record(2 + makers, 1, encode_commands([sweep])))
    assert isinstance(outcome.events[0].event, CommandRejected)
    (_, bounded) = outcomes_of(
        from_rows(rows, Engine()).apply_record(2 + makers, 1, encode_commands([ActivateRules(1, 2), sweep]))
    )
    assert len(bounded.events) == limits.FILLS_PER_COMMAND_MAX + 2


def test_restored_books_are_the_same_books() -> None:
    market = Market(bounds=EngineLimits())
    for number in range(150):
        market.place(MAKER, codes.SELL, PRICE + 10 * (number * 7 % 150), LOTS)
        market.place(MAKER, codes.SELL if number % 2 else codes.BUY, PRICE - 10 * (number // 2 + 1), LOTS)
    shard = Shard(market.engine)
    again = from_rows(to_rows(shard), Engine())
    assert state_bytes(again) == state_bytes(shard)
    assert to_rows(from_rows(to_rows(shard), Engine(NaiveBook))) == to_rows(shard)
