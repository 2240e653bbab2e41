"""Planted bugs in the event log's format 2 (see mutations.py): where a link of the chain ends."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from exchange.contracts.chain import ChainLink
from matching_engine.core.shard import Shard
from tests.simulation.loop import patched

__all__ = ["CHAIN_BUGS"]


def _links_end_by_the_process() -> AbstractContextManager[None]:
    """Where a link ends must follow from the log alone, not from when an engine was started."""
    apply = Shard._apply

    def applying(self: Any, commands: list[Any], timestamp_ms: int) -> list[ChainLink]:
        self.applied = getattr(self, "applied", 0) + 1
        if self.applied % 3:
            return apply(self, commands, timestamp_ms)
        limits = self.engine.limits
        self.engine.limits = copy.copy(limits)
        self.engine.limits.link_size_bytes_max = 1
        try:
            return apply(self, commands, timestamp_ms)
        finally:
            self.engine.limits = limits

    return patched(Shard, _apply=applying)


CHAIN_BUGS: Final[dict[str, Callable[[], AbstractContextManager[Any]]]] = {
    "a link of the chain ends where the process counts": _links_end_by_the_process,
}
