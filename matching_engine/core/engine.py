"""The engine: `decide` a command, or `apply` it and get the events: the only way to change its state.

Read it from `decide` down: trading.py and placing.py (orders), matching.py, follow_ups.py, cancelling.py and
amending.py, treasury.py (money), administration.py. Every command
yields at least one event (invariant I10). What a user can cause is answered by an event; what nobody
can cause is an assertion, and ends the process.
"""

from exchange.contracts import codes
from exchange.contracts.commands import (
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    PlaceOrder,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
)
from exchange.contracts.events import CommandRejected, Event, Outcome
from exchange.contracts.order_commands import (
    AmendOrder,
    CancelOrderList,
    PlaceOrderList,
    PlaceOrderWithTerms,
)
from matching_engine.core.administration import administer
from matching_engine.core.amending import amend
from matching_engine.core.cancelling import cancel, cancel_all, cancel_list
from matching_engine.core.engine_state import EngineState
from matching_engine.core.placing import place_list, place_with_terms
from matching_engine.core.rules_version import has_terms
from matching_engine.core.trading import place
from matching_engine.core.treasury import credit, release_withdrawal, reserve_withdrawal, settle_withdrawal


class Engine(EngineState):
    """The state of one shard, and the one function that changes it."""

    def apply(self, command: Command, time_ms: int) -> list[Event]:
        """Decide one command. `time_ms` is the log's stamp; the engine's clock never goes back."""
        events = Outcome()
        self.decide(command, time_ms, events)
        return events.all()

    def decide(self, command: Command, time_ms: int, events: Outcome) -> None:
        """The same, told in an outcome that has just begun."""
        if time_ms > self.now_ms:
            self.now_ms = time_ms
        self.fills_used = self.follow_ups_used = 0
        if isinstance(command, PlaceOrder):
            place(self, command, events)
        elif isinstance(command, CancelOrder):
            cancel(self, command, events)
        elif isinstance(command, CancelAllOrders):
            cancel_all(self, command, events)
        elif isinstance(command, CreditDeposit):
            credit(self, command, events)
        elif isinstance(command, ReserveWithdrawal):
            reserve_withdrawal(self, command, events)
        elif isinstance(command, SettleWithdrawal):
            settle_withdrawal(self, command, events)
        elif isinstance(command, ReleaseWithdrawal):
            release_withdrawal(self, command, events)
        elif not (has_terms(self.rules_version) and self._apply_with_terms(command, events)):
            administer(self, command, events)
        assert events.count > 0, "every command has an outcome"
        self.seq += events.count

    def _apply_with_terms(self, command: Command, events: Outcome) -> bool:
        """Decide a command of rules version 4; False if it is none."""
        if isinstance(command, PlaceOrderWithTerms):
            place_with_terms(self, command, events)
        elif isinstance(command, PlaceOrderList):
            place_list(self, command, events)
        elif isinstance(command, AmendOrder):
            amend(self, command, events)
        elif isinstance(command, CancelOrderList):
            cancel_list(self, command, events)
        else:
            return False
        return True

    def refuse(self, time_ms: int, events: Outcome) -> None:
        """The outcome of a command that the operator has ordered to go past."""
        self.now_ms = max(self.now_ms, time_ms)
        self.seq += 1
        events.append(CommandRejected(0, 0, codes.REJECT_SKIPPED, "", ""))
