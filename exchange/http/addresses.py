"""Who is behind an address, as far as counting tries and requests goes."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

__all__ = ["owner_of"]


@lru_cache(maxsize=10_000)
def owner_of(address: str) -> str:
    """An IPv4 address, or the /64 that one owner of IPv6 has at the least; other text as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Network((parsed, 64), strict=False))
    return str(parsed)
