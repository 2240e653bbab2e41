"""Before something is denied: has this process seen the outcome of all that was sent before the question?

A view follows the event log, and is behind it by what a read takes; behind the command log it is by as much
as the engine is. What it does not hold may so have been placed already, by another process too. A denial is
true once the view has passed the outcome of the last command that the command log held after the
question had come.

One question to the log serves all that ask meanwhile, so a thousand askers cost no more than one.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final

from exchange.contracts.codec import CommandOutcome, decode_commands
from exchange.ports.world import Log, LogError, LogProbe

__all__ = ["OutcomeBarrier"]

# How long an asker waits at the most, the question to the log included.
WAIT_MAX_S: Final = 1.5
# So many wait at once; whoever comes on top is told at once that nothing is known.
ASKERS_MAX: Final = 1_000
_CLOSE_DEADLINE_S: Final = 3.0
# A place before every command.
_NOWHERE: Final = (-1, -1)


class OutcomeBarrier:
    """Holds a denial back until nothing can contradict it. Call `saw` with outcomes that the view has."""

    def __init__(self, command_log: Log) -> None:
        self._command_log = command_log
        self._probe: LogProbe | None = None
        # Which command the view's newest outcome answers: offset of its record, and its index within that.
        self._decided = _NOWHERE
        self._moved: asyncio.Future[None] | None = None
        self._asking = asyncio.Lock()
        self._next_question: asyncio.Task[int | None] | None = None
        # The last record that was counted: its offset, and the index of its last command.
        self._counted = _NOWHERE
        self._askers = 0

    def saw(self, outcomes: Iterable[CommandOutcome]) -> None:
        """The view holds these outcomes now."""
        place = max(((o.command_offset, o.command_index) for o in outcomes), default=_NOWHERE)
        if place <= self._decided:
            return
        self._decided = place
        if self._moved is not None:
            self._moved.set_result(None)
            self._moved = None

    async def is_passed(self) -> bool:
        """Wait until the view has all that was on the command log when this was called.

        False when it has not within WAIT_MAX_S, or when the log does not say where it ends.
        """
        if self._askers >= ASKERS_MAX:
            return False
        self._askers += 1
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                return await self._is_passed()
        except TimeoutError:
            return False
        finally:
            self._askers -= 1

    async def close(self) -> None:
        """Let go of the log, after the question that is under way. Raises TimeoutError."""
        async with asyncio.timeout(_CLOSE_DEADLINE_S), self._asking:
            await self._close_probe()

    async def _is_passed(self) -> bool:
        end = await self._end_offset()
        if end is None:
            return False
        if end == 0:
            return True
        await self._reach((end - 1, 0))
        if self._decided[0] >= end:
            return True
        last_index = await self._last_index(end - 1)
        if last_index is None:
            return False
        await self._reach((end - 1, last_index))
        return True

    async def _reach(self, place: tuple[int, int]) -> None:
        while self._decided < place:
            if self._moved is None:
                self._moved = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._moved)

    async def _end_offset(self) -> int | None:
        """Where the command log ends, asked after this call began; None when it does not say."""
        # A question that is under way already may be answered with an end from before.
        if self._next_question is None:
            self._next_question = asyncio.create_task(self._ask_end(), name="barrier: the log's end")
        return await asyncio.shield(self._next_question)

    async def _ask_end(self) -> int | None:
        async with self._asking:
            self._next_question = None
            try:
                return await (await self._opened()).end_offset()
            except LogError:
                await self._close_probe()
                return None

    async def _last_index(self, offset: int) -> int | None:
        """The index of a record's last command; None when the log does not give the record."""
        async with self._asking:
            if self._counted[0] != offset:
                try:
                    record = await (await self._opened()).record(offset)
                except LogError:
                    await self._close_probe()
                    return None
                self._counted = (offset, len(decode_commands(record.value)) - 1)
            return self._counted[1]

    async def _opened(self) -> LogProbe:
        if self._probe is None:
            self._probe = await self._command_log.probe()
        return self._probe

    async def _close_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            with contextlib.suppress(LogError, OSError):
                await probe.close()
