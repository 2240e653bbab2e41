"""Fees that change while a market trades (rules version 5, ADR 0047)."""

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import encode_commands, field_names, outcomes_of
from exchange.contracts.commands import (
    ActivateRules,
    Command,
    CreditDeposit,
    PlaceOrder,
    RegisterAsset,
    RegisterMarket,
    ReserveWithdrawal,
)
from exchange.contracts.events import CommandRejected, TradeExecuted
from exchange.contracts.fee_commands import (
    SetAccountTier,
    SetFeeDiscount,
    SetFeeTier,
    SetMarketFees,
    SwitchFeeDiscount,
)
from exchange.contracts.fee_events import MarketFeesChanged, TradeExecutedWithDiscount
from exchange.contracts.limits import FEE_TIERS_MAX
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows, to_rows
from matching_engine.genesis import genesis_commands
from matching_engine.snapshots import state_hash
from tests.unit.engine.test_trading import (
    ALICE,
    BOB,
    BTC,
    BTCUSDT,
    ETH,
    ONE,
    UNIT,
    USDT,
    Exchange,
    only,
    reason,
)

ETHUSDT = 2


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


def fees_of_a_trade(exchange: Exchange) -> tuple[int, int]:
    """What 1,000 lots (0.01 BTC) for 500 USDT cost the taker in BTC atoms and the maker in USDT atoms."""
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    return fees_of(exchange)


def fees_of(exchange: Exchange) -> tuple[int, int]:
    (trade,) = only(exchange.place(BOB, codes.BUY, 5_000_000, 1_000), TradeExecuted)
    assert isinstance(trade, TradeExecuted)
    return trade.buyer_fee_atoms, trade.seller_fee_atoms


def test_trades_after_the_change_pay_the_new_fees_and_those_before_it_the_old(exchange: Exchange) -> None:
    assert fees_of_a_trade(exchange) == (1_000, 50_000_000)
    (changed,) = exchange.apply(SetMarketFees(1, BTCUSDT, 200, 400))
    assert isinstance(changed, MarketFeesChanged)
    assert (changed.market_id, changed.maker_fee_ppm, changed.taker_fee_ppm) == (BTCUSDT, 200, 400)
    assert fees_of_a_trade(exchange) == (400, 10_000_000)


def test_order_that_rests_pays_what_holds_when_it_trades(exchange: Exchange) -> None:
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    exchange.apply(SetMarketFees(1, BTCUSDT, 0, 1_000_000))
    assert fees_of(exchange) == (1_000_000, 0)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (SetMarketFees(1, 99, 0, 0), codes.REJECT_UNKNOWN_MARKET),
        (SetMarketFees(1, BTCUSDT, 1_000_001, 0), codes.REJECT_MALFORMED),
        (SetMarketFees(1, BTCUSDT, 0, 1_000_001), codes.REJECT_MALFORMED),
    ],
)
def test_fees_that_are_none_are_refused_and_change_nothing(
    exchange: Exchange, command: SetMarketFees, why: int
) -> None:
    assert reason(exchange.apply(command)) == why
    assert fees_of_a_trade(exchange) == (1_000, 50_000_000)


def test_another_engine_that_was_given_the_same_commands_keeps_its_fees() -> None:
    commands = genesis_commands()
    changed, other = Engine(), Engine()
    for command in commands:
        changed.apply(command, 1)
        other.apply(command, 1)
    changed.apply(SetMarketFees(1, BTCUSDT, 1, 2), 1)
    assert other.markets[BTCUSDT].rules.maker_fee_ppm == 1_000


def test_a_snapshot_keeps_the_new_fees() -> None:
    shard = Shard(Engine())
    shard.apply_record(0, 1, encode_commands([*genesis_commands(), SetMarketFees(1, BTCUSDT, 7, 9)]))
    again = from_rows(to_rows(shard), Engine())
    assert state_hash(again) == state_hash(shard)
    rules = again.engine.markets[BTCUSDT].rules
    assert (rules.maker_fee_ppm, rules.taker_fee_ppm) == (7, 9)


