"""An object store that may tear what it is given."""

from exchange.ports.world import ObjectStoreError
from tests.simulation.adapters.calls import Wires, ask, reach
from tests.simulation.loop import Process

__all__ = ["ObjectStorePort", "SimulatedObjects"]

_DEADLINE_S = 5.0


class SimulatedObjects:
    """Keys and bodies."""

    def __init__(self, wires: Wires) -> None:
        self.bodies: dict[str, bytes] = {}
        self._wires = wires

    def of(self, process: Process) -> "ObjectStorePort":
        """The store as this process sees it."""
        return ObjectStorePort(self, self._wires, process)

    def put(self, key: str, body: bytes) -> bool:
        """Keep what is new, now and then only its beginning."""
        if key in self.bodies:
            return False
        faults = self._wires.faults
        if faults.happens(faults.torn):
            self.bodies[key] = body[: faults.chance.randrange(len(body))]
            self._wires.loop.note("world", f"{key} is torn")
        else:
            self.bodies[key] = body
            self._wires.loop.note("world", f"{key} is kept")
        return True

    def get(self, key: str) -> bytes | None:
        """One body."""
        return self.bodies.get(key)

    def keys(self, prefix: str) -> list[str]:
        """Sorted."""
        return sorted(key for key in self.bodies if key.startswith(prefix))

    def delete(self, key: str) -> None:
        """Forget."""
        self.bodies.pop(key, None)


class ObjectStorePort:
    """An `ObjectStore`."""

    def __init__(self, objects: SimulatedObjects, wires: Wires, process: Process) -> None:
        self._objects = objects
        self._wires = wires
        self._process = process

    async def put(self, key: str, body: bytes) -> bool:
        return await reach(
            self._wires,
            self._process,
            lambda: self._objects.put(key, body),
            error=ObjectStoreError,
            deadline_s=_DEADLINE_S,
        )

    async def get(self, key: str) -> bytes | None:
        return await ask(self._wires, self._process, lambda: self._objects.get(key), error=ObjectStoreError)

    async def keys(self, prefix: str) -> list[str]:
        return await ask(
            self._wires, self._process, lambda: self._objects.keys(prefix), error=ObjectStoreError
        )

    async def delete(self, key: str) -> None:
        await reach(
            self._wires,
            self._process,
            lambda: self._objects.delete(key),
            error=ObjectStoreError,
            deadline_s=_DEADLINE_S,
        )
