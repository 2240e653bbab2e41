"""After a halt, a takeover or a cold start nothing stale takes effect (ADR 0018): real engines on logs."""

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.adapters.files.lease import FileLease
from exchange.adapters.files.objects import FolderStore
from exchange.adapters.memory.log import MemoryLog
from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome, decode_events, encode_commands
from exchange.contracts.commands import CancelOrder, Command, CreditDeposit, KeepTime, PlaceOrder, SkipCommand
from exchange.contracts.events import (
    CommandRejected,
    DepositCredited,
    Event,
    OrderAccepted,
    OrderClosed,
    Outcome,
)
from exchange.log.event_tail import newest_event
from exchange.security.skip_order import sign_skip
from matching_engine.core.engine import Engine
from matching_engine.core.shard import PoisonError
from matching_engine.genesis import write_genesis
from matching_engine.leadership import Elector
from matching_engine.poison import PoisonNotes, PoisonWatch
from matching_engine.replay import replay, skipped_commands
from matching_engine.runner import EngineRunner, Role
from matching_engine.snapshots import Snapshots, state_hash
from tests.at_work import eventually, running

pytestmark = pytest.mark.integration

ALICE, USDT, BTCUSDT = 1001, 3, 1
ONE = 10**8
WINDOW_MS = 5_000
OPERATOR = Ed25519PrivateKey.generate()
POISONED = 987_654