def test_older_rules_decide_it_as_code_that_does_not_know_it() -> None:
    shard = Shard(Engine())
    genesis = [ActivateRules(0, 4), *genesis_commands()[1:]]
    shard.apply_record(0, 1, encode_commands([*genesis, SetMarketFees(7, BTCUSDT, 7, 9)]))
    (outcome,) = outcomes_of(shard.apply_record(1, 1, encode_commands([SetMarketFees(8, BTCUSDT, 7, 9)])))
    (recorded,) = outcome.events
    assert isinstance(recorded.event, CommandRejected)
    assert recorded.event.reason == codes.REJECT_MALFORMED
    assert shard.engine.markets[BTCUSDT].rules.maker_fee_ppm == 1_000


# -- tiers


def tiered(exchange: Exchange) -> None:
    """Bob pays half as a maker and three quarters as a taker."""
    exchange.apply(SetFeeTier(1, 1, USDT, 1_000 * ONE, 500_000, 750_000))
    exchange.apply(SetAccountTier(1, BOB, 1))


def test_who_is_in_a_tier_pays_its_shares_and_nobody_else_does(exchange: Exchange) -> None:
    exchange.apply(SetMarketFees(1, BTCUSDT, 1_000, 1_001))
    exchange.place(ALICE, codes.SELL, 4_000_000, 1)  # Both have traded here before they stand anywhere.
    exchange.place(BOB, codes.BUY, 4_000_000, 1)
    tiered(exchange)
    # Three quarters of 1,001 ppm are 750 whole ones.
    assert fees_of_a_trade(exchange) == (750, 50_000_000)
    exchange.place(BOB, codes.SELL, 5_000_000, 1_000)
    (trade,) = only(exchange.place(ALICE, codes.BUY, 5_000_000, 1_000), TradeExecuted)
    assert isinstance(trade, TradeExecuted)
    assert (trade.buyer_fee_atoms, trade.seller_fee_atoms) == (1_001, 25_000_000)


@pytest.mark.parametrize(
    "end",
    [SetAccountTier(1, BOB, 0), SetFeeTier(1, 1, USDT, 0, 0, 0)],
    ids=["the account leaves it", "the tier is gone"],
)
def test_who_is_in_no_tier_any_more_pays_what_everybody_pays(exchange: Exchange, end: Command) -> None:
    tiered(exchange)
    exchange.apply(end)
    assert fees_of_a_trade(exchange) == (1_000, 50_000_000)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (SetFeeTier(1, 0, USDT, 1, 0, 0), codes.REJECT_MALFORMED),
        (SetFeeTier(1, FEE_TIERS_MAX + 1, USDT, 1, 0, 0), codes.REJECT_MALFORMED),
        (SetFeeTier(1, 1, USDT, 1, 1_000_001, 0), codes.REJECT_MALFORMED),
        (SetFeeTier(1, 1, USDT, 1, 0, 1_000_001), codes.REJECT_MALFORMED),
        (SetFeeTier(1, 1, 99, 1, 0, 0), codes.REJECT_UNKNOWN_ASSET),
        (SetAccountTier(1, BOB, 2), codes.REJECT_MALFORMED),
        (SetAccountTier(1, 0, 0), codes.REJECT_MALFORMED),
        (SetFeeDiscount(1, 99, 0), codes.REJECT_UNKNOWN_ASSET),
        (SetFeeDiscount(1, BTC, 1_000_001), codes.REJECT_MALFORMED),
        (SwitchFeeDiscount(1, 0, 1), codes.REJECT_MALFORMED),
        (SwitchFeeDiscount(1, BOB, 2), codes.REJECT_MALFORMED),
    ],
)
def test_what_nobody_can_agree_on_is_refused(exchange: Exchange, command: Command, why: int) -> None:
    assert reason(exchange.apply(command)) == why
    assert not exchange.engine.fees.tiers
    assert not exchange.engine.fees.standings
    assert not exchange.engine.fees.discount_asset_id


