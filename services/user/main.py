"""The user service's process: `python -m services.user.main`."""

import sys

from exchange.adapters.deployed import deployed_resources
from exchange.config import Settings
from exchange.operations import add_exchange_readiness_route
from exchange.peers import PeerReadiness, parse_peers
from exchange.process import run_process, serve
from services.user.api import create_app
from services.user.component import UserService

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Connect to Kafka, PostgreSQL and Redis, and serve until cancelled; tell the readiness of all."""
    peers = PeerReadiness(parse_peers(settings.peer_urls))
    async with deployed_resources(settings) as resources:
        service = UserService(resources)
        app = create_app(service)
        add_exchange_readiness_route(app, peers.readiness)
        await serve(app, [peers, service], settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
