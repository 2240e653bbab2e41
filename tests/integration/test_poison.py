"""Promises about a command at which the engine stops (design decision 12, ADR 0009)."""

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.adapters.files.objects import FolderStore
from exchange.adapters.memory.log import MemoryLog
from exchange.contracts import codes
from exchange.contracts.codec import decode_events, encode_commands
from exchange.contracts.commands import Command, CreditDeposit, SkipCommand
from exchange.contracts.events import CommandRejected, Outcome
from exchange.security.skip_order import sign_skip
from loadtest.bench.workload import Mischief
from matching_engine.core.engine import Engine
from matching_engine.core.shard import PoisonError
from matching_engine.poison import PoisonNotes, PoisonWatch
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots
from tests.at_work import eventually

POISONED_DEPOSIT, ANOTHER = 987_654, 987_655
OPERATOR, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture
def broken_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that loses its footing at one deposit."""
    decide = Engine.decide

    def breaks(self: Engine, command: Command, time_ms: int, events: Outcome) -> None:
        if isinstance(command, CreditDeposit) and command.deposit_id in (POISONED_DEPOSIT, ANOTHER):
            self.next_order_id = -1
            raise AssertionError("a promise is broken")
        decide(self, command, time_ms, events)

    monkeypatch.setattr(Engine, "decide", breaks)


def skip(key: Ed25519PrivateKey, offset: int, index: int) -> SkipCommand:
    return SkipCommand(1_000_000 + offset, offset, index, sign_skip(key, 0, offset, index))


class Place:
    """The logs and the note, which outlive the engines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command_log = MemoryLog(lambda: 1_700_000_000_000)
        self.event_log = MemoryLog(lambda: 1)

    def runner(self) -> EngineRunner:
        return EngineRunner(
            self.command_log,
            self.event_log,
            Snapshots(FolderStore(self.folder / "snapshots")),
            shard_number=0,
            snapshot_every_commands=10**9,
            poison=PoisonWatch(PoisonNotes(self.folder / "poison.json"), OPERATOR.public_key()),
        )

    async def send(self, *commands: Command) -> None:
        writer = await self.command_log.writer()
        await writer.append(encode_commands(list(commands)))


@pytest.fixture
async def place(tmp_path: Path, broken_engine: None) -> Place:
    place = Place(tmp_path)
    await place.send(*Mischief(5).setup())
    await place.send(CreditDeposit(1, 1001, 1, 5, 111_111), CreditDeposit(2, 1001, 1, 5, POISONED_DEPOSIT))
    await place.send(CreditDeposit(3, 1001, 1, 5, 222_222))
    return place


async def test_the_second_stop_at_a_command_halts_and_says_where(place: Place) -> None:
    for _ in range(2):
        with pytest.raises(PoisonError, match="command 1 of record 1"):
            await place.runner().start()
    halted = place.runner()
    starting = asyncio.create_task(halted.start())
    await eventually(lambda: "halted at command 1 of record 1" in str(halted.readiness()["engine"]))
    assert not starting.done()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)


@pytest.mark.parametrize(("offset", "index", "key"), [(1, 1, STRANGER), (1, 0, OPERATOR), (2, 1, OPERATOR)])
async def test_nothing_but_the_operators_order_for_this_command_goes_past_it(
    place: Place, offset: int, index: int, key: Ed25519PrivateKey
) -> None:
    for _ in range(2):
        with pytest.raises(PoisonError):
            await place.runner().start()
    await place.send(skip(key, offset, index))
    starting = asyncio.create_task(place.runner().start())
    await asyncio.sleep(0.5)
    assert not starting.done()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)


async def test_the_operators_order_refuses_that_command_and_no_other(place: Place) -> None:
    for _ in range(2):
        with pytest.raises(PoisonError):
            await place.runner().start()
    await place.send(skip(OPERATOR, 1, 1))
    for _ in range(2):  # and again after a restart, whether or not a snapshot was taken
        runner = place.runner()
        await asyncio.wait_for(runner.start(), 10)
        assert runner.readiness() == {"engine": None}
        await runner.stop()
    outcomes = [o for r in place.event_log.records for o in decode_events(r.value).outcomes]
    seqs = [recorded.seq for outcome in outcomes for recorded in outcome.events]
    assert seqs == list(range(1, len(seqs) + 1))
    skipped = [o for o in outcomes if o.command_id == 2]
    assert len(skipped) == 1
    event = skipped[0].events[0].event
    assert isinstance(event, CommandRejected)
    assert event.reason == codes.REJECT_SKIPPED
    credited = {o.command_id: type(o.events[0].event).__name__ for o in outcomes}
    assert (credited[1], credited[3]) == ("DepositCredited", "DepositCredited")


async def test_two_such_commands_are_both_gone_past(place: Place) -> None:
    """Without a snapshot between them: a start that knew of one only would stop at the other, for ever."""
    await place.send(CreditDeposit(4, 1001, 1, 5, ANOTHER))
    await place.send(skip(OPERATOR, 1, 1), skip(OPERATOR, 3, 0))
    for _ in range(4):
        with pytest.raises(PoisonError):
            await place.runner().start()
    for _ in range(2):
        runner = place.runner()
        await asyncio.wait_for(runner.start(), 10)
        assert runner.shard.next_command_offset == 5
        await runner.stop()
