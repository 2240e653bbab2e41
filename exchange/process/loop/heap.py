"""The garbage collector of every process: what it need not look at, and how often it looks (ADR 0023).

A collection stops the loop for as long as it looks at objects: 100 to 300 ns each. Reference counts free
nearly everything here at once; the collector is there for circles of objects alone, and requests make next
to none (`tests/integration/test_cyclic_garbage.py`).
"""

import gc
import logging
from typing import Final, NamedTuple

__all__ = ["THRESHOLDS", "Thresholds", "quiet_collector", "settle_heap"]

logger = logging.getLogger(__name__)


class Thresholds(NamedTuple):
    """What `gc.set_threshold` takes: objects more than at the last look, young looks, middle looks."""

    objects: int
    young: int
    middle: int


# Young: 20,000 objects are looked at in 2 to 5 ms. Full: after 20 million objects that stayed, which bounds
# what circles of long life (closed sockets) may hold at about 1.5 GB. It is half a day of 400 orders a second
# that rest, and then a pause of a second if a million of them do.
THRESHOLDS: Final = Thresholds(20_000, 20, 50)


def quiet_collector() -> None:
    """Call when a process begins: a recovery makes millions of objects that stay, and no circles.

    Python's own thresholds look at the young ones after every 700 of them.
    """
    gc.set_threshold(*THRESHOLDS)


def settle_heap() -> None:
    """Call when a process has started: what is alive now stays, and no collection looks at it any more.

    What has become garbage until now is freed before, or it would stay for ever.
    """
    gc.collect()
    gc.freeze()
    quiet_collector()
    logger.info("%d objects of the start are not looked at any more", gc.get_freeze_count())
