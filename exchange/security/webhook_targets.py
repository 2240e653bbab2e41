"""Where a webhook may lead: to public addresses alone, never into the exchange's own network. Pure.

A name is no answer: whoever owns it lets it lead elsewhere a second later. So addresses are judged at each
connection, after the name was resolved, and the connection goes to the very address that was judged.
"""

import ipaddress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

__all__ = ["URL_LENGTH_MAX", "Target", "TargetRefusedError", "may_connect", "target_of"]

URL_LENGTH_MAX: Final = 500
# The ports of public services; on others people run what is not for everybody.
PORTS: Final = (443, 8443)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class TargetRefusedError(ValueError):
    """Nothing is sent there; says why, for its owner."""


class Target(NamedTuple):
    """A URL taken apart: what is resolved, and how it is spoken to."""

    host: str
    port: int
    is_tls: bool


def target_of(url: str, *, loopback: bool) -> Target:
    """Take a URL apart. `loopback`: this machine's own address too, also without TLS.

    Raises TargetRefusedError.
    """
    if len(url) > URL_LENGTH_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise TargetRefusedError(f"a URL has at most {URL_LENGTH_MAX} printable ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise TargetRefusedError("this is no URL") from None
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise TargetRefusedError("a URL here has neither a user nor a #")
    if not host:
        raise TargetRefusedError("this is no URL")
    is_here = loopback and _address(host) is not None and _address(host).is_loopback  # type: ignore[union-attr]
    if parts.scheme != "https" and not (is_here and parts.scheme == "http"):
        raise TargetRefusedError("only https is taken")
    port = port or (443 if parts.scheme == "https" else 80)
    if not is_here and port not in PORTS:
        raise TargetRefusedError(f"only the ports {' and '.join(map(str, PORTS))} are taken")
    if _address(host) is not None and not may_connect(host, loopback=loopback):
        raise TargetRefusedError("the address is not public")
    return Target(host, port, parts.scheme == "https")


def may_connect(address: str, *, loopback: bool) -> bool:
    """Whether an address is public; one that hides another inside counts as that one."""
    found = _address(address)
    if found is None:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        hidden = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if hidden is None and found in _NAT64:
            hidden = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if hidden is not None:
            return may_connect(str(hidden), loopback=loopback)
    if found.is_loopback:
        return loopback
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
