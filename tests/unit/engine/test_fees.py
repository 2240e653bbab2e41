"""Fees that change while a market trades (rules version 5, ADR 0047)."""

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import encode_commands, outcomes_of
from exchange.contracts.commands import ActivateRules
from exchange.contracts.events import CommandRejected, TradeExecuted
from exchange.contracts.fee_commands import SetMarketFees
from exchange.contracts.fee_events import MarketFeesChanged
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.core.state import from_rows, to_rows
from matching_engine.genesis import genesis_commands
from matching_engine.snapshots import state_hash
from tests.unit.engine.test_trading import ALICE, BOB, BTCUSDT, Exchange, only, reason


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
