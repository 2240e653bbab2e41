"""What each address and each account has used of what they may use, and what they are refused for it.

Rules: binance-spot-api section 1. Request weight, requests and connections count by address (an IPv6 /64 is
one, and a /48 where it has too many of them) and orders by account, in windows aligned to the clock. Who has
used up his window is refused until the next one (429); an address that goes on all the same is banned for
longer and longer (418).

Every process counts what it sees itself, in one place for all of its services. What the others saw comes
by `exchange.http.usage_sharing`, about a second late, so that a limit holds over all processes together.

The clock is handed in.
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, NamedTuple, Self

from prometheus_client import Counter

from exchange.contracts.errors import banned, too_many_orders, too_many_requests, too_much_weight
from exchange.http.addresses import Owner, owner_with_network
from exchange.http.windows import KEYS_MAX, Limit, Window
from exchange.process.config import Settings

__all__ = ["LIMITS", "OrderPlaces", "RequestLimits"]

logger = logging.getLogger(__name__)
Network = IPv4Network | IPv6Network
_refused: Final = Counter(
    "exchange_requests_refused_total", "Requests refused because their sender has sent too many", ["limit"]
)
_refused_ban, _refused_weight, _refused_requests, _refused_orders = (
    _refused.labels(limit) for limit in ("ban", "weight", "requests", "orders")
)

# An address is banned when it has asked for so many times what it may in one window.
_BAN_FACTOR: Final = 2
_BAN_MS: Final = 120_000
_BAN_MS_MAX: Final = 3 * 86_400_000
BANS_MAX: Final = 2 * KEYS_MAX
# Accounts that place orders within one day and are counted apart; those beyond share this many counts.
ACCOUNTS_MAX: Final = 500_000
_ACCOUNT_GROUPS: Final = 1_024
# Accounts whose two names are remembered: each order asks for them five times.
_ACCOUNTS_KNOWN_MAX: Final = 10_000
# Addresses of which it is remembered whether they are exempt.
_EXEMPT_KNOWN_MAX: Final = 10_000

WEIGHT: Final = Limit("REQUEST_WEIGHT", "MINUTE", 1, 60_000, 6_000)
ORDERS_10S: Final = Limit("ORDERS", "SECOND", 10, 10_000, 100)
ORDERS_DAY: Final = Limit("ORDERS", "DAY", 1, 86_400_000, 200_000)
RAW_REQUESTS: Final = Limit("RAW_REQUESTS", "MINUTE", 5, 300_000, 300_000)
LIMITS: Final = (WEIGHT, ORDERS_10S, ORDERS_DAY, RAW_REQUESTS)


class _Ban(NamedTuple):
    until_ms: int
    length_ms: int


class OrderPlaces:
    """Places in an account's order counts, taken before the orders are sent.

    They stay taken whatever becomes of the orders, also when nobody waits for the answer any more: a caller
    that goes away changes nothing. Fills lower the counts by `RequestLimits.give_back_orders`.
    """

    __slots__ = ("_count", "_numbers", "_owner", "_windows")

    def __init__(self, windows: tuple[Window, ...], now_ms: int, owner: Owner, count: int) -> None:
        self._windows = windows
        self._owner = owner
        self._count = count
        self._numbers = [window.take_at(now_ms, owner, count) for window in windows]

    def give_back(self) -> None:
        """Nothing was sent to the engine: let others have them. A second call does nothing."""
        for window, number in zip(self._windows, self._numbers, strict=True):
            window.take_back(number, self._owner, self._count)
        self._count = 0


class RequestLimits:
    """The counters of a process. `is_enforced` false: they count, and nobody is refused.

    Addresses within `exempt` are not counted: other parts of the exchange.
    """

    def __init__(
        self, clock_ms: Callable[[], int], *, is_enforced: bool, exempt: tuple[Network, ...] = ()
    ) -> None:
        self._clock_ms = clock_ms
        self.is_enforced = is_enforced
        self._exempt = exempt
        # Asked three times a request, and reading an address costs as much as a signature.
        self._is_exempt = lru_cache(maxsize=_EXEMPT_KNOWN_MAX)(self._look_whether_exempt)
        self._weight = Window(WEIGHT, clock_ms)
        self._requests = Window(RAW_REQUESTS, clock_ms)
        self._orders = tuple(Window(limit, clock_ms, ACCOUNTS_MAX) for limit in (ORDERS_10S, ORDERS_DAY))
        self._bans: dict[str, _Ban] = {}
        self.windows = (self._weight, self._requests, *self._orders)

    @classmethod
    def from_settings(cls, settings: Settings, clock_ms: Callable[[], int]) -> Self:
        """As the process's settings say. One is enough for all services of a process."""
        return cls(clock_ms, is_enforced=settings.request_limits, exempt=settings.request_limits_exempt)

    def admit(self, address: str) -> None:
        """Call before a request is served. Raises LimitError -1003 with 429, or 418 for a ban."""
        if not self.is_enforced or self.is_exempt(address):
            return
        owner = owner_with_network(address)
        now_ms = self._clock_ms()
        ban = self._bans.get(owner.name) or self._bans.get(owner.network)
        if ban is not None and now_ms < ban.until_ms:
            _refused_ban.inc()
            raise banned((now_ms, ban.until_ms))
        used, most = self._weight.used_at(now_ms, owner), WEIGHT.most
        if used >= _BAN_FACTOR * most:
            _refused_ban.inc()
            raise banned((now_ms, self._ban(owner, ban, now_ms)))
        if used >= most:
            _refused_weight.inc()
            raise too_much_weight(most, WEIGHT.interval_text, self._weight.wait_ms())
        if self._requests.add_at(now_ms, owner, 1) > RAW_REQUESTS.most:
            _refused_requests.inc()
            raise too_many_requests(
                "requests", RAW_REQUESTS.most, RAW_REQUESTS.interval_text, self._requests.wait_ms()
            )

    def add_weight(self, address: str, weight: int) -> int:
        """Count a request, also one that was refused; return what the address has used in this minute."""
        if self.is_exempt(address):
            return 0
        return self._weight.add(owner_with_network(address), weight)

    def reserve_orders(self, user_id: int, count: int) -> OrderPlaces:
        """Take places for orders before they are sent. Raises LimitError -1015, and then takes none."""
        owner, now_ms = _account(user_id), self._clock_ms()
        if self.is_enforced:
            for window in self._orders:
                limit = window.limit
                if window.used_at(now_ms, owner) + count > limit.most:
                    _refused_orders.inc()
                    raise too_many_orders(limit.most, limit.interval_text, window.wait_ms())
        return OrderPlaces(self._orders, now_ms, owner, count)

    def give_back_orders(self, user_id: int, count: int) -> None:
        """An order was filled: lower the account's counts of these 10 s and this day."""
        owner, now_ms = _account(user_id), self._clock_ms()
        for window in self._orders:
            window.lower_at(now_ms, owner, count)

    def order_counts(self, user_id: int) -> tuple[int, int]:
        """The account's orders in these 10 s and this day."""
        owner, now_ms, (ten_seconds, day) = _account(user_id), self._clock_ms(), self._orders
        return ten_seconds.used_at(now_ms, owner), day.used_at(now_ms, owner)

    def order_limits(self, user_id: int) -> list[dict[str, object]]:
        """GET /rateLimit/order."""
        owner = _account(user_id)
        return [window.limit.shape() | {"count": window.used(owner)} for window in self._orders]

    def weight_limit(self, address: str) -> dict[str, object]:
        """The address's request weight, as replies of the WebSocket API show it."""
        return WEIGHT.shape() | {"count": self._weight.used(owner_with_network(address))}

    def is_exempt(self, address: str) -> bool:
        """Whether an address is a part of the exchange."""
        return bool(self._exempt) and self._is_exempt(address)

    def _look_whether_exempt(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._exempt)

    def _ban(self, owner: Owner, last: _Ban | None, now_ms: int) -> int:
        """Ban the owner, twice as long as the last time; return until when.

        A ban that lasts is never given up for another's: without room, the whole network is banned.
        """
        length_ms = _BAN_MS if last is None else min(_BAN_MS_MAX, 2 * last.length_ms)
        ban = _Ban(now_ms + length_ms, length_ms)
        if owner.name not in self._bans and len(self._bans) >= BANS_MAX:
            self._bans = {name: kept for name, kept in self._bans.items() if now_ms < kept.until_ms}
        name = owner.name if len(self._bans) < BANS_MAX else owner.network
        self._bans[name] = ban
        logger.warning("%s is banned for %d s: it went on after it was refused", name, length_ms // 1_000)
        return ban.until_ms


@lru_cache(maxsize=_ACCOUNTS_KNOWN_MAX)
def _account(user_id: int) -> Owner:
    return Owner(str(user_id), f"accounts {user_id % _ACCOUNT_GROUPS}", ACCOUNTS_MAX)
