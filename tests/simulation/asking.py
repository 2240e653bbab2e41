"""Traders who place, cancel and ask, through order services that may die; and what they may be told.

Every order has a name of its own and is sent once. Whoever was told that it was refused, or that it does not
exist, must never see it later; whoever was told that it was placed must always find it; none is placed after
its receive window. What was told outlives every process, as traders do.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from exchange.contracts.codec import CommandOutcome, decode_commands
from exchange.contracts.commands import ActivateRules, CreditDeposit, KeepTime, LeaderElected, PlaceOrder
from exchange.contracts.events import OrderAccepted
from exchange.ports.world import LogRecord
from matching_engine.core.engine import Engine
from tests.simulation.violations import require

__all__ = ["Answers", "Asked", "deposits"]

USERS: Final = (2_001, 2_002, 2_003)
STEPS: Final = 70
WINDOWS_MS: Final = (1_000, 3_000, 5_000)
# What the design promises (ADR 0018), written down once more.
ATTENDED_S: Final = 1.0
CLOCK_AHEAD_MAX_MS: Final = 60_000
ATTENDED_MS: Final = 1_000
# From a decision to the log and back to whoever counts: ways of milliseconds, twice a slow one.
WAY_S_MAX: Final = 1.0
UNKNOWN: Final = (-1006, -1007)


@dataclass
class Asked:
    """An order that somebody wanted once. Times in virtual seconds; `order_id` 0: not told."""

    name: str
    user_id: int
    window_ms: int
    sent_s: float = 0.0
    order_id: int = 0
    found_s: float = 0.0
    # Of the command on the log; None while it is on no log.
    landed_s: float | None = None
    # Why it must not exist; None while it may.
    denied: str | None = None
    is_told: bool = False
    is_accepted: bool = False


def deposits() -> list[CreditDeposit]:
    """Money for those who ask."""
    return [
        CreditDeposit(0, user_id, asset_id, 10**14, 5 * 10**8 + 10 * number + asset_id)
        for number, user_id in enumerate(USERS)
        for asset_id in (1, 3)
    ]


class Answers:
    """What was asked, what was told, and whether it was true. `now_s`: virtual time."""

    def __init__(self, seed: str, engine: Engine, now_s: Callable[[], float], start_ms: int) -> None:
        self.random = random.Random(f"{seed}/asking")
        self.orders: dict[str, Asked] = {}
        self.steps_left = STEPS
        self.questions = self.denials = self.unknown = 0
        # Of clocks that jump nothing can be said but that no cancel is stale and no order is denied falsely.
        self.has_steady_clock = True
        # Rules version 1 knows no attended clock, and stale cancels.
        self.has_attended_clock = True
        self._engine = engine
        self._now_s = now_s
        self._start_ms = start_ms
        self._words_s: list[float] = [0.0]

    # -- the traders ----------------------------------------------------------------------------

    def new_order(self) -> Asked:
        """An order that nobody has sent yet."""
        pick = self.random
        asked = Asked(f"q{len(self.orders)}", pick.choice(USERS), pick.choice(WINDOWS_MS), self._now_s())
        self.orders[asked.name] = asked
        return asked

    def any_order(self) -> Asked | None:
        """Some order to ask for: rather one whose fate is not known."""
        open_questions = [asked for asked in self.orders.values() if not asked.is_told]
        some = open_questions if open_questions and self.random.random() < 0.7 else list(self.orders.values())
        return self.random.choice(some) if some else None

    # -- what they are told ---------------------------------------------------------------------

    def placed(self, asked: Asked, order_id: int) -> None:
        """The answer said that it was placed, or a question found it."""
        require(asked.denied is None, f"{asked.name} is found, but its trader was told: {asked.denied}")
        require(asked.is_accepted, f"{asked.name} was never placed, but its trader is told that it was")
        if not asked.order_id:
            asked.is_told, asked.order_id, asked.found_s = True, order_id, self._now_s()

    def refused(self, asked: Asked, code: int) -> None:
        """The answer was an error: of unknown fate, or a promise that it does not exist."""
        if code in UNKNOWN:
            self.unknown += 1
            return
        self._deny(asked, f"refused with {code}")

    def missing(self, asked: Asked, asked_s: float, *, is_own: bool) -> None:
        """A question that began at `asked_s` was answered with -2013.

        `is_own`: the process that answered had the order itself, on its way to the log.
        """
        self.denials += 1
        require(
            not asked.order_id or asked.found_s > asked_s,
            f"{asked.name} does not exist, but its trader was told that it does",
        )
        if is_own or (asked.landed_s is not None and asked.landed_s <= asked_s):
            self._deny(asked, "does not exist")
            return
        # It was on no log then, so somebody might still hand it to one: not for longer than its window. What
        # has landed since the question came contradicts no answer: that tells of a moment between the two.
        require(not asked.is_accepted or not self._is_over_for_good(asked, asked_s), f"{asked.name} is there")

    def listed(self, user_id: int, names: set[str], asked_s: float, open_before: set[str]) -> None:
        """A list of open orders, and which were open when it was asked for."""
        for asked in self.orders.values():
            if asked.user_id != user_id or asked.name in names:
                continue
            still = self.is_open(asked)
            require(not (still and asked.name in open_before), f"{asked.name} is open, and a list denies it")
            if not asked.is_accepted and asked.landed_s is not None and asked.landed_s <= asked_s:
                self._deny(asked, "not among the open orders")

    def is_open(self, asked: Asked) -> bool:
        """Whether it rests on the book, by the log."""
        named = self._engine.orders_by_name.get(asked.user_id, {})
        return asked.name in named

    def cancel_refused(self, code: int) -> None:
        """A cancel was answered with an error."""
        require(code != -1021 or not self.has_attended_clock, "a cancel is refused as stale")

    def _deny(self, asked: Asked, why: str) -> None:
        require(not asked.is_accepted, f"{asked.name} was placed, but its trader is told: {why}")
        asked.denied, asked.is_told = why, True

    def _is_over_for_good(self, asked: Asked, now_s: float) -> bool:
        """Never by clocks that jump: as long as the engine's stands still, a window stays open."""
        if not (self.has_steady_clock and self.has_attended_clock):
            return False
        return now_s > asked.sent_s + asked.window_ms / 1000 + WAY_S_MAX

    # -- what is true ---------------------------------------------------------------------------

    def command_record(self, record: LogRecord) -> None:
        """The command log has grown; called before the reference decides it."""
        for command in decode_commands(record.value):
            if isinstance(command, PlaceOrder) and command.client_order_id in self.orders:
                self.orders[command.client_order_id].landed_s = self._now_s()
            elif isinstance(command, KeepTime | LeaderElected | ActivateRules):
                # Rules that attend to the clock begin attended: whoever brings them in looks at the exchange.
                self._words_s.append(self._now_s())

    def decided(self, outcomes: Sequence[CommandOutcome]) -> None:
        """The reference has decided."""
        wall_ms = self._start_ms + self._now_s() * 1_000
        require(
            not self.has_attended_clock
            or self._engine.now_ms <= wall_ms + CLOCK_AHEAD_MAX_MS + ATTENDED_MS + 1,
            "a broker's clock carries the engine's away",
        )
        for outcome in outcomes:
            event = outcome.events[0].event
            if isinstance(event, OrderAccepted) and event.client_order_id in self.orders:
                self._accept(self.orders[event.client_order_id])

    def _accept(self, asked: Asked) -> None:
        require(not asked.is_accepted, f"{asked.name} is placed twice")
        require(asked.denied is None, f"{asked.name} is placed after its trader was told: {asked.denied}")
        asked.is_accepted = True
        if not (self.has_steady_clock and self.has_attended_clock):
            return
        assert asked.landed_s is not None, "it is on the log"
        over_s = asked.sent_s + asked.window_ms / 1000 + WAY_S_MAX
        require(asked.landed_s <= over_s, f"{asked.name} came after its window, and is placed")
        require(
            any(asked.landed_s - ATTENDED_S - WAY_S_MAX <= word_s <= over_s for word_s in self._words_s),
            f"{asked.name} is placed although nobody led within its window",
        )

    def finish(self) -> None:
        """All has been decided: who was told that it is there was told the truth."""
        for asked in self.orders.values():
            require(not asked.order_id or asked.is_accepted, f"{asked.name} was lost")
