"""An engine at its place in the logs: command records in, hashed outcomes out. Still pure."""

from exchange.contracts.codec import (
    EMPTY_CHAIN_HASH,
    CommandOutcome,
    RecordedEvent,
    chain_hash,
    decode_commands,
)
from exchange.contracts.commands import Command
from exchange.contracts.events import Event
from matching_engine.core.engine import Engine
from matching_engine.core.rules_version import UnknownRulesError


class PoisonError(Exception):
    """The engine broke one of its promises at a command: its state is worth nothing any more."""

    def __init__(self, offset: int, index: int, reason: str) -> None:
        super().__init__(f"command {index} of record {offset}: {reason}")
        self.offset = offset
        self.index = index
        self.reason = reason


class Shard:
    """The whole state that a snapshot keeps.

    `next_command_offset` is the first command record not yet applied; `chain` is the running hash
    after the event `engine.seq`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.next_command_offset = 0
        self.chain = EMPTY_CHAIN_HASH
        # (offset, index) of commands that the operator has ordered to go past; no part of the state.
        self.skipped: dict[tuple[int, int], bool] = {}

    def apply_record(self, offset: int, timestamp_ms: int, value: bytes) -> list[CommandOutcome]:
        """Apply every command of one record, in order. The record must be the next one.

        Raises PoisonError or UnknownRulesError, after which this object must not be used.
        """
        assert offset == self.next_command_offset, "the command log has no gaps"
        engine = self.engine
        outcomes: list[CommandOutcome] = []
        for index, command in enumerate(decode_commands(value)):
            seq = engine.seq
            events = self._decide(offset, index, command, timestamp_ms)
            recorded: list[RecordedEvent] = []
            for event in events:
                seq += 1
                self.chain = chain_hash(
                    self.chain, seq, offset, index, command.command_id, engine.now_ms, event
                )
                recorded.append(RecordedEvent(seq, self.chain, event))
            outcomes.append(CommandOutcome(offset, index, command.command_id, engine.now_ms, tuple(recorded)))
        self.next_command_offset = offset + 1
        return outcomes

    def _decide(self, offset: int, index: int, command: Command, timestamp_ms: int) -> list[Event]:
        if self.skipped and (offset, index) in self.skipped:
            return self.engine.refuse(timestamp_ms)
        try:
            return self.engine.apply(command, timestamp_ms)
        except UnknownRulesError:
            raise  # Nothing is broken: other code can decide this command, and no order may go past it.
        except Exception as error:
            raise PoisonError(offset, index, repr(error)) from error
