"""Orders of every kind: the engine against one with a naive book and naive waiting orders (invariant I9)."""

from collections import Counter

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import chain_hash
from exchange.contracts.commands import Command, KeepTime, PlaceOrder, SetTradingMode
from exchange.contracts.events import CommandRejected, Event, OrderAccepted
from exchange.contracts.order_commands import PlaceOrderList, PlaceOrderWithTerms
from exchange.contracts.order_events import OrderWithTermsAccepted
from exchange.contracts.tables import EVENTS
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import EngineLimits
from matching_engine.core.invariants import check_invariants
from matching_engine.core.naive_book import NaiveBook
from tests.property.naive_filters import TOLD, broken_filters
from tests.property.naive_waiting import NaiveWaiting
from tests.property.replay import SEED
from tests.property.terms_traffic import MARKETS, TermsTraffic, genesis

COMMANDS = 6_000
CAMPAIGN_COMMANDS = 1_000_000
CHECKED_EVERY = 250
# Small, so that they are met.
SMALL = EngineLimits(
    fills_per_command_max=6,
    open_orders_max=60,
    follow_ups_per_command_max=3,
    algo_orders_max=15,
    iceberg_orders_max=10,
    order_lists_max=8,
    order_amends_max=3,
)
WIDE = EngineLimits()
# What every run of some thousand commands has.
OF_TERMS = {cls.__name__ for tag, (cls, _) in EVENTS.items() if 22 <= tag <= 30 or tag == 50}


def fields(event: object) -> bytes:
    return chain_hash(b"", 0, 0, 0, 0, 0, event)  # type: ignore[arg-type]


def compare(seed: int, commands: int, limits: EngineLimits) -> Counter[str]:
    """Both engines decide the same commands alike; the kinds of events that they told."""
    fast, naive = Engine(limits=limits), Engine(NaiveBook, limits, NaiveWaiting)
    traffic = TermsTraffic(seed)
    kinds: Counter[str] = Counter()
    for position, command in enumerate([*genesis(), *traffic.take(commands), *the_end(commands)]):
        now_ms = 1_000 + 100 * position
        fast.now_ms = naive.now_ms = max(fast.now_ms, now_ms)  # as of then the average price counts
        broken = broken_filters(fast, command)
        events, expected = fast.apply(command, now_ms), naive.apply(command, now_ms)
        assert [fields(e) for e in events] == [fields(e) for e in expected], (
            f"SEED={seed}: command {position} {type(command).__name__} differs"
        )
        check_filters(fast, command, events, broken, f"SEED={seed}: command {position}")
        kinds.update(type(event).__name__ for event in events)
        kinds.update(f"refused {e.reason}" for e in events if isinstance(e, CommandRejected))
        if position % CHECKED_EVERY == 0:
            check_invariants(fast)
    assert len(fast.orders) == len(fast.retiring) == 0, f"SEED={seed}: {len(fast.orders)} orders are left"
    return kinds


def the_end(commands: int) -> list[Command]:
    """Both markets end; words of the leader enough to cancel what can be open."""
    words: list[Command] = [KeepTime(5, 1, 10**15)] * (20 + commands // 8)
    return [*(SetTradingMode(5, market, codes.MODE_RETIRED) for market in MARKETS), *words]


def check_filters(
    engine: Engine, command: Command, events: list[Event], broken: set[int], where: str
) -> None:
    """What was accepted broke no filter, and what a filter refused broke that one (naive_filters.py)."""
    first = events[0]
    if isinstance(first, CommandRejected):
        by_quote = getattr(command, "quote_quantity_atoms", 0) > 0
        # By quote amount the quantity is the book's, a pegged price too: the plain way does not look into it.
        places = isinstance(command, PlaceOrder | PlaceOrderWithTerms | PlaceOrderList)
        legs = getattr(command, "legs", [command])
        pegged = any(getattr(leg, "peg_price_type", 0) for leg in legs)
        is_unknown = (by_quote and first.reason in _BY_QUANTITY) or (pegged and first.reason in _BY_PRICE)
        knows = places and first.reason in TOLD and not is_unknown
        assert not knows or first.reason in broken, f"{where} was refused by {first.reason}, not {broken}"
    elif any(isinstance(event, OrderAccepted | OrderWithTermsAccepted) for event in events[:2]):
        assert not broken, f"{where} was accepted and breaks {broken}"


_BY_QUANTITY = (codes.REJECT_MAX_POSITION, codes.REJECT_MAX_ASSET)
_BY_PRICE = (codes.REJECT_MIN_NOTIONAL, codes.REJECT_PERCENT_PRICE, codes.REJECT_MAX_ASSET)


@pytest.mark.slow
@pytest.mark.parametrize("limits", [SMALL, WIDE], ids=["small", "wide"])
def test_both_decide_every_kind_of_order_alike(limits: EngineLimits) -> None:
    print(f"SEED={SEED}")
    kinds = compare(SEED, COMMANDS, limits)
    assert min(kinds[kind] for kind in OF_TERMS) > 5, kinds
    assert sum(kinds[f"refused {reason}"] > 0 for reason in TOLD) >= 4, kinds


@pytest.mark.thorough
def test_both_decide_a_million_commands_alike() -> None:
    """In runs of their own seeds, as the naive one grows slow; of small and of wide limits in turn."""
    print(f"SEED={SEED}")
    of_one_run = 10_000
    kinds: Counter[str] = Counter()
    for number in range(CAMPAIGN_COMMANDS // of_one_run):
        kinds += compare(SEED + number, of_one_run, (SMALL, WIDE)[number % 2])
    assert min(kinds[kind] for kind in OF_TERMS) > 2_000, kinds
    assert min(kinds[f"refused {reason}"] for reason in TOLD) > 50, kinds
