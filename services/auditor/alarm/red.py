"""Red: what happens after a breach, once, and what stays so until an operator clears it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg
import msgspec
from prometheus_client import Counter, Gauge

from exchange.contracts.codes import MODE_HALTED
from exchange.contracts.commands import SetTradingMode
from exchange.contracts.events import TradingModeChanged
from exchange.log.deciding import DECIDING_ERRORS, decide_one
from exchange.process.components import Resources
from exchange.process.connections import CACHE_ERRORS, CONNECTION_ERRORS
from exchange.process.patience import Patience
from exchange.wall_clock import clock_ms
from services.auditor.alarm.breaches import DETAIL_LENGTH_MAX, BreachStore
from services.auditor.audit.state import Breach

__all__ = ["Alarm"]

logger = logging.getLogger(__name__)

RED_EVERY_S: Final = 5.0
ALL_MARKETS: Final = 0
_RETRYABLE: Final[tuple[type[BaseException], ...]] = (
    *CONNECTION_ERRORS,
    *CACHE_ERRORS,
    asyncpg.PostgresError,
    *DECIDING_ERRORS,
)

_breaches_total = Counter("exchange_auditor_breaches_total", "Breaches found.", ["invariant"])
_red = Gauge("exchange_auditor_red", "1 after a breach, until an operator clears it.")


class Alarm:
    """Holds the first breach, tells everybody, halts trading once. Never goes back to green by itself."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._store = BreachStore(resources)
        self._raised = asyncio.Event()
        self.breach: Breach | None = None
        # Whether the engine has confirmed the halt.
        self.is_halted = False
        _red.set(0)

    async def start(self) -> None:
        """Be red at once if an earlier life was and nobody cleared it. Raises what the database raises."""
        known = await self._store.open_breach()
        if known is not None:
            self.is_halted = known.is_halted
            self._turn_red(known.breach)
            return
        try:
            told = await self._store.red_breach()
            if told is None:
                return
            if not await self._store.is_cleared(told):
                # Found, but lost on its way to the table.
                self._turn_red(told)
                return
            await self._store.clear_red()
            logger.warning("the breach at seq %d was cleared: green", told.seq)
        except CACHE_ERRORS as error:
            logger.warning("the red key cannot be read, the table has no open breach: %r", error)

    def sound(self, breaches: Sequence[Breach]) -> None:
        """These were found: log and count them, and be red for the first of them."""
        for breach in breaches:
            _breaches_total.labels(breach.invariant).inc()
            logger.critical("BREACH %s", msgspec.json.encode(breach._asdict()).decode())
        self._turn_red(breaches[0])

    def _turn_red(self, breach: Breach) -> None:
        if self.breach is None:
            self.breach = breach._replace(detail=breach.detail.replace("\x00", "?")[:DETAIL_LENGTH_MAX])
            _red.set(1)
            self._raised.set()

    async def run(self) -> None:
        """Wait for red; then tell Redis, PostgreSQL and the engine, each until it has heard. Never ends."""
        await self._raised.wait()
        breach = self.breach
        assert breach is not None
        logger.critical("RED since seq %d: %s %s", breach.seq, breach.invariant, breach.detail)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_key(breach), name="auditor-red-key")
            group.create_task(self._halt_and_record(breach), name="auditor-halt")

    async def _keep_key(self, breach: Breach) -> None:
        """Set the key again and again: Redis may lose it."""
        while True:
            await _until_done("the red key", lambda: self._store.set_red(breach))
            await asyncio.sleep(RED_EVERY_S)

    async def _halt_and_record(self, breach: Breach) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(
                _until_done("the table", lambda: self._store.record(breach, clock_ms())),
                name="auditor-record",
            )
            if not self.is_halted:
                group.create_task(_until_done("the halt", self._halt), name="auditor-halt-command")
        await _until_done("the table", lambda: self._store.note_halted(breach, clock_ms()))

    async def _halt(self) -> None:
        # Halting again does no harm.
        outcome = await decide_one(
            self._resources, lambda number: SetTradingMode(number, ALL_MARKETS, MODE_HALTED)
        )
        events = [recorded.event for recorded in outcome.events]
        markets = [event.market_id for event in events if isinstance(event, TradingModeChanged)]
        self.is_halted = True
        logger.critical("halted markets %s at seq %d", markets, outcome.events[-1].seq)


async def _until_done(what: str, act: Callable[[], Awaitable[None]]) -> None:
    """Try until it works, with growing random pauses: there is nothing else to do while red."""
    async for attempt in Patience(what, _RETRYABLE, log_level=logging.ERROR).attempts():
        with attempt:
            await act()
