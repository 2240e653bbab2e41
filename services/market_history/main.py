"""The process of the market's history: the event log into tables and a stream; probes and metrics on HTTP."""

import sys

from exchange.adapters.chosen.market_history import HistoryTables, open_lake, open_market_history
from exchange.adapters.kafka.log import shard_logs
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.ports.world import Log, RecordStream
from exchange.process.config import Settings
from exchange.process.frame import run_process
from exchange.wall_clock import clock_ms
from services.market_history.component import HistoryFollower
from services.market_history.rows import Retention
from services.market_history.sinks import Sink, StreamSink, TableSink

__all__ = ["followers", "main"]


def followers(
    settings: Settings, event_log: Log, tables: HistoryTables, lake: RecordStream | None
) -> list[HistoryFollower]:
    """One follower for the tables and, if there is a stream, one for it: each has a pace of its own."""
    sinks: dict[str, Sink] = {
        "tables": TableSink(
            tables.candles,
            tables.trades,
            key_shards=settings.market_history_shards,
            retention=Retention(settings.market_history_trades_days, settings.market_history_seconds_days),
            clock_ms=clock_ms,
        )
    }
    if lake is not None:
        sinks["lake"] = StreamSink(lake)
    return [
        HistoryFollower(
            name,
            event_log,
            tables.candles,
            sink,
            shard=settings.shard,
            age_ms=settings.market_history_age_ms,
            log_deadline_ms=settings.log_deadline_ms,
        )
        for name, sink in sinks.items()
    ]


async def main(settings: Settings) -> None:
    """Compose and run the followers over Kafka, the tables and the stream. Raises SettingsError."""
    _, event_log = shard_logs(settings)
    async with open_market_history(settings) as tables, open_lake(settings) as lake:
        components = followers(settings, event_log, tables, lake)
        await serve(operations_app(components), components, settings)


if __name__ == "__main__":
    sys.exit(run_process(main))
