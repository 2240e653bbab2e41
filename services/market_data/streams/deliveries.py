"""Messages on their way to their clients: a bounded number in each turn of the event loop, in order.

A message to five thousand clients is five thousand calls of the system: tens of milliseconds in which the
process would do nothing else. So a turn of the loop delivers some two milliseconds' worth, and the rest
follows in the next turns; requests, events and other sockets have theirs between. Whatever a client gets goes
through here, so each gets its messages in the order in which they were published, its own answers among them.

How the next turn is asked for is handed in; without that everything is delivered at once.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

__all__ = ["MESSAGES_PER_TURN", "WAITING_MAX", "Deliveries", "Frame", "Receiver"]

MESSAGES_PER_TURN: Final = 256
# About a second's work. What is more is delivered at once: the loop is late then, and so are the next ticks.
WAITING_MAX: Final = 100_000
NextTurn = Callable[[Callable[[], None]], object]
"""Calls what it is given in the event loop's next turn."""


class Frame:
    """A text message, and the same as a WebSocket frame, so that it is framed once for all clients."""

    __slots__ = ("payload", "wire")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        # An unmasked final text frame (RFC 6455, 5.2).
        size = len(payload)
        if size < 126:
            header = bytes((0x81, size))
        elif size < 65_536:
            header = b"\x81\x7e" + size.to_bytes(2, "big")
        else:
            header = b"\x81\x7f" + size.to_bytes(8, "big")
        self.wire = header + payload


class Receiver(Protocol):
    """Who gets messages."""

    def put(self, frame: Frame) -> None:
        """Take one; never raises, never waits."""
        ...


class Deliveries:
    """Deliver with `add`. `waiting`: messages still to be delivered, each counted for each client."""

    def __init__(self) -> None:
        self.next_turn: NextTurn | None = None
        self.waiting = 0
        self._queue: deque[tuple[Frame, Sequence[Receiver]]] = deque()
        # How many of the first one's receivers have it, and how many messages this turn has delivered.
        self._reached = 0
        self._delivered = 0

    def add(self, frame: Frame, receivers: Sequence[Receiver]) -> None:
        """Deliver a frame to all of these, behind everything that was added before."""
        if not receivers:
            return
        if not self._delivered and self.next_turn is not None:
            self.next_turn(self._turn)
        self._queue.append((frame, receivers))
        self.waiting += len(receivers)
        self._deliver(max(MESSAGES_PER_TURN - self._delivered, self.waiting - WAITING_MAX))

    def finish(self) -> None:
        """Deliver all that waits, now."""
        self._deliver(self.waiting)

    def _turn(self) -> None:
        self._delivered = 0
        if self._queue and self.next_turn is not None:
            self.next_turn(self._turn)
            self._deliver(MESSAGES_PER_TURN)

    def _deliver(self, most: int) -> None:
        most = self.waiting if self.next_turn is None else max(0, min(most, self.waiting))
        if self.next_turn is not None:
            self._delivered += most
        while self._queue and most > 0:
            frame, receivers = self._queue[0]
            part = receivers[self._reached : self._reached + most]
            for receiver in part:
                receiver.put(frame)
            most -= len(part)
            self._reached += len(part)
            self.waiting -= len(part)
            if self._reached == len(receivers):
                self._queue.popleft()
                self._reached = 0
