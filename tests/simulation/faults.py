"""What may go wrong, and how often: drawn from the seed, so that each seed has a character of its own."""

import random
from dataclasses import dataclass

__all__ = ["Faults"]

_FAST_S = 0.003
_SLOW_S = 0.4
_LATE_S = 12.0


@dataclass
class Faults:
    """Probabilities by call, and the dice. `active` False: the world behaves, but is never instant."""

    chance: random.Random
    slow: float
    late: float
    lost: float
    unacknowledged: float
    refused: float
    duplicated: float
    torn: float
    read_error: float
    crash_in_call: float
    active: bool = True

    @classmethod
    def of(cls, seed: str) -> "Faults":
        """Some seeds are calm in one respect and wild in another: pairs of faults meet that way."""
        chance = random.Random(f"{seed}/faults")

        def rate(top: float) -> float:
            return chance.choice((0.0, top / 4, top))

        return cls(
            chance,
            slow=rate(0.08),
            late=rate(0.02),
            lost=rate(0.015),
            unacknowledged=rate(0.015),
            refused=rate(0.015),
            duplicated=rate(0.08),
            torn=rate(0.4),
            read_error=rate(0.004),
            crash_in_call=rate(0.015),
        )

    def happens(self, probability: float) -> bool:
        """Throw the dice; never while the world behaves."""
        return self.active and self.chance.random() < probability

    def delay_s(self) -> float:
        """Of one way between a process and a server."""
        if self.happens(self.slow):
            return self.chance.random() * _SLOW_S
        return self.chance.random() * _FAST_S

    def landing_s(self) -> float:
        """How long something is under way to a server: now and then longer than anybody waits."""
        return self.chance.random() * _LATE_S if self.happens(self.late) else self.delay_s()
