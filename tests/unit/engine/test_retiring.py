"""A market ends: what is open is cancelled in bounded steps, and every hold comes back (ADR 0045)."""

import asyncio
import random

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts import codes
from exchange.contracts.codec import decode_commands
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.commands import SetTradingMode
from exchange.contracts.events import CommandRejected, Event, OrderClosed, TradingModeChanged
from exchange.contracts.filter_commands import SetFilter
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import EngineLimits
from matching_engine.core.rules_version import RULES_VERSION_MAX
from matching_engine.core.shard import Shard
from matching_engine.timekeeping import Timekeeper
from tests.property.replay import SEED
from tests.unit.engine.terms_exchange import ALICE, BOB, BTC, BTCUSDT, USDT, P, TermsExchange, kinds, leg

STEP = 5
RETIRED = codes.MODE_RETIRED


@pytest.fixture
def exchange() -> TermsExchange:
    exchange = TermsExchange(EngineLimits(open_orders_max=STEP, order_lists_max=3))
    exchange.apply(SetFilter(1, codes.FILTER_NOTIONAL, BTCUSDT, 0, 1, 1, 10**15, 1))  # none is too small
    return exchange


def closed(events: list[Event]) -> list[OrderClosed]:
    return [event for event in events if isinstance(event, OrderClosed)]


def a_bit_of_everything(exchange: TermsExchange) -> int:
    """Every kind of open order; how many there are."""
    exchange.engine.limits.open_orders_max = 100
    for number in range(4):
        exchange.place(ALICE, BUY, P - 10 - number, 10)
        exchange.place(BOB, SELL, P + 10 + number, 10)
    exchange.order(ALICE, leg("iceberg", SELL, codes.LIMIT, 40, P + 100, iceberg=10))
    for number in range(3):
        exchange.order(ALICE, leg(f"stop{number}", SELL, codes.STOP_LOSS, 10, stop=P - 100 - number))
        exchange.order(BOB, leg(f"rise{number}", BUY, codes.STOP_LOSS, 10, stop=P + 100 + number))
        exchange.order(ALICE, leg(f"trail{number}", SELL, codes.STOP_LOSS, 10, bips=100 + number))
        exchange.order(BOB, leg(f"begin{number}", BUY, codes.STOP_LOSS, 10, stop=P + 200, bips=100))
    oco = [
        leg("above", SELL, codes.LIMIT_MAKER, 10, P + 500),
        leg("below", SELL, codes.STOP_LOSS, 10, stop=P - 500),
    ]
    exchange.list_of(ALICE, codes.CONTINGENCY_OCO, *oco, name="oco")
    oto = [leg("working", BUY, codes.LIMIT, 10, P - 50), leg("pending", SELL, codes.LIMIT, 10, P + 600)]
    exchange.list_of(BOB, codes.CONTINGENCY_OTO, *oto, name="oto")
    exchange.engine.limits.open_orders_max = STEP
    return len(exchange.engine.orders)


def test_everything_open_is_cancelled_step_by_step_and_every_hold_comes_back(exchange: TermsExchange) -> None:
    count = a_bit_of_everything(exchange)
    assert count == 4 * 2 + 1 + 3 * 4 + 4
    events = exchange.mode(RETIRED)
    assert isinstance(events[0], TradingModeChanged)
    assert events[0].mode == RETIRED
    ended = closed(events)
    assert [event.side for event in ended[:4]] == [BUY] * 4, "the best bids come first"
    assert STEP <= len(events) - 1 <= STEP + 3
    steps = 0
    while exchange.engine.retiring:
        step = exchange.keep_time()
        assert len(step) <= 1 + STEP + 3
        ended += closed(step)
        steps += 1
        # A start in the middle goes on where this engine is.
        assert list(exchange.restored().retiring) == list(exchange.engine.retiring)
    assert steps >= count // (STEP + 3) - 1
    assert len({event.order_id for event in ended}) == len(ended) == count
    told = {(event.status, event.reason) for event in ended}
    alone, of_lists = (
        codes.CLOSED_MARKET_RETIRED,
        {codes.CLOSED_OCO_TRIGGER, codes.CLOSED_OTO_PHASE_ONE_EXPIRED},
    )
    assert told <= {(codes.EXPIRED, reason) for reason in {alone, *of_lists}}
    for user_id in (ALICE, BOB):
        assert exchange.held(user_id, BTC) == exchange.held(user_id, USDT) == 0
    assert len(exchange.engine.orders) == 0
    assert not exchange.engine.order_lists
    assert kinds(exchange.keep_time()) == ["TimeKept"]