# -- the discount


def priced(exchange: Exchange, discount_ppm: int = 250_000) -> None:
    """Fees may be paid in ETH, of which one is 2,500 USDT; Bob does, and has one."""
    for command in (
        CreditDeposit(1, ALICE, ETH, 2 * ONE, 101),
        CreditDeposit(1, BOB, ETH, ONE, 102),
        PlaceOrder(1, ALICE, ETHUSDT, "e1", codes.SELL, codes.LIMIT, codes.GTC, 250_000, 100, 0, 1, 0),
        PlaceOrder(1, BOB, ETHUSDT, "e2", codes.BUY, codes.LIMIT, codes.GTC, 250_000, 100, 0, 1, 0),
        SetFeeDiscount(1, ETH, discount_ppm),
        SwitchFeeDiscount(1, BOB, 1),
    ):
        assert not only(exchange.apply(command), CommandRejected)


def discounted(exchange: Exchange, buyer: int = BOB, seller: int = ALICE) -> TradeExecutedWithDiscount:
    exchange.place(seller, codes.SELL, 5_000_000, 1_000)
    (trade,) = only(exchange.place(buyer, codes.BUY, 5_000_000, 1_000), TradeExecuted)
    assert isinstance(trade, TradeExecutedWithDiscount)
    return trade


def test_taker_who_buys_pays_the_discounted_worth_and_receives_whole(exchange: Exchange) -> None:
    priced(exchange)
    btc, eth = exchange.money(BOB, BTC)[0], exchange.money(BOB, ETH)[0]
    earned = exchange.engine.accounts.totals[ETH].fees
    trade = discounted(exchange)
    # 500 USDT, a thousandth of it, less a quarter: 0.375 USDT; at 2,500 USDT that is 0.00015 ETH.
    assert (trade.discount_asset_id, trade.buyer_discount_fee_atoms) == (ETH, 15_000)
    assert (trade.buyer_fee_atoms, trade.seller_fee_atoms, trade.seller_discount_fee_atoms) == (
        0,
        50_000_000,
        0,
    )
    assert exchange.money(BOB, BTC)[0] == btc + trade.base_atoms
    assert exchange.money(BOB, ETH)[0] == eth - 15_000
    assert exchange.engine.accounts.totals[ETH].fees == earned + 15_000


def test_maker_who_sells_pays_so_too_and_a_tier_comes_before_the_discount(exchange: Exchange) -> None:
    priced(exchange)
    tiered(exchange)
    trade = discounted(exchange, ALICE, BOB)
    assert (trade.seller_fee_atoms, trade.seller_discount_fee_atoms) == (0, 7_500)
    assert (trade.buyer_fee_atoms, trade.buyer_discount_fee_atoms) == (1_000, 0)


def test_the_fee_is_rounded_once_and_up(exchange: Exchange) -> None:
    priced(exchange, 333_333)
    # 500 USDT * 0.001 * 0.666667 / 2,500 = 0.0001333334 ETH.
    assert discounted(exchange).buyer_discount_fee_atoms == 13_334


def test_who_has_too_little_pays_as_without_the_discount(exchange: Exchange) -> None:
    priced(exchange)
    exchange.apply(ReserveWithdrawal(1, BOB, ETH, exchange.money(BOB, ETH)[0] - 14_999, 7, "away"))
    assert fees_of_a_trade(exchange) == (1_000, 50_000_000)
    assert exchange.money(BOB, ETH)[0] == 14_999


@pytest.mark.parametrize(
    "without",
    [SetFeeDiscount(1, 0, 0), SwitchFeeDiscount(1, BOB, 0), SetFeeDiscount(1, ETH, 1_000_000)],
    ids=["no discount asset", "switched off", "nothing is left of the fee"],
)
def test_without_a_discount_the_trade_is_told_as_ever(exchange: Exchange, without: Command) -> None:
    priced(exchange)
    exchange.apply(without)
    exchange.place(ALICE, codes.SELL, 5_000_000, 1_000)
    (trade,) = only(exchange.place(BOB, codes.BUY, 5_000_000, 1_000), TradeExecuted)
    assert type(trade) is TradeExecuted
    assert trade.buyer_fee_atoms == 1_000


