"""The order service's process: `python -m services.order.main`."""

import sys

from exchange.adapters.chosen.resources import deployed_resources
from exchange.adapters.chosen.tracing import open_tracing
from exchange.adapters.kafka.waiting import AwaitedBrokers
from exchange.http.server import serve
from exchange.process.config import Settings
from exchange.process.frame import run_process
from exchange.security.credentials import PostgresCredentials
from services.order.api import create_app
from services.order.component import OrderService

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Connect to Kafka, PostgreSQL and Redis, and serve until cancelled."""
    async with open_tracing(settings, "order") as tracing, deployed_resources(settings) as resources:
        credentials = PostgresCredentials.from_resources(resources)
        service = OrderService(resources, credentials, tracing=tracing)
        await serve(
            create_app(service),
            [AwaitedBrokers(settings), credentials, service],
            settings,
            service.rest.direct(),
        )


if __name__ == "__main__":
    sys.exit(run_process(main))
