"""The engine as this process meets it: what its events have told, and the way of commands to it."""

import asyncio
from collections.abc import Callable

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import Command
from exchange.contracts.errors import ApiError, outcome_unknown, overloaded, unavailable
from exchange.contracts.events import CommandRejected
from exchange.log.barrier import WAIT_MAX_S, OutcomeBarrier
from exchange.log.gateway import (
    CommandGateway,
    GatewayOverloadedError,
    GatewayUnavailableError,
    OutcomeUnknownError,
)
from exchange.process.tracing import Span
from services.order.view.model import AccountView

__all__ = ["EngineLink", "NotSentError"]


class NotSentError(ApiError):
    """The command was not sent, for certain: -1008 or -1001."""

    def __init__(self, reason: ApiError) -> None:
        super().__init__(reason.code, reason.message, reason.status)


class EngineLink:
    """One object, made before the service has started: whoever holds it sees what the start brings.

    `view` is empty until the service has started; then it follows the event log and is never exchanged
    again. The gateway comes at the same moment, so having one is what "started" means.
    """

    __slots__ = ("_barrier", "_gateway", "view")

    def __init__(self) -> None:
        self.view = AccountView()
        self._gateway: CommandGateway | None = None
        self._barrier: OutcomeBarrier | None = None

    def connect(self, view: AccountView, gateway: CommandGateway, barrier: OutcomeBarrier) -> None:
        """The service has started: the view has caught up with the log, commands can be sent."""
        self.view, self._gateway, self._barrier = view, gateway, barrier

    @property
    def is_started(self) -> bool:
        """Whether there is anything to answer from: before that, no answer would be true."""
        return self._gateway is not None

    @property
    def gateway(self) -> CommandGateway:
        """What sends commands. Raises ApiError -1001 before the start."""
        if self._gateway is None:
            raise NotSentError(unavailable())
        return self._gateway

    def new_command_id(self) -> int:
        """A fresh id for a command's first field."""
        return self.gateway.new_command_id()

    def admit(self) -> None:
        """Refuse a new order that would wait too long. Raises ApiError -1008."""
        try:
            self.gateway.admit()
        except GatewayOverloadedError:
            raise NotSentError(overloaded()) from None

    async def can_deny(self) -> bool:
        """Whether what the view does not hold now is really not there; waits for it, WAIT_MAX_S at most.

        Asked before every definite denial (ADR 0008). A command that another process has not handed to the
        log yet is the one thing that nobody here can know of; its receive window bounds how long.
        """
        if self._gateway is None or self._barrier is None:
            return False
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                return await self._gateway.is_flushed() and await self._barrier.is_passed()
        except TimeoutError:
            return False

    async def submit(
        self, command: Command, rejection: Callable[[int], ApiError], *, urgent: bool, trace: Span | None
    ) -> CommandOutcome:
        """Send a command and return its outcome, which the view has already.

        Raises ApiError: what `rejection` makes of the engine's reason, -1007 when nobody knows; and
        NotSentError.
        """
        try:
            outcome = await self.gateway.submit(command, urgent=urgent, trace=trace)
        except GatewayOverloadedError:
            raise NotSentError(overloaded()) from None
        except GatewayUnavailableError:
            raise NotSentError(unavailable()) from None
        except OutcomeUnknownError:
            raise outcome_unknown() from None
        first = outcome.events[0].event
        if isinstance(first, CommandRejected):
            raise rejection(first.reason)
        return outcome
