"""Work that no engine may see: done under the engines' own lease, which is kept for as long as it takes."""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Final

from exchange.ports.world import Lease, LeaseError, LeaseRecord
from matching_engine.leadership import Elector

__all__ = ["ExchangeRunsError", "run_alone"]

# How much longer than a lease lasts we wait for its holder to renew it.
_PATIENCE_S: Final = 2.0


class ExchangeRunsError(Exception):
    """An engine holds the lease and renews it: nothing was touched."""


async def run_alone(
    lease: Lease, work: Callable[[], Awaitable[None]], *, duration_ms: int, say: Callable[[str], None]
) -> None:
    """Do the work while this process holds the lease; an engine that starts meanwhile stands by.

    A lease that nobody has renewed for as long as its holder promised is free, as it is for an engine. Where
    there is none at all, no engine can lead, and we have no right to make one: then nothing is held.
    Raises ExchangeRunsError, LeaseError when the lease cannot be read, and what the work raises.
    """
    first = await lease.read()
    if first is None:
        say("there is no lease, so no engine has led here")
        await work()
        return
    holder = f"rebuild-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    elector = Elector(
        lease, holder, duration_ms=duration_ms, clock_ms=lambda: time.monotonic_ns() // 1_000_000
    )
    await _take(lease, first, elector, say)
    working = asyncio.ensure_future(work())
    keeping = asyncio.create_task(_keep(elector), name="lease")
    try:
        await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ExchangeRunsError("another process has taken the engine's lease in the middle of the work")
        working.result()
    finally:
        for task in (working, keeping):
            task.cancel()
        await asyncio.gather(working, keeping, return_exceptions=True)
        await elector.resign()


async def _take(lease: Lease, first: LeaseRecord, elector: Elector, say: Callable[[str], None]) -> None:
    held_ms = first.duration_ms if first.holder else 0
    if held_ms:
        say(f"{first.holder} held the engine's lease: waiting {held_ms / 1000:g} s whether it still does ...")
    give_up_s = time.monotonic() + held_ms / 1000 + _PATIENCE_S
    while not await elector.campaign():
        # `campaign` only warns of a keeper that does not answer; this raises.
        record = await lease.read()
        if record is not None and record.holder and record != first:
            raise ExchangeRunsError(
                f"the exchange runs: {record.holder} holds the engine's lease and renews it. "
                "Stop the engines and the services, then do this again"
            )
        if time.monotonic() >= give_up_s:
            raise LeaseError("the engine's lease cannot be taken")
        await asyncio.sleep(elector.pause_s)


async def _keep(elector: Elector) -> None:
    """Renew until it is lost."""
    while await elector.campaign():  # noqa: ASYNC110  nothing tells of a lease but asking
        await asyncio.sleep(elector.pause_s)