def test_lists_whose_pending_orders_are_due_end_too(exchange: TermsExchange) -> None:
    """What a halt has left undone is cancelled, not placed."""
    exchange.engine.limits.follow_ups_per_command_max = 0
    exchange.engine.limits.open_orders_max = 100
    oto = [leg("working", BUY, codes.LIMIT, 10, P - 5), leg("pending", SELL, codes.LIMIT, 10, P + 600)]
    exchange.list_of(ALICE, codes.CONTINGENCY_OTO, *oto)
    exchange.order(ALICE, leg("stop", SELL, codes.STOP_LOSS, 10, stop=P - 4))
    exchange.place(BOB, SELL, P - 5, 10)
    assert exchange.engine.backlog
    ended = closed(exchange.mode(RETIRED))
    assert len(ended) == 2
    assert not exchange.engine.backlog
    assert not exchange.engine.retiring
    assert kinds(exchange.keep_time()) == ["TimeKept"]
    assert exchange.held(ALICE, BTC) == 0


def test_a_market_that_has_ended_takes_nothing_and_never_begins_again(exchange: TermsExchange) -> None:
    exchange.place(ALICE, BUY, P - 10, 10, name="open")
    exchange.mode(RETIRED)
    for events in (
        exchange.place(ALICE, BUY, P - 10, 10),
        exchange.order(ALICE, leg("stop", SELL, codes.STOP_LOSS, 10, stop=P - 4)),
        exchange.place(ALICE, BUY, P - 10, 10, order_type=codes.LIMIT_MAKER),
        exchange.mode(codes.MODE_TRADING),
        exchange.mode(RETIRED),
    ):
        assert exchange.refusal(events) == codes.REJECT_MARKET_CLOSED
    # Opening all of them opens the others.
    reopened = exchange.apply(SetTradingMode(1, 0, codes.MODE_TRADING))
    assert [event.market_id for event in reopened if isinstance(event, TradingModeChanged)] == [2, 3]
    assert exchange.engine.markets[BTCUSDT].mode == RETIRED
    assert exchange.restored().markets[BTCUSDT].mode == RETIRED


def test_users_may_cancel_while_their_market_ends(exchange: TermsExchange) -> None:
    a_bit_of_everything(exchange)
    exchange.mode(RETIRED)
    (event,) = exchange.cancel_order(ALICE, "stop1")
    assert isinstance(event, OrderClosed)
    assert (event.status, event.reason) == (codes.CANCELED, codes.CLOSED_BY_USER)


@pytest.mark.parametrize("mode", [RETIRED, 0, 6])
def test_all_markets_together_never_end(exchange: TermsExchange, mode: int) -> None:
    (event,) = exchange.apply(SetTradingMode(1, 0, mode))
    assert isinstance(event, CommandRejected)
    assert event.reason == codes.REJECT_MALFORMED


def test_rules_before_version_5_know_no_end_of_a_market(exchange: TermsExchange) -> None:
    exchange.engine.rules_version = 4
    assert exchange.refusal(exchange.mode(RETIRED)) == codes.REJECT_MALFORMED


def test_any_sequence_of_users_cancels_leaves_nothing_behind(exchange: TermsExchange) -> None:
    """Random cancels between the steps: whatever is open, it ends, and once."""
    print(f"SEED={SEED}")
    draw = random.Random(SEED)
    count = a_bit_of_everything(exchange)
    names = [(user, name) for user in (ALICE, BOB) for name in exchange.engine.orders_by_name[user]]
    ended = len(closed(exchange.mode(RETIRED)))
    while exchange.engine.retiring:
        user_id, name = draw.choice(names)
        ended += len(closed(exchange.cancel_order(user_id, name)))
        ended += len(closed(exchange.keep_time()))
    assert ended == count
    assert exchange.held(ALICE, BTC) == exchange.held(BOB, USDT) == 0


@pytest.mark.parametrize("is_ending", [True, False])
async def test_the_leader_says_its_word_without_pause_while_a_market_ends(is_ending: bool) -> None:
    """A quiet exchange needs no word; one where a market ends has nobody else to cancel its orders."""
    log = MemoryLog(lambda: 1_000)
    shard = Shard(Engine())
    shard.engine.rules_version = RULES_VERSION_MAX
    if is_ending:
        shard.engine.retiring[BTCUSDT] = True
    keeper = Timekeeper(log)

    async def turns(count: int) -> int:
        """How many words there are after so many turns of the leader's loop."""
        for _ in range(count):
            keeper.look_after(shard)
            await asyncio.sleep(0)
        return len(log.records)

    assert await turns(10) == int(is_ending), "one word at a time is on its way"
    if is_ending:
        (command,) = decode_commands(log.records[0].value)
        keeper.saw([command.command_id], 1_000, 1_000)
        assert await turns(10) == 2, "once it was decided, the next"
    await keeper.close()
