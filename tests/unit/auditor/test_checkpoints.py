"""Promises of checkpoints and of the auditor's place on the log."""

from pathlib import Path

import pytest

from exchange.adapters.files.objects import FolderStore
from exchange.adapters.memory.log import MemoryLog
from services.auditor.audit.image import ImageError, state_of, to_bytes
from services.auditor.audit.outcomes import Audit
from services.auditor.audit.state import SPENT_IDS_MAX, AuditState, SpentIds
from services.auditor.checkpoints import Checkpoints
from services.auditor.follower import Follower, NotReachedError
from tests.event_streams import START_MS, EventStream, RandomTrading

DEADLINE_MS = 1_000


def is_between(follower: Follower) -> bool:
    return follower.is_between


def audited(stream: EventStream, state: AuditState) -> AuditState:
    audit = Audit(state)
    for outcome in stream.outcomes:
        if outcome.events[0].seq > state.seq:
            assert not audit.apply(outcome)
    return state


async def log_of(stream: EventStream) -> MemoryLog:
    log = MemoryLog(lambda: START_MS)
    writer = await log.writer()
    for record in stream.take_records(20):
        await writer.append(record)
    return log


async def follow(log: MemoryLog, state: AuditState, next_offset: int) -> tuple[Follower, list[str]]:
    follower = Follower(log, state, next_offset, DEADLINE_MS)
    await follower.open()
    while follower.next_offset < len(log.records) or not follower.is_between:
        breaches = await follower.advance(10)
        if breaches:
            return follower, [breach.invariant for breach in breaches]
    return follower, []


def test_image_gives_the_same_state_and_equal_states_give_equal_bytes() -> None:
    trading = RandomTrading(511)
    trading.run(2_000)
    state = audited(trading.stream, AuditState())
    body = to_bytes(state, 77)
    restored, next_offset = state_of(body)
    assert next_offset == 77
    assert to_bytes(restored, 77) == body
    trading.run(2_000)
    assert to_bytes(audited(trading.stream, restored), 0) == to_bytes(
        audited(trading.stream, AuditState()), 0
    )


def test_image_that_does_not_add_up_is_refused() -> None:
    trading = RandomTrading(512)
    trading.run(200)
    state = audited(trading.stream, AuditState())
    next(iter(state.balances.values())).available += 1
    with pytest.raises(ImageError, match="add up"):
        state_of(to_bytes(state, 0))
    with pytest.raises(ImageError):
        state_of(b"nonsense")


async def test_torn_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(FolderStore(tmp_path), 0)
    assert (await checkpoints.load())[0].seq == 0
    trading, state, seqs = RandomTrading(513), AuditState(), []
    for _ in range(3):
        trading.run(100)
        await checkpoints.save(audited(trading.stream, state), state.seq)
        seqs.append(state.seq)
    assert (await checkpoints.load())[0].seq == seqs[2]
    paths = sorted((tmp_path / "audit" / "0").iterdir())
    assert len(paths) == 2
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    assert (await checkpoints.load())[0].seq == seqs[1]
    paths[0].write_bytes(b"")
    assert (await checkpoints.load())[0].seq == 0
    # What is there under the same name is replaced: it is torn, or of a history that there is no more.
    await checkpoints.save(state, state.seq)
    assert (await checkpoints.load())[0].seq == seqs[2]
    assert (await Checkpoints(FolderStore(tmp_path), 1).load())[0].seq == 0
    assert len(await checkpoints.drop()) == 2
    assert (await checkpoints.load())[0].seq == 0


async def test_log_is_followed_to_its_end_from_any_checkpoint(tmp_path: Path) -> None:
    trading = RandomTrading(514)
    trading.run(1_000)
    log = await log_of(trading.stream)
    whole, _ = await follow(log, AuditState(), 0)
    assert whole.state.seq == trading.stream.seq
    half = Follower(log, AuditState(), 0, DEADLINE_MS)
    await half.open()
    # MemoryLog gives 500 records at a time: stop inside a gulp, then go on to its end.
    assert not await half.advance(10)
    assert not is_between(half)
    await half.close()
    await half.open()
    while not is_between(half):
        assert not await half.advance(10)
    restored, next_offset = state_of(to_bytes(half.state, half.next_offset))
    follower, breaches = await follow(log, restored, next_offset)
    assert breaches == []
    assert to_bytes(follower.state, 0) == to_bytes(whole.state, 0)


async def test_log_that_lost_its_end_is_read_from_its_start() -> None:
    trading = RandomTrading(515)
    trading.run(300)
    log = await log_of(trading.stream)
    ahead, _ = await follow(log, AuditState(), 0)
    follower, breaches = await follow(log, ahead.state, len(log.records) + 5)
    assert breaches == []
    assert follower.state.seq == trading.stream.seq


@pytest.mark.parametrize("damage", ["gap", "hash", "bytes"])
async def test_broken_chain_is_a_breach(damage: str) -> None:
    trading = RandomTrading(516)
    trading.run(300)
    log = await log_of(trading.stream)
    if damage == "gap":
        del log.records[7]
    else:
        place = 7 if damage == "hash" else 8
        value = bytearray(log.records[place].value)
        if damage == "hash":
            outcome = trading.stream.outcomes[7 * 20]
            at = bytes(value).index(outcome.events[0].hash)
            value[at] ^= 1
        else:
            value = bytearray(b"\xc1")
        log.records[place] = log.records[place]._replace(value=bytes(value))
    _, breaches = await follow(log, AuditState(), 0)
    assert breaches == ["I7"]


async def test_audit_stops_exactly_where_a_store_stands() -> None:
    trading = RandomTrading(517)
    trading.run(500)
    log = await log_of(trading.stream)
    follower = Follower(log, AuditState(), 0, DEADLINE_MS)
    await follower.open()
    last = trading.stream.outcomes[333].events[-1]
    assert not await follower.advance_to(last.seq, last.hash, 5.0, "a store")
    assert follower.state.seq == last.seq
    other_hash = await follower.advance_to(last.seq, bytes(16), 5.0, "a store")
    assert [breach.invariant for breach in other_hash] == ["I7"]
    with pytest.raises(NotReachedError, match="a store is at seq"):
        await follower.advance_to(trading.stream.seq + 1, bytes(16), 0.2, "a store")


async def test_store_that_stands_inside_an_outcome_is_a_breach() -> None:
    trading = RandomTrading(518)
    trading.run(500)
    follower = Follower(await log_of(trading.stream), AuditState(), 0, DEADLINE_MS)
    await follower.open()
    inside = next(o for o in trading.stream.outcomes[100:] if len(o.events) > 1).events[0]
    breaches = await follower.advance_to(inside.seq, inside.hash, 5.0, "a store")
    assert [breach.invariant for breach in breaches] == ["I7"]


def test_spent_ids_are_remembered_as_far_back_as_the_engine_does() -> None:
    spent = SpentIds()
    assert all(spent.spend(identifier) for identifier in range(10, SPENT_IDS_MAX + 20))
    assert len(spent.ids) == SPENT_IDS_MAX
    assert not spent.spend(5)
    assert not spent.spend(SPENT_IDS_MAX)
    assert spent.spend(SPENT_IDS_MAX + 20)
