"""The processes of the simulated exchange: what each main module does, over simulated resources."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from exchange.contracts.codec import EMPTY_CHAIN_HASH
from exchange.contracts.events import MarketRegistered
from exchange.log.event_tail import EventTail, TailPosition
from exchange.log.gateway import (
    CommandGateway,
    GatewayOverloadedError,
    GatewayUnavailableError,
    OutcomeUnknownError,
)
from exchange.process.components import Resources, run_components
from exchange.process.config import Settings
from matching_engine.genesis import write_genesis
from matching_engine.leadership import Elector
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots
from services.projections.book.projection import BookProjection
from services.projections.ledger.projection import LedgerProjection
from tests.event_streams import START_MS
from tests.simulation.adapters.hot_books import SimulatedHotBooks
from tests.simulation.adapters.lease import SimulatedLease
from tests.simulation.adapters.ledger import SimulatedLedger
from tests.simulation.adapters.log import SimulatedLog
from tests.simulation.adapters.objects import SimulatedObjects
from tests.simulation.asking import Answers
from tests.simulation.loop import Process
from tests.simulation.reference import Reference
from tests.simulation.workload import Workload

__all__ = ["SETTINGS", "Servers", "book", "engine", "ledger", "orders"]

SETTINGS = Settings(command_deadline_ms=6_000, log_deadline_ms=8_000)
LEASE_DURATION_MS = 2_000
READ_TIMEOUT_MS = 500
TRADERS = 6
THINKING_S_MAX = 0.3
AGAIN_PROBABILITY = 0.5


class Servers:
    """What outlives every process."""

    command_log: SimulatedLog
    event_log: SimulatedLog
    lease: SimulatedLease
    objects: SimulatedObjects
    ledger: SimulatedLedger
    hot_books: SimulatedHotBooks
    workload: Workload
    reference: Reference
    answers: Answers
    snapshot_every_commands: int
    has_standby: bool
    runners: list[tuple[Process, EngineRunner]]

    def wall_ms(self, now_s: float) -> int:
        """The wall clock of every process, which is right."""
        return START_MS + int(now_s * 1_000)

    def resources(self, process: Process) -> Resources:
        """Logs as this process sees them; it has neither PostgreSQL nor Redis."""
        return Resources(
            SETTINGS,
            self.command_log.of(process),
            self.event_log.of(process),
            cast(Any, None),
            cast(Any, None),
        )

    def check(self, promise: Callable[[], None]) -> None:
        """Check a promise; a breach ends the seed."""
        raise NotImplementedError


async def engine(servers: Servers, process: Process) -> None:
    """As `matching_engine.main`."""
    loop = asyncio.get_running_loop()
    command_log = servers.command_log.of(process)
    await write_genesis(command_log)
    elector = None
    if servers.has_standby:
        elector = Elector(
            servers.lease.of(process),
            process.name,
            duration_ms=LEASE_DURATION_MS,
            clock_ms=lambda: int(loop.time() * 1000),
        )
    runner = EngineRunner(
        command_log,
        servers.event_log.of(process),
        Snapshots(servers.objects.of(process)),
        shard_number=0,
        snapshot_every_commands=servers.snapshot_every_commands,
        elector=elector,
    )
    servers.runners.append((process, runner))
    await run_components([runner])


async def ledger(servers: Servers, process: Process) -> None:
    """As `services.projections ledger`."""
    await run_components([LedgerProjection(servers.resources(process), servers.ledger.of(process))])


async def book(servers: Servers, process: Process) -> None:
    """As `services.projections book`."""
    projection = BookProjection(
        servers.resources(process), servers.ledger.of(process), servers.hot_books.of(process)
    )
    await run_components([projection])


async def orders(servers: Servers, process: Process) -> None:
    """An order service reduced to its gateway and its tail of the events, with the traders behind it."""
    writer = await servers.command_log.of(process).writer()
    reader = await servers.event_log.of(process).reader(0)
    tail = EventTail(reader, TailPosition(0, EMPTY_CHAIN_HASH, 0))
    gateway = CommandGateway(
        writer,
        tick_ms=SETTINGS.command_tick_ms,
        deadline_ms=SETTINGS.command_deadline_ms,
        clock_s=asyncio.get_running_loop().time,
    )
    is_open = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(gateway.run(), name="gateway")
        group.create_task(_resolve(tail, gateway, is_open), name="outcomes")
        for number in range(TRADERS):
            group.create_task(_trade(servers, gateway, is_open), name=f"trader {number}")


async def _resolve(tail: EventTail, gateway: CommandGateway, is_open: asyncio.Event) -> None:
    while True:
        outcomes = await tail.read(READ_TIMEOUT_MS)
        gateway.resolve(outcomes)
        # As the services do: who knows no market sends nothing. A log that is not empty gets no genesis.
        if any(isinstance(recorded.event, MarketRegistered) for o in outcomes for recorded in o.events):
            is_open.set()


async def _trade(servers: Servers, gateway: CommandGateway, is_open: asyncio.Event) -> None:
    workload = servers.workload
    await is_open.wait()
    while True:
        await asyncio.sleep(workload.random.random() * THINKING_S_MAX)
        command = workload.next()
        if command is None:
            continue
        command.command_id = gateway.new_command_id()
        try:
            outcome = await gateway.submit(command)
        except (GatewayOverloadedError, GatewayUnavailableError):
            workload.again(command)
        except OutcomeUnknownError:
            workload.unknown += 1
            if workload.random.random() < AGAIN_PROBABILITY:
                workload.again(command)
        else:
            workload.told.append((command.command_id, outcome))
            servers.check(partial(servers.reference.acknowledged, command.command_id, outcome))
