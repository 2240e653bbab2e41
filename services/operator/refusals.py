"""The engine's refusals, in words for whoever has ordered."""

from typing import Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.events import CommandRejected
from services.operator.tagged import OrderError

__all__ = ["REASON_NAMES", "demand_done"]

REASON_NAMES: Final = {number: name for name, number in vars(codes).items() if name.startswith("REJECT_")}


def demand_done(outcome: CommandOutcome) -> None:
    """Raise OrderError when the engine refused."""
    event = outcome.events[0].event
    if isinstance(event, CommandRejected):
        name = REASON_NAMES.get(event.reason, str(event.reason))
        raise OrderError(f"the engine refused: {name} {event.detail}".rstrip())
