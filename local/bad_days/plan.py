"""Which bad days are ordered, and whether one holds for what is happening now. Pure.

A bad day holds for one API key or for all, for a part of the paths or for all, from the `skip`-th fitting
occasion on, and `times` times (0: until it is called off). The order in which they were asked for decides.
"""

from typing import Final, Literal

import msgspec

__all__ = ["BAD_DAYS_MAX", "ORDER_KINDS", "REQUEST_KINDS", "STREAM_KINDS", "BadDay", "Plan", "PlanError"]

Kind = Literal[
    "too-many-requests",
    "banned",
    "clock-skew",
    "slow",
    "unknown-done",
    "unknown-lost",
    "hang-up",
    "stream-drop",
    "stream-duplicate",
    "depth-gap",
    "stream-disconnect",
    "disconnect-on-fill",
]
# What happens to a request.
REQUEST_KINDS: Final = frozenset({"too-many-requests", "banned", "slow", "hang-up"})
# What happens to a request that changes something, and to no other.
ORDER_KINDS: Final = frozenset({"unknown-done", "unknown-lost"})
# What happens to a message of a stream.
STREAM_KINDS: Final = frozenset(
    {"stream-drop", "stream-duplicate", "depth-gap", "stream-disconnect", "disconnect-on-fill"}
)
BAD_DAYS_MAX: Final = 100
_TIMES_MAX: Final = 1_000_000
_MS_MAX: Final = 3_600_000
_TEXT_LENGTH_MAX: Final = 256


class PlanError(ValueError):
    """This bad day cannot be had; says why."""


class BadDay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """One order for trouble. `ms`: how slow, by how much the clock is ahead, or when to come back."""

    kind: Kind
    api_key: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    ms: int = 0

    def check(self) -> None:
        """Raise PlanError for what is beyond the bounds."""
        if not 0 <= self.times <= _TIMES_MAX or not 0 <= self.skip <= _TIMES_MAX:
            raise PlanError(f"times and skip are from 0 to {_TIMES_MAX}")
        if abs(self.ms) > _MS_MAX or (self.ms < 0 and self.kind != "clock-skew"):
            raise PlanError(f"ms is at most {_MS_MAX}, and below 0 for clock-skew alone")
        if max(len(self.api_key), len(self.path)) > _TEXT_LENGTH_MAX:
            raise PlanError(f"apiKey and path have at most {_TEXT_LENGTH_MAX} characters")


class _Running:
    def __init__(self, number: int, day: BadDay) -> None:
        self.number = number
        self.day = day
        self.skipped = 0
        self.happened = 0

    @property
    def is_over(self) -> bool:
        return 0 < self.day.times <= self.happened


class Plan:
    """The bad days that are ordered; `take` is asked at each occasion."""

    def __init__(self) -> None:
        self._running: list[_Running] = []
        self._next = 1

    def order(self, day: BadDay) -> int:
        """Have a bad day from now on; returns its number. Raises PlanError."""
        day.check()
        self._running = [one for one in self._running if not one.is_over]
        if len(self._running) >= BAD_DAYS_MAX:
            raise PlanError(f"{BAD_DAYS_MAX} bad days are ordered already")
        number, self._next = self._next, self._next + 1
        self._running.append(_Running(number, day))
        return number

    def call_off(self) -> None:
        """From now on all is well."""
        self._running.clear()

    def shapes(self) -> list[dict[str, object]]:
        """What is ordered, and how often it has happened, for people and tests."""
        return [
            {"number": one.number, **msgspec.to_builtins(one.day), "happened": one.happened}
            for one in self._running
        ]

    def holds(self, kinds: frozenset[str]) -> bool:
        """Whether any of these kinds is ordered: streams are looked into only then."""
        return any(one.day.kind in kinds and not one.is_over for one in self._running)

    def take(self, kinds: frozenset[str], keys: frozenset[str], path: str) -> BadDay | None:
        """The bad day that befalls this occasion, counted as happened; None for none.

        `keys`: the API keys that the request or the socket is known to belong to.
        """
        for one in self._running:
            day = one.day
            if day.kind not in kinds or one.is_over or not path.startswith(day.path):
                continue
            if day.api_key and day.api_key not in keys:
                continue
            if one.skipped < day.skip:
                one.skipped += 1
                continue
            one.happened += 1
            return day
        return None

    def skew_ms(self, keys: frozenset[str]) -> int:
        """How far the server's clock is ahead for these keys. Looking costs nothing."""
        for one in self._running:
            if one.day.kind == "clock-skew" and (not one.day.api_key or one.day.api_key in keys):
                return one.day.ms
        return 0