class Place:
    """Both logs at a time that the test turns, and what engines keep beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ms = 1_700_000_000_000
        self.command_log = MemoryLog(lambda: self.now_ms)
        self.event_log = MemoryLog(lambda: self.now_ms)

    def runner(self, elector: Elector | None = None) -> EngineRunner:
        return EngineRunner(
            self.command_log,
            self.event_log,
            Snapshots(FolderStore(self.folder / "snapshots")),
            shard_number=0,
            snapshot_every_commands=10**9,
            elector=elector,
            poison=PoisonWatch(PoisonNotes(self.folder / "poison.json"), OPERATOR.public_key()),
        )

    async def send(self, *commands: Command) -> None:
        await (await self.command_log.writer()).append(encode_commands(list(commands)))

    def order(self, command_id: int, name: str) -> PlaceOrder:
        """A resting order that is valid for WINDOW_MS from now."""
        valid_until_ms = self.now_ms + WINDOW_MS
        return PlaceOrder(
            command_id,
            ALICE,
            BTCUSDT,
            name,
            codes.BUY,
            codes.LIMIT,
            codes.GTC,
            10_000,
            100_000,
            0,
            codes.STP_NONE,
            valid_until_ms,
        )

    def outcome(self, command_id: int) -> CommandOutcome | None:
        """What was published of a command; it is published once."""
        found = {
            outcome.events[0].seq: outcome
            for record in self.event_log.records
            for outcome in decode_events(record.value).outcomes
            if outcome.command_id == command_id
        }
        assert len(found) <= 1
        return next(iter(found.values()), None)

    async def event(self, command_id: int) -> Event:
        """The first event of a command, once it is published."""
        await eventually(lambda: self.outcome(command_id) is not None)
        outcome = self.outcome(command_id)
        assert outcome is not None
        return outcome.events[0].event

    async def holds_up(self) -> None:
        """A replay of the command log alone comes to the same events and state."""
        newest = await newest_event(self.event_log)
        skipped = await skipped_commands(self.event_log)
        shard = await replay(self.command_log, newest, skipped, None, lambda _done, _total: None)
        again = await replay(self.command_log, newest, skipped, shard, lambda _done, _total: None)
        assert state_hash(again) == state_hash(shard)


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    await write_genesis(place.command_log)
    await place.send(CreditDeposit(1, ALICE, USDT, 10**6 * ONE, 1))
    return place


def is_stale(event: Event) -> bool:
    return isinstance(event, CommandRejected) and event.reason == codes.REJECT_STALE


async def test_orders_into_a_dead_exchange_are_refused_when_it_starts_again(place: Place) -> None:
    async with running(place.runner()):
        await place.send(place.order(2, "before"))
        assert isinstance(await place.event(2), OrderAccepted)
    place.now_ms += 2_000
    await place.send(place.order(3, "stale"), CreditDeposit(4, ALICE, USDT, 1, 2))
    cancel = CancelOrder(5, ALICE, BTCUSDT, 0, "before", "x", codes.CANCEL_ANY, place.now_ms + WINDOW_MS)
    await place.send(cancel)
    place.now_ms += 1_800_000
    async with running(place.runner()):
        assert is_stale(await place.event(3))
        # Money that has come is not refused for its age, and a cancel takes risk away.
        assert isinstance(await place.event(4), DepositCredited)
        assert isinstance(await place.event(5), OrderClosed)
        await place.send(place.order(6, "after"))
        assert isinstance(await place.event(6), OrderAccepted)
    await place.holds_up()


async def test_an_order_after_a_quiet_night_is_decided_and_a_quiet_log_does_not_grow(place: Place) -> None:
    async with running(place.runner()):
        await place.event(1)
        place.now_ms += 8 * 3_600_000
        records = len(place.command_log.records)
        await place.send(place.order(2, "morning"))
        assert isinstance(await place.event(2), OrderAccepted)
        assert len(place.command_log.records) == records + 2
        outcome = place.outcome(2)
        assert outcome is not None
        assert outcome.time_ms == place.now_ms
    await place.holds_up()


async def test_a_standby_that_takes_over_refuses_what_grew_stale_before(place: Place) -> None:
    lease, clock_ms = FileLease(place.folder / "lease"), [0]

    def elector(name: str) -> Elector:
        return Elector(lease, name, duration_ms=600, clock_ms=lambda: clock_ms[0])

    first = place.runner(elector("a"))
    await first.start()
    leading = asyncio.create_task(first.run())
    await eventually(lambda: first.role is Role.LEADER)
    await place.event(1)
    second = place.runner(elector("b"))
    async with running(second):
        # It dies: its lease is not given back, and runs out.
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        place.now_ms += 2_000
        await place.send(place.order(2, "stale"))
        place.now_ms += 60_000
        await eventually(lambda: second.shard.is_waiting)
        clock_ms[0] += 10_000
        await eventually(lambda: second.role is Role.LEADER)
        assert is_stale(await place.event(2))
        await place.send(place.order(3, "fresh"))
        assert isinstance(await place.event(3), OrderAccepted)
    await place.holds_up()


async def test_a_halt_lifted_by_skip_refuses_what_came_meanwhile(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what came in the second after the leader's last word: all engines stood before it."""
    decide = Engine.decide

    def breaks(self: Engine, command: Command, time_ms: int, events: Outcome) -> None:
        if isinstance(command, CreditDeposit) and command.deposit_id == POISONED:
            raise AssertionError("a promise is broken")
        decide(self, command, time_ms, events)

    monkeypatch.setattr(Engine, "decide", breaks)
    await place.send(CreditDeposit(2, ALICE, USDT, 1, POISONED))
    await place.send(place.order(3, "attended"))
    place.now_ms += 5_000
    await place.send(place.order(4, "unattended"))
    for _ in range(2):
        with pytest.raises(PoisonError):
            await place.runner().start()
    place.now_ms += 1_800_000
    await place.send(SkipCommand(5, 2, 0, sign_skip(OPERATOR, 0, 2, 0)))
    async with running(place.runner()):
        assert is_stale(await place.event(3))
        assert is_stale(await place.event(4))
    await place.holds_up()


async def test_a_word_on_its_way_is_not_followed_by_another(place: Place) -> None:
    async with running(place.runner()):
        await place.event(1)
        for number in range(2, 12):
            place.now_ms += 400
            await place.send(place.order(number, f"o{number}"))
            await place.event(number)
    words = [r for r in place.command_log.records if _is_word(r.value)]
    assert 8 <= len(words) <= 11
    await place.holds_up()


def _is_word(value: bytes) -> bool:
    return value.startswith(encode_commands([KeepTime(1, 0, 1)])[:5])
