"""Whatever comes in, no money appears or vanishes, and every command has exactly one outcome."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.contracts import codes
from exchange.contracts.chain import pack_links
from exchange.contracts.codec import (
    EventBatch,
    decode_commands,
    decode_events,
    encode_commands,
    encode_events,
    outcomes_of,
)
from exchange.contracts.commands import (
    ActivateRules,
    Command,
    CreditDeposit,
    KeepTime,
    Malformed,
    PlaceOrder,
    RegisterAsset,
    RegisterMarket,
)
from exchange.contracts.events import CommandRejected, MarketRegistered
from exchange.contracts.tables import COMMANDS
from loadtest.bench.workload import Mischief
from matching_engine.core.engine import Engine
from matching_engine.core.engine_limits import EngineLimits
from matching_engine.core.invariants import check_invariants
from matching_engine.core.rules_version import RULES_VERSION_MAX, UnknownRulesError
from matching_engine.core.shard import Shard
from matching_engine.snapshots import state_bytes
from tests.examples import examples
from tests.property.terms_traffic import TermsTraffic

INTEGER_MAX = 2**63 - 1
TEXT_NAMES = {"code", "symbol", "client_order_id", "cancel_client_order_id", "address", "leader_id"}
# Small numbers meet existing markets, users and orders; the rest are the borders of what fits.
integers = st.one_of(
    st.integers(0, 6),
    st.sampled_from([1_001, 1_002, 100, 4_999_990, 5_000_000, 5_000_010, 10**8, 10**12]),
    st.sampled_from([2**31, 2**32, 2**62 - 1, 2**62, INTEGER_MAX]),
)
texts = st.sampled_from(["", "a", "b", "c", "ü", "x" * 256])


def commands_of(cls: Callable[..., Command], names: tuple[str, ...]) -> st.SearchStrategy[Command]:
    return st.builds(cls, *[texts if name in TEXT_NAMES else integers for name in names])


# Unknown rules stop the engine on purpose (tests/unit/engine/test_rules_version.py).
any_command = st.one_of(
    [commands_of(cls, names) for cls, names in COMMANDS.values() if cls is not ActivateRules]
    + [st.builds(ActivateRules, integers, st.integers(0, RULES_VERSION_MAX))]
)
sensible_order = st.builds(
    PlaceOrder,
    st.just(1),
    st.sampled_from([1_001, 1_002]),
    st.just(1),
    st.sampled_from("abcdefghij"),
    st.sampled_from([codes.BUY, codes.SELL]),
    st.sampled_from([codes.LIMIT, codes.LIMIT_MAKER]),
    st.sampled_from([codes.GTC, codes.IOC, codes.FOK]),
    st.integers(4_999_995, 5_000_005),
    st.integers(100, 300),
    st.just(0),
    st.integers(codes.STP_NONE, codes.STP_EXPIRE_BOTH),
    st.just(0),
)


def order_of_any_kind(seed: int) -> Command:
    """What the traffic about orders of every kind begins with."""
    traffic = TermsTraffic(seed, 8, users=(1_001, 1_002), markets=(1,), price=5_000_000, lots=100)
    return traffic.next()


of_any_kind = st.builds(order_of_any_kind, st.integers(0, 2**32 - 1))
sequences = st.lists(st.one_of(sensible_order, of_any_kind, of_any_kind, any_command), max_size=25)


def funded_shard() -> Shard:
    # Bounds that a few orders meet.
    shard = Shard(Engine(limits=EngineLimits(fills_per_command_max=2, open_orders_max=20)))
    shard.apply_record(0, 1, encode_commands(Mischief(1, users=2).setup()))
    return shard


@examples(60, 300, sequences, st.integers(0, 2**41), suppress_health_check=[HealthCheck.too_slow])
def test_no_sequence_of_commands_breaks_an_invariant(commands: list[Command], time_ms: int) -> None:
    shard = funded_shard()
    for offset, command in enumerate(commands, start=1):
        before, seq_before = state_bytes(shard), shard.engine.seq
        word = KeepTime(1, shard.engine.epoch, time_ms)
        links = shard.apply_record(offset, time_ms, encode_commands([word, command]))
        kept, outcome = outcomes_of(links)
        seq_before += len(kept.events)
        check_invariants(shard.engine)
        assert outcome.command_id == command.command_id
        assert [e.seq for e in outcome.events] == list(range(seq_before + 1, shard.engine.seq + 1))
        record = pack_links(0, 0, links)
        told = encode_events(EventBatch(0, 0, (kept, outcome)))
        assert encode_events(decode_events(record)) == told, "the event log can carry it"
        if isinstance(outcome.events[0].event, CommandRejected):
            assert len(outcome.events) == 1
            assert money_and_book(before) == money_and_book(state_bytes(shard)), "refused, yet changed"


def money_and_book(state: bytes) -> list[object]:
    """Everything but the log position, the counters and the clock."""
    import msgspec

    rows: list[object] = msgspec.msgpack.decode(state)
    return rows[3:]


@examples(200, 500, st.binary(max_size=300))
def test_bytes_that_are_no_command_yield_exactly_one_rejection(record: bytes) -> None:
    decoded = decode_commands(record)
    assert decoded
    if isinstance(decoded[0], Malformed) and len(decoded) == 1:
        shard = funded_shard()
        (outcome,) = outcomes_of(shard.apply_record(1, 5, record))
        (recorded,) = outcome.events
        assert isinstance(recorded.event, CommandRejected)
        assert recorded.event.reason == codes.REJECT_MALFORMED
        check_invariants(shard.engine)


@examples(100, 500, st.lists(any_command, min_size=1, max_size=4), st.data())
def test_damaged_record_never_stops_the_engine(commands: list[Command], data: st.DataObject) -> None:
    record = bytearray(encode_commands(commands))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(record) - 1))
        record[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(record)))
    for damaged in (bytes(record), bytes(record[:cut])):
        shard = funded_shard()
        decoded = decode_commands(damaged)
        try:
            outcomes = outcomes_of(shard.apply_record(1, 5, damaged))
        except UnknownRulesError:
            # By design the engine stops there (design decision 6): the only command that may do so.
            assert any(isinstance(command, ActivateRules) for command in decoded)
            continue
        assert len(outcomes) == len(decoded) >= 1
        assert all(outcome.events for outcome in outcomes)
        check_invariants(shard.engine)


def register_market(tick_atoms: int, lot_atoms: int, base: int = 1, quote: int = 2) -> RegisterMarket:
    return RegisterMarket(
        1, 1, "AB", base, quote, tick_atoms, lot_atoms, 1, INTEGER_MAX, 1, INTEGER_MAX, INTEGER_MAX,
        0, INTEGER_MAX, 5_000_000, 200_000, 5_000_000, 200_000, 200, 1_000, 1_000,
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.integers(1, INTEGER_MAX), st.integers(1, INTEGER_MAX), st.lists(sensible_order, max_size=10))
def test_market_whose_money_would_not_fit_is_refused(
    tick_atoms: int, lot_atoms: int, orders: list[PlaceOrder]
) -> None:
    shard = Shard(Engine())
    setup: list[Command] = [RegisterAsset(1, 1, "A", 0), RegisterAsset(1, 2, "B", 0)]
    setup += [
        CreditDeposit(1, user, asset, 2**61, user * 2 + asset) for user in (1_001, 1_002) for asset in (1, 2)
    ]
    shard.apply_record(0, 1, encode_commands(setup))
    (outcome,) = outcomes_of(
        shard.apply_record(1, 1, encode_commands([register_market(tick_atoms, lot_atoms)]))
    )
    if isinstance(outcome.events[0].event, MarketRegistered):
        assert outcome.events[0].event.notional_unit_atoms == tick_atoms * lot_atoms
    for offset, order in enumerate(orders, start=2):
        links = shard.apply_record(offset, 1, encode_commands([order]))
        record = pack_links(0, 0, links)
        assert encode_events(decode_events(record)) == record, "format 1 as its other writer has it"
        check_invariants(shard.engine)


def test_market_of_an_asset_against_itself_is_refused() -> None:
    engine = Engine()
    engine.apply(RegisterAsset(1, 1, "A", 0), 1)
    (event,) = engine.apply(register_market(1, 1, base=1, quote=1), 1)
    assert isinstance(event, CommandRejected)
    assert engine.markets == {}
