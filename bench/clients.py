"""The clients that bots are written with, pointed at the bench: one call each.

None of them is imported before it is asked for. What they take is the README's "Other clients".
"""

from typing import Any

from bench.account import Account

__all__ = ["Clients"]


class Clients:
    """By the name of the client. Without an account: public data alone."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._websocket = url.replace("http", "ws", 1)

    def ccxt_config(self, account: Account | None = None) -> dict[str, Any]:
        """What `ccxt.binance(...)` and `ccxt.pro.binance(...)` want; freqtrade's `ccxt_config` too."""
        config: dict[str, Any] = {
            "urls": {
                "api": {
                    "public": f"{self._url}/api/v3",
                    "private": f"{self._url}/api/v3",
                    "sapi": f"{self._url}/sapi/v1",
                    "ws": {
                        "spot": f"{self._websocket}/ws",
                        "ws-api": {"spot": f"{self._websocket}/ws-api/v3"},
                    },
                }
            },
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False, "fetchCurrencies": False},
        }
        if account is not None:
            config |= {"apiKey": account.api_key, "secret": account.secret_key}
        return config

    def ccxt(self, account: Account | None = None) -> Any:
        """A `ccxt.binance`."""
        import ccxt

        return ccxt.binance(self.ccxt_config(account))

    def ccxt_pro(self, account: Account | None = None) -> Any:
        """A `ccxt.pro.binance`: REST by async calls, and streams."""
        import ccxt.pro

        return ccxt.pro.binance(self.ccxt_config(account))

    def patch_python_binance(self) -> None:
        """Point python-binance here: it has class attributes for that, and no arguments."""
        from binance import BinanceSocketManager
        from binance.base_client import BaseClient

        BaseClient.API_URL = f"{self._url}/api"
        BaseClient.MARGIN_API_URL = f"{self._url}/sapi"
        BaseClient.WS_API_URL = f"{self._websocket}/ws-api/v3"
        BinanceSocketManager.STREAM_URL = f"{self._websocket}/"

    def python_binance(self, account: Account | None = None) -> Any:
        """A `binance.Client`."""
        from binance import Client

        self.patch_python_binance()
        return Client(*_pair(account))

    async def python_binance_async(self, account: Account | None = None) -> Any:
        """A `binance.AsyncClient`; close it with `close_connection`."""
        from binance import AsyncClient

        self.patch_python_binance()
        return await AsyncClient.create(*_pair(account))

    def binance_sdk_spot(self, account: Account | None = None) -> Any:
        """A `binance_sdk_spot` client: `.rest_api`, `.websocket_api`, `.websocket_streams`."""
        from binance_common.configuration import (
            ConfigurationRestAPI,
            ConfigurationWebSocketAPI,
            ConfigurationWebSocketStreams,
        )
        from binance_sdk_spot.spot import Spot

        key, secret = _pair(account)
        return Spot(
            config_rest_api=ConfigurationRestAPI(api_key=key, api_secret=secret, base_path=self._url),
            config_ws_api=ConfigurationWebSocketAPI(
                api_key=key, api_secret=secret, stream_url=f"{self._websocket}/ws-api/v3"
            ),
            config_ws_streams=ConfigurationWebSocketStreams(stream_url=self._websocket),
        )

    def binance_connector(self, account: Account | None = None) -> Any:
        """A `binance.spot.Spot` of binance-connector, which is not to be had beside python-binance."""
        from binance.spot import Spot

        key, secret = _pair(account)
        return Spot(api_key=key, api_secret=secret, base_url=self._url)


def _pair(account: Account | None) -> tuple[str, str]:
    return ("", "") if account is None else (account.api_key, account.secret_key)
