"""Names of the logs. One shard has exactly one partition of each (design decision 3)."""

from typing import Final

SHARD_DEFAULT: Final = 0


def commands_topic(shard: int) -> str:
    """Name of a shard's command log."""
    return f"exchange.commands.{shard}"


def events_topic(shard: int) -> str:
    """Name of a shard's event log."""
    return f"exchange.events.{shard}"
