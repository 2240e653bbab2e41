"""Buys once, and sells as soon as that has earned two per cent: a strategy of freqtrade."""

from typing import Any, ClassVar

from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy


class BuyAndTakeProfit(IStrategy):
    """No indicators: what is tried here is the exchange below it."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    minimal_roi: ClassVar = {"0": 0.02}
    stoploss = -0.05
    startup_candle_count = 0
    process_only_new_candles = False

    def populate_indicators(self, dataframe: Any, metadata: dict[str, Any]) -> Any:
        """None."""
        return dataframe

    def populate_entry_trend(self, dataframe: Any, metadata: dict[str, Any]) -> Any:
        """Always."""
        dataframe["enter_long"] = 1
        return dataframe

    def confirm_trade_entry(self, *_: Any, **__: Any) -> bool:
        """Once: what comes after the first trade is not tried here."""
        return not Trade.get_trades_proxy(is_open=False)

    def populate_exit_trend(self, dataframe: Any, metadata: dict[str, Any]) -> Any:
        """Never: the profit or the stop decides."""
        dataframe["exit_long"] = 0
        return dataframe
