"""What the watchers have seen, in bounded memory: delays counted by the millisecond, and gaps. Pure."""

import re
from typing import Any, Final, NamedTuple

__all__ = ["TICK_MS", "Delays", "StreamSeen", "Tally", "Update", "read_update"]

# As services/market_data/streams/publisher.py: its ticks are whole tenths of a second.
TICK_MS: Final = 100
# What is later counts as so late.
_DELAY_MS_MAX: Final = 60_000
# The head of a message, as services/market_data/streams/messages.py writes it; the levels come behind it.
_HEAD_SIZE_BYTES_MAX: Final = 200
_UPDATE: Final = re.compile(rb'"e":"depthUpdate","E":(\d+),"s":"\w+","U":(\d+),"u":(\d+)')


class Update(NamedTuple):
    """Of a depth update: its time in ms since 1970, and its first and last id."""

    event_ms: int
    first: int
    last: int


def read_update(payload: bytes) -> Update | None:
    """Time and ids of a depth update; None for any other message."""
    found = _UPDATE.search(payload, 0, _HEAD_SIZE_BYTES_MAX)
    return None if found is None else Update(*map(int, found.groups()))


class Delays:
    """How many took how many milliseconds."""

    def __init__(self) -> None:
        # By the millisecond; open to who counts many in a row.
        self.counts = [0] * (_DELAY_MS_MAX + 1)

    def add(self, delay_ms: int) -> None:
        """One more; clocks of one machine do not go back, so less than nothing is nothing."""
        self.counts[min(_DELAY_MS_MAX, max(0, delay_ms))] += 1

    def figures(self) -> dict[str, int]:
        """p50, p95, p99 and the longest, in whole milliseconds, rounded up; 0 of none."""
        total, reached = sum(self.counts), 0
        wanted = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
        found = dict.fromkeys(wanted, 0)
        left = list(wanted) if total else []
        for delay_ms, count in enumerate(self.counts):
            reached += count
            while left and reached >= wanted[left[0]] * total:
                found[left.pop(0)] = delay_ms + 1
            if not left:
                break
        return found


class StreamSeen:
    """One market's stream. All its clients get the same bytes, which are parsed once."""

    def __init__(self) -> None:
        self.payload = b""
        self.update: Update | None = None
        self.newest: Update | None = None
        # How late the tick of `update` was.
        self.late_ms = 0


class Tally:
    """Of all watchers together."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count from zero."""
        self.messages = self.size_bytes = self.gaps = self.others = self.updates = 0
        # From the event's time to here, and from the tick that was due: a late tick stamps late events.
        self._since_event, self._since_due = Delays(), Delays()
        self._late_ticks = Delays()
        self._pause_ms_max = 0

    def take(self, stream: StreamSeen, last: int, payload: bytes, now_ms: int) -> int:
        """Count one message to a client whose last id was `last`, 0: none yet; returns its last id now.

        Tens of thousands a second come here.
        """
        self.messages += 1
        self.size_bytes += len(payload)
        if payload != stream.payload:
            self._read(stream, payload)
        update = stream.update
        if update is None:
            self.others += 1
            return last
        event_ms, first, now_last = update
        if last and first != last + 1:
            self.gaps += 1
        delay_ms = now_ms - event_ms
        if not 0 <= delay_ms <= _DELAY_MS_MAX - TICK_MS:
            delay_ms = min(_DELAY_MS_MAX - TICK_MS, max(0, delay_ms))
        self._since_event.counts[delay_ms] += 1
        self._since_due.counts[delay_ms + stream.late_ms] += 1
        return now_last

    def _read(self, stream: StreamSeen, payload: bytes) -> None:
        stream.payload, stream.update = payload, read_update(payload)
        update, newest = stream.update, stream.newest
        stream.late_ms = update.event_ms % TICK_MS if update is not None else 0
        # Clients that are a message apart take turns here: each update counts once.
        if update is None or (newest is not None and update.last <= newest.last):
            return
        stream.newest = update
        self.updates += 1
        self._late_ticks.add(update.event_ms % TICK_MS)
        if newest is not None:
            self._pause_ms_max = max(self._pause_ms_max, update.event_ms - newest.event_ms)

    def figures(self) -> dict[str, Any]:
        """All of it.

        `updates`: of all markets, however many got them; `pause_ms_max`: between two of a market.
        """
        return {
            "messages": self.messages,
            "size_bytes": self.size_bytes,
            "gaps": self.gaps,
            "others": self.others,
            **self._since_event.figures(),
            "since_due": self._since_due.figures(),
            "updates": self.updates,
            "late_ticks": self._late_ticks.figures(),
            "pause_ms_max": self._pause_ms_max,
        }
