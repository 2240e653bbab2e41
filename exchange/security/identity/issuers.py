"""Which issuers of tokens the settings believe, and where their keys are."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from exchange.process.config import SettingsError

__all__ = ["parse_issuers"]

_WELL_KNOWN: Final = "/.well-known/jwks.json"


def parse_issuers(text: str) -> dict[str, str]:
    """Read `issuer,issuer=jwks_url,...` into issuer -> address of its keys. Raises SettingsError.

    An issuer is compared with a token's `iss` letter by letter. Plain HTTP is for this machine alone.
    """
    issuers: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        issuer, _, url = part.partition("=")
        url = url or issuer.rstrip("/") + _WELL_KNOWN
        for address in (issuer, url):
            if not _is_safe(address):
                raise SettingsError(f"issuer of tokens: {address!r} must be a plain https URL")
        issuers[issuer] = url
    return issuers


def _is_safe(address: str) -> bool:
    try:
        url = urlsplit(address)
        host = url.hostname
        is_plain = not (url.query or url.fragment or url.username or url.password) and url.port != 0
        # A bar would let two identities be one text (`owner_of`).
        is_plain = is_plain and "|" not in address
    except ValueError:
        return False
    if host is None or not is_plain:
        return False
    return url.scheme == "https" or (url.scheme == "http" and _is_this_machine(host))


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
