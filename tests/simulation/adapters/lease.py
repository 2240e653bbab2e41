"""The lease's keeper: one record behind compare-and-set."""

from exchange.ports.world import LeaseError, LeaseRecord
from tests.simulation.adapters.calls import Wires, ask, reach
from tests.simulation.loop import Process

__all__ = ["LeasePort", "SimulatedLease"]

_DEADLINE_S = 1.0


class SimulatedLease:
    """The record, and how often it was written. `is_broken`: it gives itself to everybody (split brain)."""

    def __init__(self, wires: Wires) -> None:
        self.record: LeaseRecord | None = None
        self.is_broken = False
        self._wires = wires
        self._version = 0

    def of(self, process: Process) -> "LeasePort":
        """The lease as this process sees it."""
        return LeasePort(self, self._wires, process)

    def write(self, holder: str, duration_ms: int, expected: LeaseRecord | None) -> LeaseRecord | None:
        """Compare and set; a broken keeper only sets."""
        if self.record != expected and not self.is_broken:
            return None
        self._version += 1
        self.record = LeaseRecord(holder, duration_ms, str(self._version))
        self._wires.loop.note("world", f"the lease is {holder or 'free'}")
        return self.record

    def read(self) -> LeaseRecord | None:
        """The record; a broken keeper says that nobody leads."""
        if self.is_broken and self.record is not None:
            return LeaseRecord("", self.record.duration_ms, self.record.version)
        return self.record


class LeasePort:
    """A `Lease`."""

    def __init__(self, lease: SimulatedLease, wires: Wires, process: Process) -> None:
        self._lease = lease
        self._wires = wires
        self._process = process

    async def read(self) -> LeaseRecord | None:
        return await ask(self._wires, self._process, self._lease.read, error=LeaseError)

    async def write(self, holder: str, duration_ms: int, expected: LeaseRecord | None) -> LeaseRecord | None:
        return await reach(
            self._wires,
            self._process,
            lambda: self._lease.write(holder, duration_ms, expected),
            error=LeaseError,
            deadline_s=_DEADLINE_S,
        )
