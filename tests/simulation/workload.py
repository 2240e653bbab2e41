"""What traders want: their commands, and what they have been told."""

import copy
import random

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import Command, CreditDeposit, LeaderElected, Malformed
from loadtest.bench.workload import Mischief
from tests.simulation import asking

__all__ = ["Workload"]


class Workload:
    """A queue of commands that survives every process, as traders do."""

    def __init__(self, seed: str, commands: int) -> None:
        self.random = random.Random(f"{seed}/traders")
        source = Mischief(self.random.randrange(2**32), users=4)
        deposits = [command for command in source.setup() if isinstance(command, CreditDeposit)]
        mischief = [c for c in source.take(commands) if not isinstance(c, Malformed | LeaderElected)]
        deposits += asking.deposits()
        self._queue: list[Command] = [*reversed(mischief), *reversed(deposits)]
        self._probes = 0
        self.told: list[tuple[int, CommandOutcome]] = []
        self.unknown = 0

    @property
    def is_sent(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._queue

    def next(self) -> Command | None:
        """The next command, None when there is none (now)."""
        return self._queue.pop() if self._queue else None

    def again(self, command: Command) -> None:
        """A trader who does not know what became of a command sends it again, sooner or later."""
        place = self.random.randint(0, len(self._queue))
        # A copy: the gateway may still hold the first one.
        self._queue.insert(place, copy.copy(command))

    def probe(self, count: int) -> None:
        """Add commands that a healthy exchange must answer."""
        for _ in range(count):
            self._probes += 1
            self._queue.append(CreditDeposit(0, 1_001, 1, 1, 10**9 + self._probes))
