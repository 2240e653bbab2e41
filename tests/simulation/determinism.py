"""Every clock and every source of chance that the code under test may reach, made virtual or seeded."""

import contextlib
import logging
import random
import secrets
import time
from collections.abc import Generator

from tests.event_streams import START_MS
from tests.simulation.loop import SimulatedLoop, patched

__all__ = ["deterministic"]


@contextlib.contextmanager
def deterministic(seed: str, loop: SimulatedLoop) -> Generator[None, None, None]:
    """Let `time`, `random` and `secrets` follow the loop and the seed; silence logging."""
    chance = random.Random(f"{seed}/secrets")
    before = random.getstate()
    random.seed(f"{seed}/global")

    def wall_s() -> float:
        return START_MS / 1000 + loop.time()

    def token_hex(nbytes: int = 16) -> str:
        return chance.randbytes(nbytes).hex()

    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            patched(
                time,
                time=wall_s,
                time_ns=lambda: round(wall_s() * 1e9),
                monotonic=loop.time,
                perf_counter=loop.time,
            ),
            patched(
                secrets,
                randbits=chance.getrandbits,
                token_hex=token_hex,
                token_bytes=chance.randbytes,
                randbelow=chance.randrange,
            ),
        ):
            yield
    finally:
        logging.disable(disabled)
        random.setstate(before)
