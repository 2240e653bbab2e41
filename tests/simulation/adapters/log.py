"""A log as a broker keeps it, and the ways to it that processes have."""

import asyncio
from collections.abc import Callable

from exchange.ports.world import (
    Headers,
    LogError,
    LogProbe,
    LogReader,
    LogRecord,
    LogTimeoutError,
    LogWriter,
    check_record,
)
from tests.simulation.adapters.calls import Wires, ask, reach, sleep_for_ever
from tests.simulation.loop import Process

__all__ = ["LogPort", "SimulatedLog"]

_READ_RECORDS_MAX = 40
_DEADLINE_S = 8.0
_AGAIN_S_MAX = 20.0


class SimulatedLog:
    """The records. `repeats`: an append may land twice, the second time long after (never on a command
    log, whose producers are idempotent for as long as they live)."""

    def __init__(
        self,
        wires: Wires,
        name: str,
        clock_ms: Callable[[], int],
        on_record: Callable[[LogRecord], None],
        *,
        repeats: bool,
    ) -> None:
        self.name = name
        self.records: list[LogRecord] = []
        self.waiting: list[asyncio.Future[None]] = []
        self._wires = wires
        self._clock_ms = clock_ms
        self._on_record = on_record
        self._repeats = repeats

    def land(self, value: bytes) -> int:
        """Append for good."""
        check_record(value)
        offset = len(self.records)
        record = LogRecord(offset, self._clock_ms(), value)
        self.records.append(record)
        self._wires.loop.note("world", f"{self.name} {offset} is written")
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        self._on_record(record)
        faults = self._wires.faults
        if self._repeats and faults.happens(faults.duplicated):
            self._wires.loop.outside(faults.chance.random() * _AGAIN_S_MAX, self.land, value)
        return offset

    def of(self, process: Process) -> "LogPort":
        """The log as this process sees it."""
        return LogPort(self, self._wires, process)


class LogPort:
    """A `Log`."""

    def __init__(self, log: SimulatedLog, wires: Wires, process: Process) -> None:
        self.log = log
        self.wires = wires
        self.process = process

    async def writer(self) -> LogWriter:
        await ask(self.wires, self.process, lambda: None, error=LogError)
        return _Writer(self)

    async def reader(self, offset: int, gather_ms: int = 0) -> LogReader:
        end = await ask(self.wires, self.process, lambda: len(self.log.records), error=LogError)
        if not 0 <= offset <= end:
            raise LogError(f"offset {offset} is beyond the log's end {end}")
        return _Reader(self, offset, gather_ms)

    async def first_offset(self) -> int:
        return await ask(self.wires, self.process, lambda: 0, error=LogError)

    async def probe(self) -> LogProbe:
        await ask(self.wires, self.process, lambda: None, error=LogError)
        return _Probe(self)

    async def end_offset(self) -> int:
        return await ask(self.wires, self.process, lambda: len(self.log.records), error=LogError)

    async def last(self) -> LogRecord | None:
        records = self.log.records
        return await ask(self.wires, self.process, lambda: records[-1] if records else None, error=LogError)


class _Writer:
    def __init__(self, port: LogPort) -> None:
        self._port = port
        self._is_appending = False
        self._is_closed = False

    async def append(self, value: bytes, headers: Headers = ()) -> int:
        port = self._port
        if self._is_closed:
            raise LogError("the writer is closed")
        assert not self._is_appending, "one writer is used by one task at a time"
        self._is_appending = True
        try:
            return await reach(
                port.wires,
                port.process,
                lambda: port.log.land(value),
                error=LogTimeoutError,
                deadline_s=_DEADLINE_S,
            )
        finally:
            self._is_appending = False

    async def close(self) -> None:
        self._is_closed = True


class _Reader:
    def __init__(self, port: LogPort, offset: int, gather_ms: int) -> None:
        self._port = port
        self._offset = offset
        self._gather_s = gather_ms / 1000
        self._next_look_s = 0.0

    async def read(self, timeout_ms: int) -> list[LogRecord]:
        port, log = self._port, self._port.log
        if not port.process.alive:
            await sleep_for_ever()
        faults = port.wires.faults
        if faults.happens(faults.read_error):
            raise LogError("the broker hung up")
        pause_s = self._next_look_s - asyncio.get_running_loop().time()
        if pause_s > 0:
            await asyncio.sleep(min(pause_s, timeout_ms / 1000))
            timeout_ms -= round(pause_s * 1000)
            if timeout_ms < 0:
                return []
        if self._offset >= len(log.records):
            grown: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            log.waiting.append(grown)
            try:
                async with asyncio.timeout(timeout_ms / 1000):
                    await grown
            except TimeoutError:
                return []
        await asyncio.sleep(faults.delay_s())
        most = faults.chance.randint(1, _READ_RECORDS_MAX)
        records = log.records[self._offset : self._offset + most]
        self._offset += len(records)
        if self._gather_s and self._offset == len(log.records):
            self._next_look_s = asyncio.get_running_loop().time() + self._gather_s
        return records

    async def close(self) -> None:
        return None


class _Probe:
    def __init__(self, port: LogPort) -> None:
        self._port = port

    async def end_offset(self) -> int:
        return await self._port.end_offset()

    async def record(self, offset: int) -> LogRecord:
        port = self._port
        return await ask(port.wires, port.process, lambda: port.log.records[offset], error=LogError)

    async def close(self) -> None:
        return None
