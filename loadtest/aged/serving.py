"""One service in a process of its own, over logs in files: `python -m loadtest.aged.serving order`.

As deployed but for the logs, of which each process has a copy: nothing is traded, so they never differ.
"""

import contextlib
import sys
from collections.abc import AsyncIterator

from fastapi import FastAPI

from exchange.adapters.files.key import FileKeyWrapper
from exchange.adapters.files.log import FileLog
from exchange.adapters.postgres.pool import close_pool, open_keys_pool, open_pool
from exchange.adapters.redis.client import open_cache
from exchange.http.server import serve
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from exchange.process.frame import run_process

__all__ = ["main"]


@contextlib.asynccontextmanager
async def _resources(settings: Settings) -> AsyncIterator[Resources]:
    async with contextlib.AsyncExitStack() as stack:
        folder = settings.data_dir / "log"
        command_log = await FileLog.open(folder / "commands.log", settings.log_deadline_ms)
        stack.push_async_callback(command_log.close)
        event_log = await FileLog.open(folder / "events.log", settings.log_deadline_ms)
        stack.push_async_callback(event_log.close)
        database, keys = await open_pool(settings), await open_keys_pool(settings)
        for pool in (database, keys):
            stack.push_async_callback(close_pool, pool, settings.database_deadline_ms)
        cache = open_cache(settings)
        stack.push_async_callback(cache.aclose)
        wrapper = FileKeyWrapper(settings.secret_key_file)
        yield Resources(settings, command_log, event_log, database, cache, wrapper, database_keys=keys)


def _made(service: str, resources: Resources) -> tuple[FastAPI, list[Component]]:
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
    async with _resources(settings) as resources:
        app, components = _made(sys.argv[1], resources)
        await serve(app, components, settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
