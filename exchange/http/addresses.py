"""Who is behind an address, as far as counting tries, requests and connections goes."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

__all__ = ["Owner", "owner_of", "owner_with_network"]

# A provider hands a whole /48 to any customer, who could pose as 65,536 owners (each /64 is one). This many
# owners of a /48 are counted apart at once, all others of it together.
OWNERS_OF_V6_NETWORK_MAX: Final = 64
# All of a /16: a mobile provider really has that many customers there, so their number alone proves nothing.
OWNERS_OF_V4_NETWORK_MAX: Final = 65_536


class Owner(NamedTuple):
    """`name`: what is counted; `network`: what is counted in its place where there is no room for it.

    At most `siblings_max` names of one network are counted apart.
    """

    name: str
    network: str
    siblings_max: int


@lru_cache(maxsize=10_000)
def owner_with_network(address: str) -> Owner:
    """An IPv4 address within its /16, the /64 that one owner of IPv6 has at the least within its /48.

    Other text as it is.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return Owner(address, "no address", 1)
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            # Not by way of IPv6Network: a flood of addresses comes here with each request.
            packed = parsed.packed
            name, network = (
                f"{IPv6Address(packed[:8] + bytes(8))}/64",
                f"{IPv6Address(packed[:6] + bytes(10))}/48",
            )
            return Owner(name, network, OWNERS_OF_V6_NETWORK_MAX)
        parsed = parsed.ipv4_mapped
    return Owner(str(parsed), f"{parsed.packed[0]}.{parsed.packed[1]}.0.0/16", OWNERS_OF_V4_NETWORK_MAX)


def owner_of(address: str) -> str:
    """The name of whom an address belongs to."""
    return owner_with_network(address).name
