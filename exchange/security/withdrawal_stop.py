"""Whether money may leave: the auditor's word, as it stands in Redis.

The red key exists while the books do not add up; the heartbeat tells whether anybody is looking at the books
at all, and how much of them was looked at (exchange/contracts/audit_keys.py). What is not known stops.
"""

import asyncio
from typing import Final, NamedTuple

import msgspec
import redis.asyncio

from exchange.contracts.audit_keys import (
    AUDITING,
    COMPARED_AGE_MS_MAX,
    HEARTBEAT_AGE_S_MAX,
    HEARTBEAT_KEY,
    LAG_MS_MAX,
    RED_KEY,
    REPLAYING,
    Heartbeat,
)
from exchange.process.cancellation import raise_if_cancelled
from exchange.process.connections import CACHE_ERRORS
from exchange.wall_clock import clock_ms

__all__ = ["CAUSES", "Stop", "Verdict", "WithdrawalStop", "stop_of"]

_decoder: Final = msgspec.json.Decoder(Heartbeat)

# Names for metrics; docs/runbooks/WithdrawalsStopped.md says what each means.
CAUSES: Final = ("unreadable", "red", "away", "replaying", "behind", "uncompared")


class Stop(NamedTuple):
    """Why nothing may leave: one of CAUSES, and words for people."""

    cause: str
    reason: str


class Verdict(NamedTuple):
    """`stop` None: money may leave, for reservations whose event's seq is not above `audited_seq`.

    `audited_seq` None: no auditor is required here.
    """

    stop: Stop | None
    audited_seq: int | None


class WithdrawalStop:
    """Asks for every withdrawal anew. What cannot be read stops withdrawals too."""

    def __init__(self, cache: "redis.asyncio.Redis", *, auditor_required: bool, deadline_ms: int) -> None:
        self._cache = cache
        self._auditor_required = auditor_required
        self._deadline_s = deadline_ms / 1000

    async def verdict(self) -> Verdict:
        """What may leave now."""
        try:
            async with asyncio.timeout(self._deadline_s):
                try:
                    red, heartbeat = await self._cache.mget(RED_KEY, HEARTBEAT_KEY)
                finally:
                    raise_if_cancelled()
        except CACHE_ERRORS:
            return Verdict(Stop("unreadable", "the auditor's word cannot be read"), None)
        if red is not None:
            return Verdict(Stop("red", "the auditor found a fault in the books"), None)
        if not self._auditor_required:
            return Verdict(None, None)
        if heartbeat is None:
            return Verdict(Stop("away", "the auditor is away"), None)
        try:
            beat = _decoder.decode(heartbeat)
        except msgspec.DecodeError:
            return Verdict(Stop("unreadable", "the auditor's heartbeat cannot be read"), None)
        stop = stop_of(beat, clock_ms())
        return Verdict(stop, beat.seq if stop is None else None)

    async def reason(self) -> str | None:
        """Why nothing may leave now, None when it may."""
        stop = (await self.verdict()).stop
        return None if stop is None else stop.reason


def stop_of(beat: Heartbeat, now_ms: int) -> Stop | None:
    """What a heartbeat forbids at `now_ms`, None when it forbids nothing. Pure."""
    age_ms = now_ms - beat.time_ms
    # A time ahead of ours by as much is no better: it would never grow old.
    if abs(age_ms) > HEARTBEAT_AGE_S_MAX * 1000:
        return Stop("away", "the auditor has been silent for too long")
    if beat.state == REPLAYING:
        return Stop("replaying", "the auditor is still reading what happened before")
    if beat.state != AUDITING:
        return Stop("red", "the auditor found a fault in the books")
    # What the heartbeat says was so when it was written, and has grown older with it.
    grown_ms = max(0, age_ms)
    if beat.lag_ms + grown_ms > LAG_MS_MAX or min(beat.lag_ms, beat.lag_records) < 0:
        return Stop("behind", "the auditor is behind")
    if beat.compared_age_ms is None or not 0 <= beat.compared_age_ms + grown_ms <= COMPARED_AGE_MS_MAX:
        return Stop("uncompared", "the books were not compared lately")
    return None
