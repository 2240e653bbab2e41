"""What each address and each account has used of what they may use, and what they are refused for it.

Rules: binance-spot-api section 1. Request weight counts by address (an IPv6 /64 is one) and orders by
account, in windows aligned to the clock. Who has used up his window is refused until the next one (429); an
address that goes on all the same is banned for longer and longer (418).

Every process counts what it sees itself. What the others saw comes by `exchange.http.usage_sharing`, about a
second late, so that a limit holds over all processes together and not for each.

Pure: the clock is handed in.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, NamedTuple

from exchange.contracts.errors import banned, too_many_orders, too_much_weight
from exchange.http.addresses import owner_of

__all__ = ["LIMITS", "Limit", "RequestLimits", "Window"]

Network = IPv4Network | IPv6Network

KEYS_MAX: Final = 100_000
# An address is banned when it has asked for so many times what it may in one window.
_BAN_FACTOR: Final = 2
_BAN_MS: Final = 120_000
_BAN_MS_MAX: Final = 3 * 86_400_000


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


WEIGHT: Final = Limit("REQUEST_WEIGHT", "MINUTE", 1, 60_000, 6_000)
ORDERS_10S: Final = Limit("ORDERS", "SECOND", 10, 10_000, 100)
ORDERS_DAY: Final = Limit("ORDERS", "DAY", 1, 86_400_000, 200_000)
RAW_REQUESTS: Final = Limit("RAW_REQUESTS", "MINUTE", 5, 300_000, 61_000)
LIMITS: Final = (WEIGHT, ORDERS_10S, ORDERS_DAY, RAW_REQUESTS)


class Window:
    """Counts against one limit by key; all is forgotten when the next window begins."""

    def __init__(self, limit: Limit, clock_ms: Callable[[], int]) -> None:
        self.limit = limit
        self._clock_ms = clock_ms
        self._number = -1
        self._used: dict[str, int] = {}
        self._unshared: dict[str, int] = {}

    def add(self, key: str, count: int) -> int:
        """Count, and return what the key has used in this window. Keys beyond a bound are not counted."""
        self._turn()
        used = self._used.get(key)
        if used is None and len(self._used) >= KEYS_MAX:
            return count
        self._used[key] = total = (used or 0) + count
        self._unshared[key] = self._unshared.get(key, 0) + count
        return total

    def used(self, key: str) -> int:
        """What the key has used in this window."""
        self._turn()
        return self._used.get(key, 0)

    def wait_ms(self) -> tuple[int, int]:
        """Now, and when the next window begins, in ms since 1970."""
        now_ms, length_ms = self._clock_ms(), self.limit.length_ms
        return now_ms, (now_ms // length_ms + 1) * length_ms

    def take_unshared(self, keys_max: int) -> tuple[int, dict[str, int]]:
        """The window's number, and what was counted here since the last call for at most `keys_max` keys."""
        self._turn()
        keys = list(self._unshared)[:keys_max]
        return self._number, {key: self._unshared.pop(key) for key in keys}

    def learn(self, number: int, totals: Mapping[str, int]) -> None:
        """Take what all processes together have counted in window `number`."""
        self._turn()
        if number != self._number:
            return
        for key, total in totals.items():
            if key in self._used:
                self._used[key] = total + self._unshared.get(key, 0)

    def _turn(self) -> None:
        number = self._clock_ms() // self.limit.length_ms
        if number != self._number:
            self._number = number
            self._used.clear()
            self._unshared.clear()


class _Ban(NamedTuple):
    until_ms: int
    length_ms: int


class RequestLimits:
    """The counters of a process. `is_enforced` false: they count, and nobody is refused.

    Addresses within `exempt` are not counted: other parts of the exchange.
    """

    def __init__(
        self, clock_ms: Callable[[], int], *, is_enforced: bool, exempt: tuple[Network, ...] = ()
    ) -> None:
        self._clock_ms = clock_ms
        self._is_enforced = is_enforced
        self._exempt = exempt
        self._weight = Window(WEIGHT, clock_ms)
        self._orders = (Window(ORDERS_10S, clock_ms), Window(ORDERS_DAY, clock_ms))
        self._bans: OrderedDict[str, _Ban] = OrderedDict()
        self.windows = (self._weight, *self._orders)

    def admit(self, address: str) -> None:
        """Call before a request is served. Raises LimitError -1003 with 429, or 418 for a ban."""
        if not self._is_enforced:
            return
        address = owner_of(address)
        ban = self._bans.get(address)
        now_ms = self._clock_ms()
        if ban is not None and now_ms < ban.until_ms:
            raise banned((now_ms, ban.until_ms))
        used, most = self._weight.used(address), WEIGHT.most
        if used >= _BAN_FACTOR * most:
            raise banned((now_ms, self._ban(address, ban, now_ms)))
        if used >= most:
            raise too_much_weight(most, WEIGHT.interval_text, self._weight.wait_ms())

    def add_weight(self, address: str, weight: int) -> int:
        """Count a request, also one that was refused; return what the address has used in this minute."""
        if self._exempt and self._is_exempt(address):
            return 0
        return self._weight.add(owner_of(address), weight)

    def admit_orders(self, user_id: int, count: int) -> None:
        """Call before orders are placed. Raises LimitError -1015."""
        if not self._is_enforced:
            return
        for window in self._orders:
            limit = window.limit
            if window.used(str(user_id)) + count > limit.most:
                raise too_many_orders(limit.most, limit.interval_text, window.wait_ms())

    def add_orders(self, user_id: int, count: int) -> tuple[int, int]:
        """Count placed orders; return the account's orders in these 10 s and this day."""
        ten_seconds, day = self._orders
        return ten_seconds.add(str(user_id), count), day.add(str(user_id), count)

    def order_limits(self, user_id: int) -> list[dict[str, object]]:
        """GET /rateLimit/order."""
        return [window.limit.shape() | {"count": window.used(str(user_id))} for window in self._orders]

    def weight_limit(self, address: str) -> dict[str, object]:
        """The address's request weight, as replies of the WebSocket API show it."""
        return WEIGHT.shape() | {"count": self._weight.used(owner_of(address))}

    def _ban(self, address: str, last: _Ban | None, now_ms: int) -> int:
        """Ban the address, twice as long as the last time; return until when."""
        length_ms = _BAN_MS if last is None else min(_BAN_MS_MAX, 2 * last.length_ms)
        self._bans[address] = ban = _Ban(now_ms + length_ms, length_ms)
        self._bans.move_to_end(address)
        if len(self._bans) > KEYS_MAX:
            self._bans.popitem(last=False)
        return ban.until_ms

    def _is_exempt(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._exempt)