def test_without_a_price_the_fee_is_paid_in_what_is_received(exchange: Exchange) -> None:
    for command in (
        CreditDeposit(1, BOB, ETH, ONE, 102),
        SetFeeDiscount(1, ETH, 250_000),
        SwitchFeeDiscount(1, BOB, 1),
    ):
        exchange.apply(command)
    assert fees_of_a_trade(exchange) == (1_000, 50_000_000)


def test_in_the_asset_s_own_market_the_trade_itself_is_the_price_and_pays(exchange: Exchange) -> None:
    """The first trade of all, of a buyer who has nothing of the asset before it."""
    exchange.apply(SetFeeDiscount(1, BTC, 250_000))
    exchange.apply(SwitchFeeDiscount(1, BOB, 1))
    exchange.apply(ReserveWithdrawal(1, BOB, BTC, exchange.money(BOB, BTC)[0], 7, "away"))
    trade = discounted(exchange)
    assert trade.buyer_discount_fee_atoms == trade.base_atoms * 750 // 1_000_000
    assert exchange.money(BOB, BTC)[0] == trade.base_atoms - trade.buyer_discount_fee_atoms


def test_an_asset_against_itself_needs_no_price(exchange: Exchange) -> None:
    exchange.apply(SetFeeDiscount(1, USDT, 100_000))
    exchange.apply(SwitchFeeDiscount(1, ALICE, 1))
    trade = discounted(exchange)
    assert trade.seller_discount_fee_atoms == trade.quote_atoms * 900 // 1_000_000


def test_who_trades_with_himself_pays_both_fees(exchange: Exchange) -> None:
    priced(exchange)
    exchange.place(BOB, codes.SELL, 5_000_000, 1_000, stp=codes.STP_NONE)
    (trade,) = only(exchange.place(BOB, codes.BUY, 5_000_000, 1_000, stp=codes.STP_NONE), TradeExecuted)
    assert isinstance(trade, TradeExecutedWithDiscount)
    assert (trade.buyer_discount_fee_atoms, trade.seller_discount_fee_atoms) == (15_000, 15_000)


def test_a_market_that_comes_later_gives_the_price(exchange: Exchange) -> None:
    """Of two markets of a pair the oldest."""
    exchange.apply(RegisterAsset(1, 9, "HOUSE", 8))
    exchange.apply(SetFeeDiscount(1, 9, 0))
    rules = exchange.engine.markets[BTCUSDT].rules
    of_btc = [getattr(rules, name) for name in field_names(RegisterMarket)]
    for market_id in (91, 90):
        command = RegisterMarket(1, market_id, f"HOUSE{market_id}", 9, *of_btc[4:])
        assert not only(exchange.apply(command), CommandRejected)
    found = exchange.engine.discount_markets
    assert {quote: market.rules.market_id for quote, market in found.items()} == {USDT: 90}


