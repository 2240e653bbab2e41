"""The row of what only rules version 5 knows (format 6): filters that were changed, markets that end."""

from typing import Any

from exchange.contracts.filter_commands import SetFilter
from matching_engine.core.engine import Engine
from matching_engine.core.filter_changes import keep_filter


def filters_row(engine: Engine) -> list[Any]:
    """Each changed filter by type, market and asset; the markets whose orders are being cancelled."""
    changed = [
        [*key, of.first, of.second, of.third, of.fourth] for key, of in sorted(engine.filters.set_by.items())
    ]
    return [changed, list(engine.retiring)]


def restore_filters(engine: Engine, row: list[Any]) -> None:
    """Put back what a row tells; the markets are there."""
    for values in row[0]:
        keep_filter(engine, SetFilter(0, *values))
    for market_id in row[1]:
        engine.retiring[market_id] = True
