"""Whose request begins next: addresses take turns, and the rest of the process has its own between them.

Without this a process serves what has arrived in the order of its arrival: one honest request behind two
thousand of somebody who sends them all at once waits until each of those is answered, or refused. Here a
round of the event loop begins a bounded number of requests, of each address one in turn; between two rounds
sockets are read, events followed and commands sent.

Pure: how the next round is asked for is handed in.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["BEGUN_PER_ROUND", "FairTurns"]

# A request takes 0.1 to 0.4 ms of the loop: a round of them is a few ms, which is what others wait at most.
BEGUN_PER_ROUND: Final = 16


class FairTurns:
    """Begin requests with `begin`. `next_round(callback)` calls it in the event loop's next round.

    What waits is bounded by the connections: each has one request here at the most. A request that finds
    nobody waiting begins at once.
    """

    __slots__ = ("_begun", "_next_round", "_waiting", "waiting")

    def __init__(self, next_round: Callable[[Callable[[], None]], object]) -> None:
        self._next_round = next_round
        self._begun = 0
        # Requests that have not begun, by address, in the order of the addresses' turns; how many they are.
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        self.waiting = 0

    def begin(self, address: str, start: Callable[[], None]) -> None:
        """Call `start` now, or when it is the address's turn."""
        if not self._begun:
            self._next_round(self._round)
        if self._begun < BEGUN_PER_ROUND:
            self._begun += 1
            start()
            return
        found = self._waiting.get(address)
        if found is None:
            found = self._waiting[address] = deque()
        found.append(start)
        self.waiting += 1

    def _round(self) -> None:
        self._begun = 0
        if not self._waiting:
            return
        starts = [self._take() for _ in range(min(BEGUN_PER_ROUND, self.waiting))]
        self._begun = len(starts)
        self._next_round(self._round)
        for start in starts:
            start()

    def _take(self) -> Callable[[], None]:
        """The oldest of the address whose turn it is; the address comes again after all others."""
        address = next(iter(self._waiting))
        queue = self._waiting.pop(address)
        start = queue.popleft()
        if queue:
            self._waiting[address] = queue
        self.waiting -= 1
        return start
