"""What the follower reads straight from a link's bytes is what the way of all readers makes of it."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from exchange.contracts.chain import ChainLink, pack_links
from exchange.contracts.codec import link_hash, read_links
from exchange.contracts.events import Event, OrderAccepted, TradeExecuted
from exchange.contracts.limits import INTEGER_MAX
from exchange.contracts.unpacking import IS_COMPILED
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from tests.event_streams import RandomTrading
from tests.property.replay import SEED, mischief_log
from tests.unit.auditor.linked import Followed, found, found_in, links_of, records_of
from tests.unit.auditor.planted import a_days_trading, changed, first_breaches
from tests.unit.auditor.test_audit import PLANTED, Change, fields


def decided(commands: Sequence[tuple[int, bytes]]) -> list[ChainLink]:
    """What an engine makes of a log of commands."""
    shard, links = Shard(Engine()), []
    for offset, (time_ms, record) in enumerate(commands):
        links += shard.apply_record(offset, time_ms, record)
    return links


@pytest.mark.parametrize("with_terms", [False, True])
def test_every_kind_of_command_is_audited_alike(with_terms: bool) -> None:
    print(f"SEED={SEED}")
    links = decided(mischief_log(SEED, 3_000, with_terms=with_terms))
    kinds = {link.form for link in links}
    assert 2 in kinds
    records = [pack_links(0, 1, [link]) for link in links]
    breaches, image = found_in(records, from_bytes=True)
    assert not breaches
    assert (breaches, image) == found_in(records, from_bytes=False)


def test_discounts_fees_and_every_unusual_event_are_audited_alike() -> None:
    print(f"SEED={SEED}")
    trading = RandomTrading(SEED)
    trading.run(3_000)
    records = records_of(links_of(trading.stream.outcomes))
    breaches, image = found_in(records, from_bytes=True)
    assert not breaches
    assert (breaches, image) == found_in(records, from_bytes=False)


@pytest.mark.parametrize(
    ("invariant", "kind", "change", "place"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED]
)
def test_planted_breach_is_found_from_bytes(
    invariant: str, kind: type[Event], change: Change, place: int
) -> None:
    outcomes = changed(a_days_trading().outcomes, kind, change, place)
    records = records_of(links_of(outcomes))
    breaches, _ = found_in(records, from_bytes=True)
    assert invariant in {breach.invariant for breach in breaches}
    assert list(breaches) == list(first_breaches(outcomes))
    assert list(breaches) == list(found_in(records, from_bytes=False)[0])


# Each is nothing modulo 2**64: arithmetic of 64 bits would find nothing of it.
@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        (TradeExecuted, fields(buyer_fee_atoms=lambda v: 2**58), "buyer's fee 288230376151711744 is above"),
        (TradeExecuted, fields(seller_fee_atoms=lambda v: 2**58), "seller's fee 288230376151711744 is above"),
        (TradeExecuted, fields(quantity_lots=lambda v: v + 2**62), "is not 4611686018427388904 lots at"),
        (TradeExecuted, fields(price_ticks=lambda v: v + 2**62), "lots at 4611686018432387904"),
        (TradeExecuted, fields(buyer_released_atoms=lambda v: INTEGER_MAX), "held -"),
        (OrderAccepted, fields(quantity_lots=lambda v: v + 2**62), "orders and withdrawals 46116860184273"),
    ],
)
def test_figures_beyond_64_bits_are_added_up_in_full(kind: type[Event], change: Change, words: str) -> None:
    outcomes = changed(a_days_trading().outcomes, kind, change)
    breaches, _ = found_in(records_of(links_of(outcomes)), from_bytes=True)
    assert words in " | ".join(breach.detail for breach in breaches)
    assert list(breaches) == list(first_breaches(outcomes))


def trading_links() -> list[ChainLink]:
    outcomes = a_days_trading().outcomes
    # Several outcomes a link, as of a record of several commands.
    several = [o._replace(command_offset=n // 4, command_index=n % 4) for n, o in enumerate(outcomes)]
    return links_of(several)


async def test_stops_at_a_seq_within_a_link_and_goes_on() -> None:
    links = trading_links()
    records = records_of(links)
    breaches, whole = await found(records, from_bytes=True)
    assert not breaches
    ends = [o.events[-1].seq for record in records for n in read_links(record).links for o in n.outcomes]
    for seq in ends:
        followed = Followed(records, from_bytes=True)
        assert not await followed.until(seq)
        assert followed.state.seq == seq
        border = [link for link in links if link.first_seq <= seq]
        expected = border[-1].hash if seq == border[-1].last_seq else border[-1].previous
        assert followed.state.hash == expected
        assert not await followed.until()
        assert followed.image() == whole


async def test_a_link_that_was_begun_before_is_taken_up_where_the_state_stands() -> None:
    links = trading_links()
    records = records_of(links, 1)
    within = next(n for n in links if n.commands > 1 and n.first_seq > 20)
    followed = Followed(records, from_bytes=True)
    assert not await followed.until(within.first_seq)
    again = Followed(records, from_bytes=True)
    again.state = followed.state
    again.follower.go_on_from(followed.state, 0)
    assert not await again.until()
    assert again.image() == (await found(records, from_bytes=True))[1]


def test_repeats_of_a_former_leader_are_passed_over() -> None:
    records = records_of(trading_links(), 1)
    repeated = [*records[:3], records[1], records[2], *records[3:], records[-1]]
    breaches, image = found_in(repeated, from_bytes=True)
    assert not breaches
    plain = msgspec.msgpack.decode(found_in(records, from_bytes=True)[1])
    derived = msgspec.msgpack.decode(image)
    # But for the place on the log they are one.
    assert derived[:3] == plain[:3]
    assert derived[4:] == plain[4:]


def packed(link: ChainLink, **changes: Any) -> ChainLink:
    place = ("form", "command_offset", "command_index", "command_id", "commands")
    names = (*place, "first_seq", "last_seq", "previous", "hash", "body")
    return ChainLink(**{**{name: getattr(link, name) for name in names}, **changes})


def with_body(link: ChainLink, body: bytes) -> ChainLink:
    """Another body, whose hash is right."""
    return packed(link, body=body, hash=link_hash(link.previous, body))


def body_of(outcomes: Sequence[Any]) -> bytes:
    rows = msgspec.msgpack.encode(outcomes)
    assert rows[0] & 0xF0 == 0x90
    return b"\xdd\0\0\0" + bytes((rows[0] & 0x0F,)) + rows[1:]


def rows_of(link: ChainLink) -> list[Any]:
    found: list[Any] = msgspec.msgpack.decode(link.body)
    return found


WRONG: list[tuple[str, Callable[[ChainLink], ChainLink]]] = [
    ("another hash", lambda link: packed(link, hash=bytes(16))),
    ("another body", lambda link: packed(link, body=link.body[:-1] + bytes((link.body[-1] ^ 1,)))),
    (
        "another link before it",
        lambda link: packed(link, previous=b"x" * 16, hash=link_hash(b"x" * 16, link.body)),
    ),
    ("nothing in it", lambda link: with_body(link, body_of([]))),
    ("no array", lambda link: with_body(link, b"\x01")),
    ("no bytes", lambda link: with_body(link, b"")),
    ("torn", lambda link: with_body(link, link.body[:-2])),
    ("more than it says", lambda link: with_body(link, link.body + b"\0")),
    (
        "an outcome without events",
        lambda link: with_body(link, body_of([[*row[:5], []] for row in rows_of(link)])),
    ),
    ("a gap", lambda link: with_body(link, body_of([[*r[:4], r[4] + 1, r[5]] for r in rows_of(link)]))),
    (
        "a gap within",
        lambda link: with_body(link, body_of([rows_of(link)[0], *rows_of(link)[2:]])),
    ),
    (
        "an event that nobody knows",
        lambda link: with_body(link, body_of([[*r[:5], [[99, [1]]]] for r in rows_of(link)])),
    ),
    (
        "a negative figure",
        lambda link: with_body(link, body_of([[*r[:5], [[21, [-1]]]] for r in rows_of(link)])),
    ),
    (
        "a figure beyond all",
        lambda link: with_body(link, body_of([[*r[:5], [[21, [2**63]]]] for r in rows_of(link)])),
    ),
    ("a map", lambda link: with_body(link, b"\xdd\0\0\0\x01\x80")),
]


@pytest.mark.parametrize("from_bytes", [True, False])
@pytest.mark.parametrize("change", [w[1] for w in WRONG], ids=[w[0] for w in WRONG])
def test_what_is_no_link_is_a_breach(change: Callable[[ChainLink], ChainLink], from_bytes: bool) -> None:
    links = trading_links()
    place = next(n for n, link in enumerate(links) if link.commands > 2 and n > 2)
    wrong = [*links[:place], change(links[place])]
    for per_record in (1, 50):
        breaches, _ = found_in(records_of(wrong, per_record), from_bytes=from_bytes)
        assert [breach.invariant for breach in breaches] == ["I7"]


def test_any_damage_is_found_by_both_or_by_neither() -> None:
    """Bytes that were changed before they were hashed: only the reading and the audit can find that."""
    print(f"SEED={SEED}")
    draw = random.Random(SEED)
    links = trading_links()
    for _ in range(400):
        place = draw.randrange(len(links))
        body = bytearray(links[place].body)
        body[draw.randrange(5, len(body))] = draw.randrange(256)
        # What comes behind has the hash of another, so the log ends here.
        records = records_of([*links[:place], with_body(links[place], bytes(body))])
        breaches, image = found_in(records, from_bytes=True)
        others, other_image = found_in(records, from_bytes=False)
        assert bool(breaches) == bool(others), (place, bytes(body).hex())
        assert image == other_image
        if not any(breach.invariant == "I7" for breach in (*breaches, *others)):
            assert list(breaches) == list(others)


def test_a_time_beyond_64_bits_ends_the_compiled_audit_with_a_breach() -> None:
    """The codec takes it, for it bounds the fields of events alone; a native class has no place for it."""
    links = trading_links()
    late = [[*row[:3], 2**63, *row[4:]] for row in rows_of(links[3])]
    records = records_of([*links[:3], with_body(links[3], body_of(late))])
    expected = ["I7"] if IS_COMPILED else []
    for from_bytes in (True, False):
        breaches, _ = found_in(records, from_bytes=from_bytes)
        assert [breach.invariant for breach in breaches] == expected
