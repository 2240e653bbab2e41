"""Promises of the auditor beside a real ledger and a real hot book."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from prometheus_client import REGISTRY

from exchange.adapters.files.objects import FolderStore
from exchange.contracts import codes
from exchange.contracts.audit_keys import HEARTBEAT_KEY, RED_KEY
from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import PlaceOrder, SetTradingMode
from exchange.contracts.events import CommandRejected, TradeExecuted
from exchange.http.operations import operations_app
from exchange.process.components import Resources
from services.auditor.audit.state import Breach
from services.auditor.component import COMPARE_LONG_S, Auditor
from services.auditor.follower import NotReachedError
from services.projections.book.projection import BookProjection
from services.projections.ledger.projection import LedgerProjection
from tests.at_work import eventually
from tests.event_streams import RandomTrading
from tests.integration.projections.conftest import Running, publish
from tests.integration.projections.test_withdrawals import EngineLoop
from tests.unit.auditor.planted import BTCUSDT, PRICE, with_fields

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.integration

OFTEN_S = 0.1


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"exchange_auditor_{name}", labels) or 0.0


def equal_comparisons() -> tuple[float, float]:
    return (
        metric("comparisons_total", store="postgresql", result="equal"),
        metric("comparisons_total", store="redis", result="equal"),
    )


async def until_compared(running: Running, times: int = 2) -> None:
    """Wait for both stores to be found equal some more times, or for red."""
    postgresql, redis = equal_comparisons()
    auditor = next(c for c in running.components if isinstance(c, Auditor))
    await running.until(
        lambda: (
            auditor.alarm.breach is not None
            or (equal_comparisons()[0] >= postgresql + times and equal_comparisons()[1] >= redis + times)
        )
    )


def store_of(resources: Resources) -> FolderStore:
    return FolderStore(resources.settings.data_dir)


class World:
    """An engine on the command log, both projections, and the auditor."""

    def __init__(self, resources: Resources, seed: int) -> None:
        print(f"seed {seed}")
        self.resources = resources
        self.trading = RandomTrading(seed)
        self.engine = EngineLoop(resources)
        self.engine.stream = self.trading.stream
        self.auditor = Auditor(resources, store_of(resources), compare_every_s=OFTEN_S)
        self.running = Running(
            [self.engine, LedgerProjection(resources), BookProjection(resources), self.auditor]
        )

    async def start(self) -> None:
        self.trading.run(300)
        await self.running.start()
        await until_compared(self.running)
        assert self.auditor.alarm.breach is None

    async def until_red(self) -> None:
        """Red, recorded, and halted."""
        await self.running.until(lambda: self.auditor.alarm.breach is not None)
        await self.running.until(lambda: self.auditor.alarm.is_halted)
        async with self.resources.database.acquire() as connection:
            for _ in range(3000):
                if await connection.fetchval("SELECT count(*) FROM audit_breaches WHERE halted_ms > 0"):
                    return
                await asyncio.sleep(0.02)
        raise AssertionError("the breach was not recorded")

    def halts(self) -> int:
        return sum(isinstance(command, SetTradingMode) for command in self.engine.commands)


async def readyz(auditor: Auditor) -> httpx.Response:
    transport = httpx.ASGITransport(app=operations_app([auditor]))
    async with httpx.AsyncClient(transport=transport, base_url="http://auditor") as client:
        return await client.get("/readyz")


async def test_sound_exchange_is_compared_again_and_again_while_it_trades(resources: Resources) -> None:
    world = World(resources, 601)
    await world.start()
    for _ in range(40):
        world.trading.run(25)
        await publish(resources, world.trading.stream, outcomes_per_record=3)
        await asyncio.sleep(0.02)
    await until_compared(world.running)
    assert world.auditor.alarm.breach is None
    await world.running.until(lambda: world.auditor.state.seq == world.trading.stream.seq)
    answer = await readyz(world.auditor)
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    told: Any = await resources.cache.get(HEARTBEAT_KEY)
    beat = msgspec.json.decode(told)
    assert beat["state"] in ("replaying", "auditing")
    assert metric("red") == 0
    assert await resources.cache.get(RED_KEY) is None
    await world.running.stop()


class AwayAtFirst:
    """A store that keeps its caller waiting twice, and is not reached."""

    store = "redis"

    def __init__(self) -> None:
        self.asked = 0

    async def compare(self) -> Sequence[Breach]:
        self.asked += 1
        if self.asked <= 2:
            await asyncio.sleep(2 * COMPARE_LONG_S)
            raise NotReachedError("the store is away")
        return ()


async def test_store_that_kept_its_caller_waiting_and_was_not_reached_is_soon_asked_again(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.auditor.component.COMPARE_PAUSES", 100_000)
    auditor, store = Auditor(resources, store_of(resources), compare_every_s=OFTEN_S), AwayAtFirst()
    await auditor.start()
    vars(auditor).update(_comparisons=[store], _compared_at={store.store: 0.0})
    running = asyncio.create_task(auditor.run())
    await eventually(lambda: running.done() or store.asked >= 5)
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])
    await auditor.stop()


@pytest.mark.parametrize(
    "behind_the_back",
    [
        "UPDATE balances SET available_atoms = available_atoms + 1 WHERE user_id = 1003 AND asset_id = 3",
        "DELETE FROM balances WHERE user_id = 1003 AND asset_id = 3",
        "INSERT INTO balances VALUES (4711, 1, 5, 0, 0)",
        "UPDATE orders SET held_atoms = held_atoms + 1 WHERE order_id = "
        "(SELECT min(order_id) FROM orders WHERE status IN (1, 2))",
        "UPDATE orders SET status = 4 WHERE order_id = "
        "(SELECT min(order_id) FROM orders WHERE status IN (1, 2))",
        "INSERT INTO withdrawals VALUES (4711, 1003, 1, 5, 'elsewhere', 'RESERVED', 0)",
        "UPDATE markets SET mode = 1 + mode % 4 WHERE market_id = 1",
        "UPDATE positions SET last_hash = sha256(last_hash)::bytea",
    ],
)
async def test_row_changed_behind_the_ledgers_back_is_found(
    resources: Resources, connection: "Connection", behind_the_back: str
) -> None:
    if "sha256" in behind_the_back:
        behind_the_back = "UPDATE positions SET last_hash = substring(sha256(last_hash) FROM 1 FOR 16)"
    world = World(resources, 611)
    await world.start()
    assert not (await connection.execute(behind_the_back)).endswith(" 0")
    await world.until_red()
    breach = world.auditor.alarm.breach
    assert breach is not None
    assert breach.invariant == ("I7" if "positions" in behind_the_back else "ledger")
    assert await resources.cache.get(RED_KEY) == msgspec.json.encode(breach._asdict())
    row = await connection.fetchrow("SELECT seq, invariant, detail FROM audit_breaches")
    assert row is not None
    assert tuple(row) == breach
    assert metric("red") == 1
    answer = await readyz(world.auditor)
    assert answer.status_code == 503
    assert breach.detail in answer.json()["parts"]["auditor"]
    assert world.running.failure() is None
    await world.running.stop()


async def test_fee_that_was_entered_wrong_is_found(resources: Resources, connection: "Connection") -> None:
    world = World(resources, 612)
    await world.start()
    # From now on somebody takes a part of every fee, as the ledger writes it.
    await connection.execute(
        "CREATE FUNCTION skim() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.amount_atoms = NEW.amount_atoms + 1; RETURN NEW; END'; "
    )
    await connection.execute(
        "CREATE TRIGGER skim BEFORE INSERT ON ledger_entries FOR EACH ROW WHEN (NEW.bucket = 3) "
        "EXECUTE FUNCTION skim()"
    )
    world.trading.run(300)
    await publish(resources, world.trading.stream)
    await world.until_red()
    assert world.auditor.alarm.breach is not None
    assert "fees of asset" in world.auditor.alarm.breach.detail
    await world.running.stop()


@pytest.mark.parametrize("what", ["lots", "lost level", "new level", "sorted prices"])
async def test_level_changed_in_redis_is_found(resources: Resources, what: str) -> None:
    world = World(resources, 621)
    await world.start()
    cache = resources.cache
    current: Any = await cache.get("book:{ETHUSDT}:current")
    generation = current.decode()
    prefix = f"book:{{ETHUSDT}}:{generation}"
    side = "bids" if await cache.hlen(f"{prefix}:bids") else "asks"
    price = next(iter(await cache.hgetall(f"{prefix}:{side}")))
    if what == "lots":
        await cache.hincrby(f"{prefix}:{side}", price, 1)
    elif what == "lost level":
        await cache.hdel(f"{prefix}:{side}", price)
    elif what == "new level":
        await cache.hset(f"{prefix}:asks", "999999", "1")
    else:
        await cache.zrem(f"{prefix}:{side[:-1]}_prices", price)
    await world.until_red()
    assert world.auditor.alarm.breach is not None
    assert world.auditor.alarm.breach.invariant == "I5"
    await world.running.stop()


async def test_halt_reaches_the_engine_once_and_orders_are_refused(
    resources: Resources, connection: "Connection"
) -> None:
    world = World(resources, 631)
    await world.start()
    assert all(market.mode != codes.MODE_HALTED for market in world.trading.stream.engine.markets.values())
    await connection.execute("UPDATE balances SET held_atoms = held_atoms + 1 WHERE user_id = 1001")
    await world.until_red()
    order = PlaceOrder(
        9_999_999, 1001, BTCUSDT, "late", codes.BUY, codes.LIMIT, codes.GTC, PRICE, 100, 0, codes.STP_NONE, 0
    )
    writer = await resources.command_log.writer()
    await writer.append(encode_commands([order]))

    def decided() -> bool:
        return world.trading.stream.outcomes[-1].command_id == order.command_id

    await world.running.until(decided)
    (answer,) = world.trading.stream.outcomes[-1].events
    assert isinstance(answer.event, CommandRejected)
    assert answer.event.reason == codes.REJECT_MARKET_CLOSED
    await asyncio.sleep(0.5)
    assert world.halts() == 1
    await world.running.stop()


async def test_restart_stays_red_without_a_second_halt_until_an_operator_clears_it(
    resources: Resources, connection: "Connection"
) -> None:
    world = World(resources, 641)
    await world.start()
    await connection.execute("UPDATE balances SET held_atoms = held_atoms + 1 WHERE user_id = 1001")
    await world.until_red()
    await world.running.stop()
    await connection.execute("UPDATE balances SET held_atoms = held_atoms - 1 WHERE user_id = 1001")
    await resources.cache.delete(RED_KEY)

    again = Auditor(resources, store_of(resources), compare_every_s=OFTEN_S)
    running = Running([again])
    await running.start()
    assert again.alarm.breach is not None
    assert (await readyz(again)).status_code == 503
    for _ in range(3000):
        if await resources.cache.get(RED_KEY) is not None:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    assert await resources.cache.get(RED_KEY) is not None
    assert world.halts() == 1
    await running.stop()

    await connection.execute("UPDATE audit_breaches SET cleared_ms = 1")
    cleared = Auditor(resources, store_of(resources), compare_every_s=OFTEN_S)
    running = Running([LedgerProjection(resources), BookProjection(resources), cleared])
    await running.start()
    await until_compared(running)
    assert cleared.alarm.breach is None
    assert await resources.cache.get(RED_KEY) is None
    assert (await readyz(cleared)).status_code == 200
    await running.stop()


async def test_wrong_fee_on_the_event_log_halts_trading(resources: Resources) -> None:
    world = World(resources, 651)
    await world.start()
    stream = world.trading.stream
    known = len(stream.outcomes)
    while not any(type(r.event) is TradeExecuted for o in stream.outcomes[known:] for r in o.events):
        known = len(stream.outcomes)
        world.trading.run(1)
    # The engine computed a wrong fee, and hashed it.
    honest = stream.outcomes.pop()
    stream.seq = honest.events[0].seq - 1
    stream.hash = stream.outcomes[-1].events[-1].hash
    stream.append(
        *(
            with_fields(r.event, seller_fee_atoms=r.event.seller_fee_atoms * 2)
            if isinstance(r.event, TradeExecuted)
            else r.event
            for r in honest.events
        ),
        command_id=honest.command_id,
    )
    await publish(resources, stream)
    await world.until_red()
    assert world.auditor.alarm.breach is not None
    assert world.auditor.alarm.breach.invariant == "I4"
    assert world.halts() == 1
    await world.running.stop()


async def test_gap_on_the_event_log_halts_trading_beyond_the_gap(resources: Resources) -> None:
    world = World(resources, 652)
    world.running = Running([world.engine, world.auditor])  # projections stop at a gap
    await world.running.start()
    world.trading.run(20)
    world.trading.stream.take_record()
    world.trading.run(20)
    await publish(resources, world.trading.stream)
    await world.until_red()
    assert world.auditor.alarm.breach is not None
    assert world.auditor.alarm.breach.invariant == "I7"
    assert world.halts() == 1
    await world.running.stop()


async def test_store_that_is_away_or_behind_is_no_breach(resources: Resources) -> None:
    trading = RandomTrading(661)
    trading.run(200)
    await publish(resources, trading.stream)
    auditor = Auditor(resources, store_of(resources), compare_every_s=OFTEN_S)
    running = Running([auditor])
    behind = metric("comparisons_total", store="postgresql", result="behind")
    missing = metric("comparisons_total", store="redis", result="behind")
    await running.start()
    await running.until(
        lambda: (
            metric("comparisons_total", store="postgresql", result="behind") > behind
            and metric("comparisons_total", store="redis", result="behind") > missing
        )
    )
    assert auditor.alarm.breach is None
    assert auditor.state.seq == trading.stream.seq
    await running.stop()


async def test_restart_goes_on_from_the_checkpoint(resources: Resources) -> None:
    trading = RandomTrading(671)
    trading.run(500)
    await publish(resources, trading.stream)
    for _ in range(2):
        auditor = Auditor(resources, store_of(resources))
        running = Running([auditor])
        await running.start()
        started_seq = auditor.state.seq
        await running.until(lambda auditor=auditor: auditor.state.seq == trading.stream.seq)  # type: ignore[misc]
        await running.stop()
        trading.run(50)
        await publish(resources, trading.stream)
    assert started_seq > 500
    assert auditor.alarm.breach is None
