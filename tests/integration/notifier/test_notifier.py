"""Promises of the notifier over real PostgreSQL: every fill tells two people, whatever stops in between."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from exchange.adapters.memory.log import MemoryLog
from exchange.adapters.postgres.pool import close_pool, open_pool
from exchange.adapters.postgres.queue import DatabaseQueue
from exchange.adapters.redis.client import open_cache
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.events import DepositCredited, TradeExecuted
from exchange.log.event_tail import ChainError
from exchange.ports.messages import MessageError, NewMessage
from exchange.process.components import Resources
from exchange.process.config import Settings
from exchange.security import audit_log
from exchange.security.audit_log import Act
from local.servers import free_port, postgres
from services.migrations import migrate
from services.notifier.acts import ActFollower
from services.notifier.follower import EventFollower
from services.notifier.notices import Notice
from services.notifier.outlet import Outlet
from services.notifier.positions import FencedError, NotifierStore
from services.projections.ledger.projection import LedgerProjection
from tests.at_work import eventually
from tests.event_streams import START_MS, EventStream, RandomTrading
from tests.integration.notifier.conftest import ATTEMPTS_MAX
from tests.integration.projections.conftest import Running, publish

pytestmark = pytest.mark.integration


class Recorded:
    """A queue that keeps everything; `faults` of the next puts fail, after some of them have arrived."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.faults = 0

    async def put(self, messages: Sequence[NewMessage]) -> None:
        notices = [Notice.decode(message.body) for message in messages]
        if self.faults:
            self.faults -= 1
            self.notices += notices[: len(notices) // 2]
            raise MessageError("away")
        self.notices += notices

    def ids(self) -> set[str]:
        return {notice.notice_id for notice in self.notices}


def outlet_of(queue: object) -> Outlet:
    return Outlet(queue, None)  # type: ignore[arg-type]


def fills_of(outcomes: Sequence[CommandOutcome]) -> set[str]:
    """The names of the two notices of each trade."""
    return {
        f"0.{recorded.seq}.{role}"
        for outcome in outcomes
        for recorded in outcome.events
        if isinstance(recorded.event, TradeExecuted)
        for role in ("maker", "taker")
    }


class AtWork(Running):
    """A follower, and the ledger that tells it how assets and markets are called."""

    def __init__(self, resources: Resources, queue: object) -> None:
        self.ledger = LedgerProjection(resources)
        self.follower = EventFollower(resources, outlet_of(queue))
        super().__init__([self.ledger, self.follower])

    def problem(self) -> str | None:
        return self.problems()[self.follower.name]

    async def begin(self) -> None:
        """Start, and wait until the follower has found its place."""
        await self.start()
        await self.until(lambda: self.problem() is None)

    async def until_seq(self, seq: int) -> None:
        await self.until(lambda: self.follower.last_seq == seq)


def trading_from(seed: int) -> RandomTrading:
    print("seed", seed)
    return RandomTrading(seed)


async def test_each_fill_gives_exactly_two_notices(resources: Resources) -> None:
    queue = Recorded()
    trading = trading_from(71)
    running = AtWork(resources, queue)
    await running.begin()
    trading.run(600)
    await publish(resources, trading.stream)
    await running.until_seq(trading.stream.seq)
    await running.stop()
    fills = [notice.notice_id for notice in queue.notices if notice.kind == "FILL"]
    assert set(fills) == fills_of(trading.stream.outcomes)
    assert len(fills) == len(set(fills)) > 100


async def test_restarts_and_a_queue_that_fails_lose_nothing_and_invent_no_name(resources: Resources) -> None:
    queue = Recorded()
    trading = trading_from(72)
    for life in range(5):
        running = AtWork(resources, queue)
        await running.begin()
        queue.faults = life % 3
        before = len(queue.notices)
        trading.run(150)
        await publish(resources, trading.stream)
        if life in (1, 3):
            await running.until(lambda before=before: len(queue.notices) > before)  # type: ignore[misc]
            # Wherever it is: between the queue and the position, or beyond.
            await running.kill()
        else:
            await running.until_seq(trading.stream.seq)
        await running.stop()
    assert {name for name in queue.ids() if name.endswith(("maker", "taker"))} == fills_of(
        trading.stream.outcomes
    )
    told: dict[str, Notice] = {}
    for notice in queue.notices:
        assert told.setdefault(notice.notice_id, notice) == notice
    print("repeats", len(queue.notices) - len(told))


async def test_what_dies_between_queue_and_position_repeats_with_the_same_names(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    async def die(*_: object) -> None:
        raise KilledError

    queue = Recorded()
    trading = trading_from(77)
    running = AtWork(resources, queue)
    await running.begin()
    with monkeypatch.context() as patch:
        patch.setattr(NotifierStore, "move", die)
        trading.run(200)
        await publish(resources, trading.stream, outcomes_per_record=1_000)
        await eventually(lambda: isinstance(running.failure(), KilledError))
        await running.stop()
    first, queue.notices = queue.notices, []
    assert {notice.notice_id for notice in first} >= fills_of(trading.stream.outcomes)
    running = AtWork(resources, queue)
    await running.begin()
    await running.until_seq(trading.stream.seq)
    await running.stop()
    assert queue.notices == first


async def test_a_new_notifier_begins_at_the_end_and_takes_names_from_the_ledger(resources: Resources) -> None:
    queue = Recorded()
    trading = trading_from(73)
    trading.run(200)
    await publish(resources, trading.stream)
    old = len(trading.stream.outcomes)
    running = AtWork(resources, queue)
    await running.begin()
    await running.until_seq(trading.stream.seq)
    assert queue.notices == []
    trading.run(300)
    await publish(resources, trading.stream)
    await running.until_seq(trading.stream.seq)
    await running.stop()
    fills = [notice.notice_id for notice in queue.notices if notice.kind == "FILL"]
    assert set(fills) == fills_of(trading.stream.outcomes[old:])
    assert len(fills) == len(set(fills)) > 20


async def test_a_ledger_that_is_behind_is_waited_for(resources: Resources) -> None:
    queue = Recorded()
    stream = RandomTrading(74).stream
    await publish(resources, stream)
    follower = EventFollower(resources, outlet_of(queue))
    running = Running([follower])
    await running.start()
    await running.until(lambda: follower.last_seq == stream.seq)
    stream.append(DepositCredited(1001, 1, 1, 999_999))
    await publish(resources, stream)
    await running.until(lambda: "asset 1" in (running.problems()[follower.name] or ""))
    ledger = Running([LedgerProjection(resources)])
    await ledger.start()
    await running.until(lambda: follower.last_seq == stream.seq)
    assert [notice.fields["depositId"] for notice in queue.notices] == ["999999"]
    await ledger.stop()
    await running.stop()


async def test_a_second_notifier_is_fenced_off(resources: Resources) -> None:
    trading = trading_from(75)
    one = AtWork(resources, Recorded())
    second = EventFollower(resources, outlet_of(Recorded()))
    two = Running([second])
    await one.begin()
    await two.start()
    await two.until(lambda: two.problems()[second.name] is None)
    await publish(resources, trading.stream)
    await eventually(lambda: any(isinstance(r.failure(), FencedError) for r in (one, two)))
    await eventually(lambda: trading.stream.seq in (one.follower.last_seq, second.last_seq))
    for running in (one, two):
        await running.stop()


async def test_a_log_that_is_not_the_engines_stops_the_notifier(resources: Resources) -> None:
    follower = EventFollower(resources, outlet_of(Recorded()))
    running = Running([follower])
    await running.start()
    await running.until(lambda: running.problems()[follower.name] is None)
    stream = EventStream()
    stream.append(DepositCredited(1001, 1, 1, 1))
    stream.append(DepositCredited(1001, 1, 1, 2))
    writer = await resources.event_log.writer()
    await writer.append(stream.record(stream.outcomes[1:]))
    await eventually(lambda: isinstance(running.failure(), ChainError))
    await running.stop()


async def act(resources: Resources, name: str, user_id: int | None, time_ms: int) -> None:
    async with resources.database.acquire() as connection, connection.transaction():
        await audit_log.append(connection, Act(name, user_id, "192.0.2.7", time_ms, {"email": "a@b.c"}))


async def test_each_login_is_told_once_and_nothing_else_is(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.notifier.acts.POLL_INTERVAL_S", 0.02)
    monkeypatch.setattr("services.notifier.acts.PAGE_ROWS_MAX", 3)
    await act(resources, "log-in", 1001, 1)
    queue = Recorded()
    expected: list[tuple[str, int]] = []
    row = 1
    for life in range(3):
        follower = ActFollower(resources, outlet_of(queue))
        running = Running([follower])
        await running.start()
        await running.until(lambda f=follower: f.last_id is not None)  # type: ignore[misc]
        queue.faults = life
        for user_id in range(1001, 1006):
            await act(resources, "log-in-failed", user_id, row)
            await act(resources, "log-in", user_id, row)
            row += 2
            expected.append((f"login.{row}", user_id))
        await running.until(lambda f=follower, end=row: f.last_id == end)  # type: ignore[misc]
        await running.stop()
    assert {(notice.notice_id, notice.user_id) for notice in queue.notices} == set(expected)


@pytest.fixture
async def own_postgres(servers_dir: Path) -> tuple[postgres.Server, Path, int]:
    folder, port = servers_dir / "notifier", free_port()
    folder.mkdir(mode=0o755, exist_ok=True)
    return await postgres.start(folder, port), folder, port


async def test_a_stopped_database_is_waited_for(own_postgres: tuple[postgres.Server, Path, int]) -> None:
    server, folder, port = own_postgres
    settings = Settings(database_dsn=SecretStr(server.dsn), database_deadline_ms=2_000, log_deadline_ms=2_000)
    database, cache = await open_pool(settings), open_cache(settings)
    async with database.acquire() as connection:
        await migrate(connection)
    log = MemoryLog(lambda: START_MS)
    resources = Resources(settings, log, log, database, cache)
    trading = trading_from(76)
    running = AtWork(resources, DatabaseQueue(database, 2_000, ATTEMPTS_MAX))
    await running.begin()
    await publish(resources, trading.stream)
    await running.until_seq(trading.stream.seq)
    await server.stop()
    trading.run(200)
    await publish(resources, trading.stream)
    await running.until(lambda: running.problem() is not None)
    server = await postgres.start(folder, port)
    await running.until_seq(trading.stream.seq)
    await running.until(lambda: running.problem() is None)
    await running.stop()
    rows = await database.fetch("SELECT message_id FROM message_queue")
    ids = [row["message_id"] for row in rows if row["message_id"].endswith(("maker", "taker"))]
    assert set(ids) == fills_of(trading.stream.outcomes)
    assert len(ids) == len(set(ids)) > 20
    await cache.aclose()
    await close_pool(database, 5_000)
    await server.stop()
