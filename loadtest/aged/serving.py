"""One service in a process of its own, over logs in files: `python -m loadtest.aged.serving order`.

As deployed but for the logs, of which each process has a copy: nothing is traded, so they never differ.
"""

import sys

from starlette.applications import Starlette

from exchange.adapters.chosen.own_logs import file_logs, own_log_resources
from exchange.http.server import serve
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from exchange.process.frame import run_process

__all__ = ["main"]


def _made(service: str, resources: Resources) -> tuple[Starlette, list[Component]]:
    if service == "order":
        from exchange.security.credentials import PostgresCredentials
        from services.order.api import create_app as create_order_app
        from services.order.component import OrderService

        credentials = PostgresCredentials.from_resources(resources)
        order = OrderService(resources, credentials)
        return create_order_app(order), [credentials, order]
    if service == "user":
        from services.user.api import create_app as create_user_app
        from services.user.component import UserService

        user = UserService(resources)
        return create_user_app(user), [user]
    from services.market_data.api import create_app as create_market_data_app
    from services.market_data.component import MarketDataService

    market_data = MarketDataService(resources)
    return create_market_data_app(market_data), [market_data]


async def main(settings: Settings) -> None:
    """Serve until cancelled."""
    async with (
        file_logs(settings) as logs,
        own_log_resources(settings, *logs) as resources,
    ):
        app, components = _made(sys.argv[1], resources)
        await serve(app, components, settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
