"""Planted bugs that make answers untrue, or let what is stale take effect (see mutations.py)."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Final

from exchange.contracts import codes
from exchange.contracts.commands import Command
from exchange.contracts.rejections import order_rejection
from exchange.log.barrier import OutcomeBarrier
from exchange.log.gateway import CommandGateway, GatewayUnavailableError, OutcomeUnknownError
from matching_engine.core import administration, attendance, cancelling, shard
from services.order.decisions import engine_link
from services.order.decisions.engine_link import EngineLink
from services.order.decisions.queries import Queries
from tests.simulation.loop import patched

__all__ = ["LIES"]


def _barrier_left_out() -> AbstractContextManager[None]:
    async def can_deny(self: EngineLink) -> bool:
        return True

    return patched(EngineLink, can_deny=can_deny)


def _barrier_waits_for_the_wrong_offset() -> AbstractContextManager[None]:
    async def end_offset(self: Any) -> int | None:
        return int(self._decided[0]) + 1

    return patched(OutcomeBarrier, _end_offset=end_offset)


def _own_commands_forgotten() -> AbstractContextManager[None]:
    async def is_flushed(self: Any) -> bool:
        return True

    return patched(CommandGateway, is_flushed=is_flushed)


def _list_without_barrier() -> AbstractContextManager[None]:
    open_orders = Queries.open_orders

    async def listing(self: Any, call: Any) -> object:
        async def can_deny() -> bool:
            return True

        class Hasty:
            view = self._engine.view

        hasty = Hasty()
        hasty.can_deny = can_deny  # type: ignore[attr-defined]
        return await open_orders(Queries(hasty, self._history, self._limits), call)  # type: ignore[arg-type]

    return patched(Queries, open_orders=listing)


def _stale_after_takeover() -> AbstractContextManager[None]:
    return patched(shard, ATTENDED_MS=100_000)


def _stale_cancel_refused() -> AbstractContextManager[None]:
    return patched(cancelling, refuses_stale_cancels=lambda version: True)


def _unbounded_clock() -> AbstractContextManager[Any]:
    both = ExitStack()
    for module in (attendance, administration):
        both.enter_context(patched(module, AHEAD_MAX_MS=10**12))
    return both


def _unknown_told_as_refusal() -> AbstractContextManager[None]:
    return patched(engine_link, outcome_unknown=lambda: order_rejection(codes.REJECT_STALE))


def _unknown_told_as_unsent() -> AbstractContextManager[None]:
    submit = CommandGateway.submit

    async def submitting(self: Any, command: Command, **more: Any) -> Any:
        try:
            return await submit(self, command, **more)
        except OutcomeUnknownError as error:
            raise GatewayUnavailableError(str(error)) from error

    return patched(CommandGateway, submit=submitting)


LIES: Final[dict[str, Callable[[], AbstractContextManager[Any]]]] = {
    "the barrier is left out": _barrier_left_out,
    "the barrier waits for the wrong offset": _barrier_waits_for_the_wrong_offset,
    "a command in the own gateway is forgotten": _own_commands_forgotten,
    "the list of open orders has no barrier": _list_without_barrier,
    "what is stale is admitted after a takeover": _stale_after_takeover,
    "a cancel is refused as stale": _stale_cancel_refused,
    "the ratchet of the clock is not bounded": _unbounded_clock,
    "an unknown status is told as a refusal": _unknown_told_as_refusal,
    "an unknown status is told as not sent": _unknown_told_as_unsent,
}
