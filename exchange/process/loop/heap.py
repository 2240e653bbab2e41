"""The garbage collector of every process: what it need not look at, and how often it looks (ADR 0023).

A collection stops the loop for as long as it looks at objects: 100 to 300 ns each in a warm cache, and up to
3 us on two busy cores. Reference counts free nearly everything here at once; the collector is there for
circles of objects alone, and requests make next to none (`tests/integration/test_cyclic_garbage.py`).
"""

import gc
import logging
from typing import Final, NamedTuple

__all__ = ["SETTLED", "STARTING", "Thresholds", "quiet_collector", "settle_heap"]

logger = logging.getLogger(__name__)


class Thresholds(NamedTuple):
    """What `gc.set_threshold` takes: objects more than at the last look, young looks, middle looks."""

    objects: int
    young: int
    middle: int


# While a process starts nobody waits for an answer: large looks, for a recovery makes millions of objects
# that stay. Python's own, after every 700, were 8 % of a replay.
STARTING: Final = Thresholds(20_000, 20, 50)
# Afterwards each look is short: an object that stays is looked at twice whatever the thresholds are, so small
# ones cost a hundredth more of the processor and take the pause away. On two busy cores a young look at 1,000
# objects takes 1 to 3 ms, a middle one up to 14; at 20,000 and 400,000 they took up to 54 and 203 ms
# (docs/performance.md, No pause). Full: still after 20 million objects that stayed, which bounds what circles
# of long life (closed sockets) may hold at about 1.5 GB. It is half a day of 400 orders a second that rest,
# and then a pause of a second if a million of them do.
SETTLED: Final = Thresholds(1_000, 4, 5_000)


def quiet_collector() -> None:
    """Call when a process begins: few looks, as long as it starts."""
    gc.set_threshold(*STARTING)


def settle_heap() -> None:
    """Call when a process has started: what is alive now stays, and no collection looks at it any more.

    What has become garbage until now is freed before, or it would stay for ever.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SETTLED)
    logger.info("%d objects of the start are not looked at any more", gc.get_freeze_count())
