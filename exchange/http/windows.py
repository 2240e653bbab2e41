"""Counts of who has used how much, in windows of time aligned to the clock (binance-spot-api section 1).

A window keeps a bounded number of names. Who comes when there is no room is counted together with his whole
network, against the same limit: a limit never ends because a table is full, and nobody's count is forgotten
before the window is over. Pure: the clock is handed in.
"""

from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Final, NamedTuple

from exchange.http.addresses import Owner

__all__ = ["KEYS_MAX", "NETWORKS_MAX", "Limit", "Window"]

# Names in one window, of IPv4 and of IPv6 each: whoever owns much of the one takes no room from the other.
KEYS_MAX: Final = 50_000
# Networks that are counted as one beside them, of each kind; as many as there are /16 of IPv4.
NETWORKS_MAX: Final = 65_536
# For whom there is no room even so.
_OTHERS: Final = "others"


class Limit(NamedTuple):
    """At most `most` of something within `interval_count` intervals."""

    kind: str
    interval: str
    interval_count: int
    length_ms: int
    most: int

    @property
    def name(self) -> str:
        """Unlike that of any other limit."""
        return f"{self.kind}-{self.interval_count}-{self.interval}"

    @property
    def interval_text(self) -> str:
        """As the texts of errors have it."""
        return f"{self.interval_count} {self.interval}"

    def shape(self) -> dict[str, object]:
        """An element of `rateLimits`."""
        return {
            "rateLimitType": self.kind,
            "interval": self.interval,
            "intervalNum": self.interval_count,
            "limit": self.most,
        }


class Window:
    """Counts against one limit by owner; all is forgotten when the next window begins."""

    def __init__(self, limit: Limit, clock_ms: Callable[[], int], keys_max: int = KEYS_MAX) -> None:
        self.limit = limit
        self._clock_ms = clock_ms
        self._keys_max = keys_max
        self._number = -1
        self._begins_ms = self._ends_ms = 0
        self._used: dict[str, int] = {}
        self._unshared: dict[str, int] = {}
        # All keys, those first that were not looked up for longest.
        self._in_turn: deque[str] = deque()
        # How many names are counted apart: in each network, and of each kind of address (True: IPv6); and how
        # many networks of each kind are counted.
        self._siblings: dict[str, int] = {}
        self._names = {False: 0, True: 0}
        self._networks = {False: 0, True: 0}

    def add(self, owner: Owner, count: int) -> int:
        """Count, and return what the owner has used in this window, alone or with his network."""
        return self.add_at(self._clock_ms(), owner, count)

    def add_at(self, now_ms: int, owner: Owner, count: int) -> int:
        """As `add`, for who asks several windows and looks at the clock once."""
        if not self._begins_ms <= now_ms < self._ends_ms:
            self._begin(now_ms)
        key, used = owner.name, self._used
        total = used.get(key)
        if total is None:
            key = self._key(owner)
            total = used.get(key)
            if total is None:
                self._take_room(owner, key)
                total = 0
        used[key] = total = total + count
        self._unshared[key] = self._unshared.get(key, 0) + count
        return total

    def take_at(self, now_ms: int, owner: Owner, count: int) -> int:
        """As `add_at`; returns the window's number: what it has counted can be taken back from it alone."""
        self.add_at(now_ms, owner, count)
        return self._number

    def take_back(self, number: int, owner: Owner, count: int) -> None:
        """Undo an `add` of window `number`; what a window that is over has counted is forgotten already."""
        self._turn()
        key = self._key(owner)
        if number == self._number and key in self._used:
            self._used[key] -= count
            self._unshared[key] = self._unshared.get(key, 0) - count

    def lower_at(self, now_ms: int, owner: Owner, count: int) -> None:
        """Count less in the present window, whenever it was that it was counted; never below nothing."""
        if not self._begins_ms <= now_ms < self._ends_ms:
            self._begin(now_ms)
        key = self._key(owner)
        count = min(count, self._used.get(key, 0))
        if count > 0:
            self._used[key] -= count
            self._unshared[key] = self._unshared.get(key, 0) - count

    def used(self, owner: Owner) -> int:
        """What the owner has used in this window, alone or with his network."""
        return self.used_at(self._clock_ms(), owner)

    def used_at(self, now_ms: int, owner: Owner) -> int:
        """As `used`."""
        if not self._begins_ms <= now_ms < self._ends_ms:
            self._begin(now_ms)
        used = self._used.get(owner.name)
        return self._used.get(self._key(owner), 0) if used is None else used

    def wait_ms(self) -> tuple[int, int]:
        """Now, and when the next window begins, in ms since 1970."""
        now_ms, length_ms = self._clock_ms(), self.limit.length_ms
        return now_ms, (now_ms // length_ms + 1) * length_ms

    def take_unshared(self, keys_max: int) -> tuple[int, dict[str, int]]:
        """The window's number, and what was counted here since the last call for at most `keys_max` keys."""
        self._turn()
        keys = list(islice(self._unshared, keys_max))
        return self._number, {key: self._unshared.pop(key) for key in keys}

    def take_turns(self, keys_max: int) -> tuple[int, list[str]]:
        """The window's number, and the keys counted here whose turn it is to be looked up elsewhere."""
        self._turn()
        keys = list(islice(self._in_turn, keys_max))
        self._in_turn.rotate(-len(keys))
        return self._number, keys

    def learn(self, number: int, totals: Mapping[str, int]) -> None:
        """Take what all processes together have counted in window `number`."""
        self._turn()
        if number != self._number:
            return
        for key, total in totals.items():
            if key in self._used:
                # Two processes may have lowered the same count to nothing before they heard of each other.
                self._used[key] = max(0, total + self._unshared.get(key, 0))

    def _key(self, owner: Owner) -> str:
        """Under what the owner is counted: once he has a place of his own, he keeps it."""
        used = self._used
        if owner.name in used:
            return owner.name
        kind = ":" in owner.name
        siblings = self._siblings.get(owner.network, 0)
        if siblings < owner.siblings_max and self._names[kind] < self._keys_max:
            return owner.name
        if owner.network in used or self._networks[kind] < NETWORKS_MAX:
            return owner.network
        return _OTHERS

    def _take_room(self, owner: Owner, key: str) -> None:
        self._in_turn.append(key)
        kind = ":" in owner.name
        if key == owner.name:
            self._names[kind] += 1
            self._siblings[owner.network] = self._siblings.get(owner.network, 0) + 1
        elif key == owner.network:
            self._networks[kind] += 1

    def _turn(self) -> None:
        now_ms = self._clock_ms()
        if not self._begins_ms <= now_ms < self._ends_ms:
            self._begin(now_ms)

    def _begin(self, now_ms: int) -> None:
        """Forget all: another window than the last one, be it an earlier one by a clock that was put back."""
        self._number = now_ms // self.limit.length_ms
        self._begins_ms = self._number * self.limit.length_ms
        self._ends_ms = self._begins_ms + self.limit.length_ms
        self._used.clear()
        self._unshared.clear()
        self._in_turn.clear()
        self._siblings.clear()
        self._names = {False: 0, True: 0}
        self._networks = {False: 0, True: 0}
