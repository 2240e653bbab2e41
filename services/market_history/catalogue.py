"""The markets that the log has named, kept beside the candles: a follower goes on where it was."""

from exchange.contracts.codes import MODE_TRADING
from exchange.contracts.events import AssetRegistered, Event, MarketRegistered
from exchange.ports.world import HistoryError, HistoryRow, HistoryTable
from exchange.trading.market import Asset, Market
from services.market_history.rows import (
    asset_of,
    asset_row,
    asset_series,
    market_of,
    market_row,
    market_series,
)

__all__ = ["Catalogue"]

_ENTRIES_MAX = 10_000
_NUMBER_MAX = 2**62


class Catalogue:
    """Assets and markets of one shard. Their trading modes are not followed."""

    def __init__(self, shard: int) -> None:
        self._shard = shard
        self._assets: dict[int, Asset] = {}
        self.markets: dict[int, Market] = {}

    async def load(self, table: HistoryTable) -> None:
        """Take in what the table knows. Raises HistoryError.

        Another follower may be about to write more, in any order. What is there only in part is left out:
        it lies ahead of whoever reads it here, on the log.
        """
        for row in await self._read(table, asset_series(self._shard)):
            self.apply(asset_of(row))
        for row in await self._read(table, market_series(self._shard)):
            market = market_of(row)
            if {market.base_asset_id, market.quote_asset_id} <= set(self._assets):
                self.apply(market)

    @staticmethod
    async def _read(table: HistoryTable, series: str) -> list[HistoryRow]:
        rows = await table.read(series, 0, _NUMBER_MAX, limit=_ENTRIES_MAX + 1)
        if len(rows) > _ENTRIES_MAX:
            raise HistoryError(f"{series} has more than {_ENTRIES_MAX} entries")
        return rows

    def apply(self, event: Event) -> HistoryRow | None:
        """Take in what an event says of assets and markets: the row for it, None for any other event."""
        if isinstance(event, AssetRegistered):
            self._assets[event.asset_id] = Asset(event.asset_id, event.code, event.decimals)
            return asset_row(self._shard, event)
        if isinstance(event, MarketRegistered):
            base, quote = self._assets[event.base_asset_id], self._assets[event.quote_asset_id]
            self.markets[event.market_id] = Market(event, MODE_TRADING, base, quote)
            return market_row(self._shard, event)
        return None

    def by_symbol(self, symbol: str) -> Market | None:
        """The market of this name."""
        return next((market for market in self.markets.values() if market.symbol == symbol), None)
