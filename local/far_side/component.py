"""The far side as the exchange's own process has it: a child that is told how far the log is durable.

Ledger, hot books and notices take a quarter of the processor that an order costs, and their writes hold up
the loop that answers. Nobody waits for them, so another core may have them (ADR 0059).
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from exchange.adapters.files.log import FileLog
from exchange.process.config import Settings
from exchange.process.loop.deadlines import WaitTimer
from local.far_side.words import LINE_SIZE_BYTES_MAX, State, state_of, task_for
from local.servers.process import tied_to_this_process

__all__ = ["FarSide"]

# Less than its readers gather anyhow (exchange/log/gathering.py).
TELL_EVERY_S: Final = 0.03
_LOOK_EVERY_S: Final = 1.0
_SILENCE_S_MAX: Final = 10.0
_STOP_DEADLINE_S: Final = 8.0
ROOT: Final = Path(__file__).resolve().parents[2]


class FarSide:
    """Component that starts the child, tells it, and ends with it."""

    name = "far side"

    def __init__(self, log: FileLog, settings: Settings, engine_build: str) -> None:
        """`log`: of the events. `engine_build` as in `build.activate`: the child reads the same contracts."""
        self._log = log
        self._settings = settings
        self._engine_build = engine_build
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: asyncio.ReadTransport | None = None
        self._told_end = 0
        self._state = State({"far side": "starting"}, "")
        self._heard_s = time.monotonic()

    async def start(self) -> None:
        """Start the child; it is ready when it says so."""
        # From this thread: with the one that starts it, it would be killed. By vfork, as a snapshot's child.
        self._process = subprocess.Popen(  # noqa: ASYNC220
            # It gives way once it is ready: until then everybody waits for it.
            tied_to_this_process([sys.executable, "-m", "local.far_side"], signal.SIGKILL),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._told_end = self._log.end
        self._process.stdin.write(task_for(self._settings, self._told_end, self._engine_build) + b"\n")
        self._process.stdin.flush()
        os.set_blocking(self._process.stdin.fileno(), False)
        self._heard_s = time.monotonic()

    async def run(self) -> None:
        """Tell and listen until cancelled. Raises RuntimeError when the child ends by itself."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell(), name="far side: ends")
            group.create_task(self._listen(), name="far side: state")

    async def _tell(self) -> None:
        timer = WaitTimer()
        try:
            while True:
                if await self._log.wait_for(self._told_end, _LOOK_EVERY_S, timer):
                    self._say(self._log.end)
                    await asyncio.sleep(TELL_EVERY_S)
        finally:
            timer.close()

    def _say(self, end: int) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            # Short enough to go whole or not at all (PIPE_BUF).
            os.write(self._process.stdin.fileno(), b"%d\n" % end)
        except BlockingIOError:
            return  # A child that does not listen: the next word says it all. `readiness` tells of silence.
        except BrokenPipeError:
            pass  # It has ended, which `_listen` hears.
        self._told_end = end

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        reader = asyncio.StreamReader(limit=LINE_SIZE_BYTES_MAX)
        loop = asyncio.get_running_loop()
        # It stays open until the child has ended: who says a last word to nobody would end badly.
        self._pipe, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._process.stdout
        )
        while line := await reader.readline():
            try:
                self._state = state_of(line)
            except msgspec.DecodeError as error:
                raise RuntimeError(f"the far side says what nobody understands: {error}") from error
            self._heard_s = time.monotonic()
        code = await asyncio.to_thread(self._process.wait, _STOP_DEADLINE_S)
        raise RuntimeError(f"ledger, hot books and notices have ended (exit code {code}): see far-side.log")

    async def stop(self) -> None:
        """Let it end in order, within a deadline."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
        finally:
            for pipe in (self._pipe, process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def readiness(self) -> Mapping[str, str | None]:
        """What the child's parts say of themselves."""
        silence_s = time.monotonic() - self._heard_s
        if silence_s > _SILENCE_S_MAX:
            return {self.name: f"has said nothing for {silence_s:.0f} s"}
        return self._state.problems

    def metrics(self) -> str:
        """In the text format, of those parts alone; as of two seconds ago at the most."""
        return self._state.metrics
