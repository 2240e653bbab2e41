"""One order against 20,000 resting ones, on the engine as it runs: runner, outbox, file logs, restarts.

Under rules version 1 its outcome of 1,139,319 bytes fitted no record, and the exchange never started again.
The same on whole exchanges: tests/e2e/test_sweep.py.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.adapters.files.log import FileLog
from exchange.adapters.files.objects import FolderStore
from exchange.contracts import codes, limits
from exchange.contracts.codec import CommandOutcome, decode_events, encode_commands
from exchange.contracts.commands import ActivateRules, Command, CreditDeposit, PlaceOrder, SkipCommand
from exchange.contracts.events import CommandRejected, OrderAccepted, OrderClosed, TradeExecuted
from exchange.log.records import records_between
from exchange.security.skip_order import sign_skip
from matching_engine.core.invariants import check_invariants
from matching_engine.core.shard import PoisonError
from matching_engine.genesis import genesis_commands
from matching_engine.poison import PoisonNotes, PoisonWatch
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots

pytestmark = pytest.mark.integration
MAKERS, ORDERS_EACH = 100, 200
TAKER, PRICE, LOTS = 5_000, 5_000_000, 100
OPERATOR = Ed25519PrivateKey.generate()
SWEEP_ID, AFTER_ID, SKIP_RECORD = 77, 78, 2 + MAKERS


def commands(version: int) -> list[list[Command]]:
    """Records: the markets, the money, 20,000 asks."""
    genesis = genesis_commands()
    if version == 1:
        genesis = [command for command in genesis if not isinstance(command, ActivateRules)]
    funds: list[Command] = [CreditDeposit(1, 2_000 + n, 1, 10**12, n + 1) for n in range(MAKERS)]
    funds.append(CreditDeposit(1, TAKER, 3, 2**61, 10**6))
    asks: list[list[Command]] = [
        [PlaceOrder(1, 2_000 + n, 1, f"o{i}", 2, 1, 1, PRICE, LOTS, 0, 1, 0) for i in range(ORDERS_EACH)]
        for n in range(MAKERS)
    ]
    return [genesis, funds, *asks]


def sweep(command_id: int = SWEEP_ID, name: str = "sweep") -> PlaceOrder:
    lots = LOTS * MAKERS * ORDERS_EACH
    return PlaceOrder(command_id, TAKER, 1, name, codes.BUY, codes.LIMIT, codes.GTC, PRICE, lots, 0, 1, 0)


class Place:
    """File logs, snapshots and notes, which outlive the engines."""

    def __init__(self, folder: Path, command_log: FileLog, event_log: FileLog) -> None:
        self.folder, self.command_log, self.event_log = folder, command_log, event_log

    async def send(self, *records: list[Command]) -> None:
        writer = await self.command_log.writer()
        for record in records:
            await writer.append(encode_commands(record))

    @contextlib.asynccontextmanager
    async def engine(self) -> AsyncIterator[EngineRunner]:
        """A running engine that has decided all that was sent before."""
        runner = EngineRunner(
            self.command_log,
            self.event_log,
            Snapshots(FolderStore(self.folder / "snapshots")),
            shard_number=0,
            snapshot_every_commands=10**9,
            poison=PoisonWatch(PoisonNotes(self.folder / "poison.json"), OPERATOR.public_key()),
        )
        await runner.start()
        running = asyncio.create_task(runner.run())
        try:
            yield runner
            check_invariants(runner.shard.engine)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await runner.stop()

    async def outcome(self, command_id: int) -> CommandOutcome:
        """Wait for what the event log says of a command."""
        async with asyncio.timeout(60):
            while True:
                end = await self.event_log.end_offset()
                async with contextlib.aclosing(records_between(self.event_log, 0, end)) as records:
                    async for record in records:
                        for outcome in decode_events(record.value).outcomes:
                            if outcome.command_id == command_id:
                                return outcome
                await asyncio.sleep(0.02)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    command_log = await FileLog.open(tmp_path / "commands", 10_000)
    event_log = await FileLog.open(tmp_path / "events", 10_000)
    yield Place(tmp_path, command_log, event_log)
    await command_log.close()
    await event_log.close()


async def test_one_order_against_20_000_is_answered_and_trading_goes_on(place: Place) -> None:
    await place.send(*commands(2))
    async with place.engine() as runner:
        await place.send([sweep()])
        events = [recorded.event for recorded in (await place.outcome(SWEEP_ID)).events]
        assert isinstance(events[0], OrderAccepted)
        assert sum(isinstance(event, TradeExecuted) for event in events) == limits.FILLS_PER_COMMAND_MAX
        assert isinstance(events[-1], OrderClosed)
        assert events[-1].reason == codes.CLOSED_TOO_MANY_FILLS
        await place.send([sweep(AFTER_ID, "again")])
        await place.outcome(AFTER_ID)
    # Read once the engine has stopped: its leader's own word counts as well, and may come at any time before.
    seq = runner.shard.engine.seq
    async with place.engine() as runner:
        assert runner.shard.engine.seq >= seq
        assert len(runner.shard.engine.orders) == MAKERS * ORDERS_EACH - 2 * limits.FILLS_PER_COMMAND_MAX


async def test_a_log_that_holds_such_an_order_under_rules_1_halts_and_the_operator_goes_past(
    place: Place,
) -> None:
    await place.send(*commands(1), [sweep()])
    for _ in range(2):  # as every start did, for ever
        with pytest.raises(PoisonError, match=f"record {SKIP_RECORD}: its outcome of 20001 events"):
            async with place.engine():
                raise AssertionError("an engine that has such an outcome must not run")
    await place.send(
        [SkipCommand(1, SKIP_RECORD, 0, sign_skip(OPERATOR, 0, SKIP_RECORD, 0)), ActivateRules(1, 2)]
    )
    async with place.engine() as runner:
        assert runner.readiness() == {"engine": None}
        (skipped,) = (await place.outcome(SWEEP_ID)).events
        assert isinstance(skipped.event, CommandRejected)
        assert skipped.event.reason == codes.REJECT_SKIPPED
        # From here on the rules bound it.
        await place.send([sweep(AFTER_ID, "again")])
        assert len((await place.outcome(AFTER_ID)).events) == limits.FILLS_PER_COMMAND_MAX + 2
