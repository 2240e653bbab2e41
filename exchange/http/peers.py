"""One answer for the whole exchange: the readiness of every service, as seen by one of them."""

import asyncio
from collections.abc import Mapping

import httpx

__all__ = ["PeerReadiness", "parse_peers"]

_EVERY_S = 1.0
_DEADLINE_S = 2.0


def parse_peers(text: str) -> dict[str, str]:
    """Read `name=url,name=url`. Raises ValueError."""
    peers: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, separator, url = part.partition("=")
        if not separator or not name or not url.startswith(("http://", "https://")):
            raise ValueError(f"no peer: {part!r}")
        peers[name] = url.rstrip("/")
    return peers


class PeerReadiness:
    """A component that asks each peer's /readyz once a second. `peers`: name -> base URL."""

    name = "peers"

    def __init__(self, peers: Mapping[str, str]) -> None:
        self._peers = dict(peers)
        self._problems: dict[str, str | None] = dict.fromkeys(peers, "not asked yet")
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Open the client."""
        self._client = httpx.AsyncClient(trust_env=False, timeout=_DEADLINE_S)

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.gather(*(self._ask(name, url) for name, url in self._peers.items()))
            await asyncio.sleep(_EVERY_S)

    async def stop(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.aclose()

    def readiness(self) -> Mapping[str, str | None]:
        """Peer name -> None, or what is wrong with it."""
        return dict(self._problems)

    async def _ask(self, name: str, url: str) -> None:
        assert self._client is not None, "start comes before run"
        try:
            answer = await self._client.get(f"{url}/readyz")
        except httpx.HTTPError as error:
            self._problems[name] = f"does not answer: {type(error).__name__}"
            return
        self._problems[name] = None if answer.status_code == 200 else answer.text[:500]
