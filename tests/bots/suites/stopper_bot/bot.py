"""A bot on python-binance that sells out when the price falls: a stop that it watches itself, by stream.

The bot of an example suite (docs/bots.md).
"""

import asyncio
import time
import warnings
from typing import Any

with warnings.catch_warnings():
    # The client uses names of the websockets package that have newer ones.
    warnings.simplefilter("ignore", DeprecationWarning)
    from binance import BinanceSocketManager
    from binance.exceptions import BinanceAPIException

SYMBOL = "BTCUSDT"
TOO_MANY = -1003
CLOCK = -1021


class Stopper:
    """Sells `quantity` at the market as soon as a trade is at `stop` or below."""

    def __init__(self, client: Any, *, quantity: str, stop: float) -> None:
        self._client = client
        self._quantity, self._stop = quantity, stop
        self.watching = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        """Watch until it has sold; the order. A stream that ends is opened anew."""
        while True:
            try:
                async with BinanceSocketManager(self._client).trade_socket(SYMBOL) as stream:
                    self.watching.set()
                    while True:
                        message = await stream.recv()
                        if message.get("e") == "error":
                            break
                        if float(message["p"]) <= self._stop:
                            return await self._sell()
            except OSError:
                await asyncio.sleep(0.1)

    async def _sell(self) -> dict[str, Any]:
        while True:
            try:
                sold: dict[str, Any] = await self._client.order_market_sell(
                    symbol=SYMBOL, quantity=self._quantity
                )
                return sold
            except BinanceAPIException as error:
                if error.code == TOO_MANY:
                    await asyncio.sleep(int(error.response.headers["Retry-After"]))
                elif error.code == CLOCK:
                    server = (await self._client.get_server_time())["serverTime"]
                    self._client.timestamp_offset = server - int(time.time() * 1_000)
                else:
                    raise
