"""The leader's word on the command log that it is at work, and what its own clock says (ADR 0018)."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import KeepTime
from exchange.log.engine_clock import EngineClock
from exchange.ports.world import Log, LogWriter
from exchange.wall_clock import clock_ms
from matching_engine.core.engine import Engine
from matching_engine.core.rules_version import attends_clock
from matching_engine.core.shard import Shard

__all__ = ["Timekeeper", "first_word"]

# A third of what a word lasts, so that commands in a row never wait for the next one.
_AGAIN_MS: Final = 300


class Timekeeper:
    """Says it when records wait for it, while commands come or a market ends; one at a time is on its way."""

    def __init__(self, command_log: Log) -> None:
        self._command_log = command_log
        self._writer: LogWriter | None = None
        self._saying: asyncio.Task[None] | None = None
        self._said_id = 0
        self._clock = EngineClock("engine")

    def look_after(self, shard: Shard) -> None:
        """Called by the leader at each turn. Raises LogError when the word before was not taken."""
        if self._saying is not None and self._saying.done():
            saying, self._saying = self._saying, None
            saying.result()
        engine = shard.engine
        # Its record may be read before its acknowledgement has come.
        if self._saying is not None or self._said_id or not attends_clock(engine.rules_version):
            return
        # While a market ends, each word cancels some of its orders, whether or not commands come.
        if shard.is_waiting or engine.retiring or engine.now_ms - engine.attended_ms > _AGAIN_MS:
            self._said_id = secrets.randbits(62) | 1
            self._saying = asyncio.create_task(self._say(engine.epoch), name="engine: time")

    def saw(self, command_ids: Sequence[int], time_ms: int, now_ms: int) -> None:
        """What was decided at the engine's `time_ms` and our `now_ms`: the first command of each link.

        The own word is one: it travels in a record of its own.
        """
        self._clock.saw(time_ms, now_ms)
        if self._said_id in command_ids:
            self._said_id = 0

    async def close(self) -> None:
        """Say nothing more, and let go of the log."""
        saying, self._saying, self._said_id = self._saying, None, 0
        if saying is not None:
            saying.cancel()
            await asyncio.wait([saying])
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()

    async def _say(self, epoch: int) -> None:
        if self._writer is None:
            self._writer = await self._command_log.writer()
        await self._writer.append(encode_commands([_word(self._said_id, epoch)]))


def first_word(engine: Engine, epoch: int) -> list[KeepTime]:
    """What a claimant of `epoch` says beside its marker, if the rules know it."""
    return [_word(secrets.randbits(62) | 1, epoch)] if attends_clock(engine.rules_version) else []


def _word(command_id: int, epoch: int) -> KeepTime:
    return KeepTime(command_id, epoch, clock_ms())