def test_a_snapshot_keeps_tiers_the_discount_and_where_accounts_stand() -> None:
    commands = [
        *genesis_commands(),
        SetFeeTier(1, 3, USDT, 10, 7, 9),
        SetAccountTier(1, ALICE, 3),
        SetFeeDiscount(1, ETH, 250_000),
        SwitchFeeDiscount(1, BOB, 1),
        SwitchFeeDiscount(1, ALICE, 1),
        SwitchFeeDiscount(1, ALICE, 0),
        CreditDeposit(1, BOB, BTC, ONE, 1),
        CreditDeposit(1, BOB, ETH, ONE, 2),
        PlaceOrder(1, BOB, BTCUSDT, "resting", codes.SELL, codes.LIMIT, codes.GTC, 5_000_000, 100, 0, 1, 0),
    ]
    shard = Shard(Engine())
    shard.apply_record(0, 1, encode_commands(commands))
    again = from_rows(to_rows(shard), Engine())
    assert state_hash(again) == state_hash(shard)
    fees = again.engine.fees
    assert (fees.discount_asset_id, fees.discount_ppm, list(fees.tiers)) == (ETH, 250_000, [3])
    assert fees.standings[ALICE].tier == 3
    trader = again.engine.markets[BTCUSDT].traders[BOB]
    assert trader.standing is fees.standings[BOB]
    assert list(again.engine.discount_markets) == [USDT, BTC]
    later = encode_commands([SetAccountTier(1, ALICE, 0), SwitchFeeDiscount(1, BOB, 0)])
    for one in (shard, again):
        one.apply_record(one.next_command_offset, 1, later)
        assert not one.engine.fees.standings
    assert state_hash(again) == state_hash(shard)


def test_who_cannot_pay_both_fees_of_a_trade_with_himself_pays_one_of_what_it_brings(
    exchange: Exchange,
) -> None:
    """Fees of six tenths in the quote asset: what the sale brings pays its own fee, not the other."""
    exchange.apply(SetMarketFees(1, BTCUSDT, 600_000, 600_000))
    exchange.apply(SetFeeDiscount(1, USDT, 0))
    exchange.apply(SwitchFeeDiscount(1, BOB, 1))
    exchange.place(BOB, codes.SELL, 5_000_000, 1_000, stp=codes.STP_NONE)
    cost = 5_000_000 * 1_000 * UNIT
    exchange.apply(ReserveWithdrawal(1, BOB, USDT, exchange.money(BOB, USDT)[0] - cost, 7, ""))
    (trade,) = only(exchange.place(BOB, codes.BUY, 5_000_000, 1_000, stp=codes.STP_NONE), TradeExecuted)
    assert isinstance(trade, TradeExecutedWithDiscount)
    assert (trade.buyer_fee_atoms, trade.buyer_discount_fee_atoms) == (600_000, 0)
    assert (trade.seller_fee_atoms, trade.seller_discount_fee_atoms) == (0, cost * 6 // 10)


def test_a_discount_never_takes_what_the_other_fee_of_its_payer_is_paid_with(exchange: Exchange) -> None:
    """The price is an older market's of the pair, a hundredth of this one's: fees beyond what is bought."""
    of_btc = [getattr(exchange.engine.markets[BTCUSDT].rules, name) for name in field_names(RegisterMarket)]
    exchange.apply(RegisterMarket(1, 90, "BTCUSDT2", *of_btc[3:]))
    exchange.place(ALICE, codes.SELL, 50_000, 1_000)
    exchange.place(BOB, codes.BUY, 50_000, 1_000)
    sale, bought = (
        PlaceOrder(1, BOB, 90, name, side, codes.LIMIT, codes.GTC, 5_000_000, 1_000, 0, codes.STP_NONE, 0)
        for name, side in (("s", codes.SELL), ("b", codes.BUY))
    )
    for command in (
        SetMarketFees(1, 90, 500_000, 1_000_000),
        SetFeeDiscount(1, BTC, 0),
        SwitchFeeDiscount(1, BOB, 1),
        sale,
    ):
        assert not only(exchange.apply(command), CommandRejected)
    # A whole BTC is asked of the buyer, half of one of the seller; there is half of one with what is bought.
    spare = 49_500_000
    exchange.apply(ReserveWithdrawal(1, BOB, BTC, exchange.money(BOB, BTC)[0] - spare, 7, ""))
    (trade,) = only(exchange.apply(bought), TradeExecuted)
    assert type(trade) is TradeExecuted
    assert (trade.buyer_fee_atoms, trade.seller_fee_atoms) == (trade.base_atoms, trade.quote_atoms // 2)
    assert exchange.money(BOB, BTC)[0] == spare
