"""What an engine has decided, held against what the event log holds, in any order of the two."""

import random

import pytest

from exchange.contracts.chain import ChainLink
from exchange.contracts.codec import EMPTY_CHAIN_HASH, ReadLink, read_links
from exchange.log.event_tail import ChainError
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from matching_engine.outbox import Outbox, records_of
from tests.property.replay import SEED, mischief_log


def both_sides() -> tuple[list[ChainLink], list[ReadLink]]:
    """Links as an engine computes them, and as the log gives them back; format 1, then 2."""
    shard, links = Shard(Engine()), list[ChainLink]()
    for offset, (time_ms, record) in enumerate(mischief_log(SEED, 200)):
        links += shard.apply_record(offset, time_ms, record)
    return links, [link for record in records_of(0, 1, links) for link in read_links(record).links]


@pytest.mark.parametrize("step", [1, 3, 10**6])
def test_outbox_keeps_exactly_what_the_log_does_not_hold(step: int) -> None:
    links, logged = both_sides()
    assert {link.form for link in links} == {1, 2}, "a history of both formats"
    seed = random.Random(SEED)
    outbox = Outbox(0, 0, EMPTY_CHAIN_HASH)
    computed = published = 0
    while computed < len(links) or published < len(links):
        if seed.random() < 0.5:
            outbox.add(links[computed : computed + step])
            computed = min(len(links), computed + step)
        else:
            stale = max(0, published - 2)
            outbox.saw(logged[stale : published + step])
            published = min(len(links), published + step)
        assert list(outbox.pending) == links[published:computed]
        assert outbox.pending_size_bytes == sum(len(link.body) for link in outbox.pending)
        assert outbox.ahead == max(0, published - computed)


def test_outbox_stops_on_a_contradiction_and_on_a_gap() -> None:
    links, logged = both_sides()
    other = logged[3]._replace(hash=b"x" * 16)
    mine_first, log_first = Outbox(0, 0, EMPTY_CHAIN_HASH), Outbox(0, 0, EMPTY_CHAIN_HASH)
    mine_first.add(links[:5])
    with pytest.raises(ChainError, match="another hash"):
        mine_first.saw([*logged[:3], other])
    log_first.saw([*logged[:3], other])
    with pytest.raises(ChainError, match="another hash"):
        log_first.add(links[:5])
    # Other bounds are another history too, whoever is ahead.
    long = logged[3]._replace(outcomes=(*logged[3].outcomes, *logged[4].outcomes))
    short = logged[-1]._replace(outcomes=logged[-1].outcomes[:-1])
    assert short.outcomes, "the last link has several outcomes"
    for changed, at in ((long, 3), (short, len(links) - 1)):
        mine_first, log_first = Outbox(0, 0, EMPTY_CHAIN_HASH), Outbox(0, 0, EMPTY_CHAIN_HASH)
        mine_first.add(links)
        with pytest.raises(ChainError, match="goes on"):
            mine_first.saw([*logged[:at], changed])
        log_first.saw([*logged[:at], changed])
        with pytest.raises(ChainError, match=r"another hash|goes on"):
            log_first.add(links)
    with pytest.raises(ChainError, match="goes from"):
        Outbox(0, 0, EMPTY_CHAIN_HASH).saw(logged[2:])
