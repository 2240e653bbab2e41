"""The user service's process: `python -m services.user.main`."""

import sys

from exchange.adapters.chosen.resources import deployed_resources
from exchange.adapters.kafka.waiting import AwaitedBrokers
from exchange.http.operations import add_exchange_readiness_route
from exchange.http.peers import PeerReadiness, parse_peers
from exchange.http.server import serve
from exchange.process.components import Component
from exchange.process.config import Settings
from exchange.process.frame import run_process
from services.operator.admin import AdminApi
from services.operator.anomalies.acts import AnomalyActs
from services.operator.markets.daily import DailyTierCount
from services.user.api import create_app
from services.user.component import UserService

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Connect to Kafka, PostgreSQL and Redis, and serve until cancelled; tell the readiness of all."""
    peers = PeerReadiness(parse_peers(settings.peer_urls))
    async with deployed_resources(settings) as resources:
        service = UserService(resources)
        app = create_app(service)
        # Beside the service, not in it: operators' orders are another room's, and this process has the path.
        add_exchange_readiness_route(app, peers.readiness)
        parts: list[Component] = [
            peers,
            AwaitedBrokers(settings),
            service,
            DailyTierCount(resources),
            AnomalyActs(resources),
        ]
        await serve(AdminApi(app, resources, peers.readiness), parts, settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
