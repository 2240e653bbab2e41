"""An engine at its place in the logs: command records in, hashed outcomes out. Still pure."""

from exchange.contracts.codec import (
    EMPTY_CHAIN_HASH,
    CommandOutcome,
    RecordedEvent,
    chain_hash,
    decode_commands,
)
from matching_engine.core.engine import Engine


class Shard:
    """The whole state that a snapshot keeps.

    `next_command_offset` is the first command record not yet applied; `chain` is the running hash
    after the event `engine.seq`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.next_command_offset = 0
        self.chain = EMPTY_CHAIN_HASH

    def apply_record(self, offset: int, timestamp_ms: int, value: bytes) -> list[CommandOutcome]:
        """Apply every command of one record, in order. The record must be the next one."""
        assert offset == self.next_command_offset, "the command log has no gaps"
        engine = self.engine
        outcomes: list[CommandOutcome] = []
        for index, command in enumerate(decode_commands(value)):
            seq = engine.seq
            events = engine.apply(command, timestamp_ms)
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
