"""Orders of every kind: the engine against one with a naive book and naive waiting orders (invariant I9)."""

from collections import Counter

import pytest

from exchange.contracts.codec import chain_hash
from exchange.contracts.tables import EVENTS
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import EngineLimits
from matching_engine.core.invariants import check_invariants
from matching_engine.core.naive_book import NaiveBook
from tests.property.naive_waiting import NaiveWaiting
from tests.property.replay import SEED
from tests.property.terms_traffic import TermsTraffic, genesis

COMMANDS = 4_000
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
OF_TERMS = {cls.__name__ for tag, (cls, _) in EVENTS.items() if tag >= 22}


def fields(event: object) -> bytes:
    return chain_hash(b"", 0, 0, 0, 0, 0, event)  # type: ignore[arg-type]


def compare(seed: int, commands: int, limits: EngineLimits) -> Counter[str]:
    """Both engines decide the same commands alike; the kinds of events that they told."""
    fast, naive = Engine(limits=limits), Engine(NaiveBook, limits, NaiveWaiting)
    traffic = TermsTraffic(seed)
    kinds: Counter[str] = Counter()
    for position, command in enumerate([*genesis(), *traffic.take(commands)]):
        now_ms = 1_000 + 100 * position
        events, expected = fast.apply(command, now_ms), naive.apply(command, now_ms)
        assert [fields(e) for e in events] == [fields(e) for e in expected], (
            f"SEED={seed}: command {position} {type(command).__name__} differs"
        )
        kinds.update(type(event).__name__ for event in events)
        if position % CHECKED_EVERY == 0:
            check_invariants(fast)
    return kinds


@pytest.mark.slow
@pytest.mark.parametrize("limits", [SMALL, WIDE], ids=["small", "wide"])
def test_both_decide_every_kind_of_order_alike(limits: EngineLimits) -> None:
    print(f"SEED={SEED}")
    kinds = compare(SEED, COMMANDS, limits)
    assert min(kinds[kind] for kind in OF_TERMS) > 5, kinds


@pytest.mark.thorough
def test_both_decide_a_million_commands_alike() -> None:
    """In runs of their own seeds, as the naive one grows slow; of small and of wide limits in turn."""
    print(f"SEED={SEED}")
    of_one_run = 10_000
    kinds: Counter[str] = Counter()
    for number in range(CAMPAIGN_COMMANDS // of_one_run):
        kinds += compare(SEED + number, of_one_run, (SMALL, WIDE)[number % 2])
    assert min(kinds[kind] for kind in OF_TERMS) > 2_000, kinds
