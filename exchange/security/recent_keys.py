"""What a process remembers of the keys that it looked up: bounded in number and in time."""

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

__all__ = ["ApiKey", "RecentKey", "RecentKeys"]


@dataclass(frozen=True)
class ApiKey:
    """One valid API key.

    `kind` is HMAC (then `secret` holds what signs) or ED25519 (then `public_key_pem`).
    `permissions` are of READ, TRADE, WITHDRAW. `ip_allow_list` holds addresses and networks in CIDR
    form; empty means everywhere.
    """

    api_key: str
    user_id: int
    kind: str
    secret: bytes | None = field(repr=False)
    public_key_pem: str | None
    permissions: frozenset[str]
    ip_allow_list: tuple[str, ...]

    def allows_ip(self, address: str) -> bool:
        """Whether a request from `address` may use this key. Text that is no address never may."""
        if not self.ip_allow_list:
            return True
        try:
            caller = ip_address(address)
        except ValueError:
            return False
        # A socket open to both families shows IPv4 callers as ::ffff:a.b.c.d.
        if isinstance(caller, IPv6Address) and caller.ipv4_mapped is not None:
            caller = caller.ipv4_mapped
        return any(caller in ip_network(allowed) for allowed in self.ip_allow_list)


class RecentKey(NamedTuple):
    """What a look-up found that began at `read_s`, in seconds of a clock that only goes forward."""

    read_s: float
    key: ApiKey | None


class RecentKeys:
    """Forgets the least recently used entry beyond `entries_max`, and each that is `lifetime_s` old."""

    def __init__(self, entries_max: int, lifetime_s: float) -> None:
        self._entries_max = entries_max
        self._lifetime_s = lifetime_s
        self._entries: OrderedDict[bytes, RecentKey] = OrderedDict()

    def get(self, key_hash: bytes, now_s: float) -> RecentKey | None:
        """The entry, as the one that was used last from now on."""
        entry = self._entries.get(key_hash)
        if entry is None:
            return None
        if now_s - entry.read_s >= self._lifetime_s:
            del self._entries[key_hash]
            return None
        self._entries.move_to_end(key_hash)
        return entry

    def put(self, key_hash: bytes, key: ApiKey | None, read_s: float) -> None:
        """Remember what a look-up found that began at `read_s`."""
        self._entries[key_hash] = RecentKey(read_s, key)
        self._entries.move_to_end(key_hash)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    def forget(self, key_hash: bytes) -> None:
        """No entry of that name."""
        self._entries.pop(key_hash, None)

    def clear(self) -> None:
        """No entries at all."""
        self._entries.clear()
