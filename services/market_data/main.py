"""The market-data service's process: `python -m services.market_data.main`."""

import sys

from exchange.adapters.chosen.resources import deployed_resources
from exchange.adapters.kafka.waiting import AwaitedBrokers
from exchange.http.server import serve
from exchange.process.config import Settings
from exchange.process.frame import run_process
from services.market_data.api import create_app
from services.market_data.component import MarketDataService

__all__ = ["main"]


async def main(settings: Settings) -> None:
    """Connect to Kafka, PostgreSQL and Redis, and serve until cancelled."""
    async with deployed_resources(settings) as resources:
        service = MarketDataService(resources)
        await serve(create_app(service), [AwaitedBrokers(settings), service], settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
