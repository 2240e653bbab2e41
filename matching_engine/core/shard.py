"""An engine at its place in the logs: command records in, hashed outcomes out. Still pure."""

from exchange.contracts.chain import ChainLink, LinkWriter
from exchange.contracts.codec import EMPTY_CHAIN_HASH, decode_commands
from exchange.contracts.commands import Command
from exchange.contracts.events import Outcome
from exchange.contracts.unpacking import IS_COMPILED, read_commands
from matching_engine.core.attendance import ATTENDED_MS, NO_CLOCK, clock_of
from matching_engine.core.engine import Engine
from matching_engine.core.rules_version import UnknownRulesError, attends_clock, event_format


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
    after the event `engine.seq`. Records from there on may have been read and wait for a leader's clock:
    they are no part of the state, as they are still on the log.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.next_command_offset = 0
        self.chain = EMPTY_CHAIN_HASH
        # (offset, index) of commands that the operator ordered to go past, and when; no part of the state.
        self.skipped: dict[tuple[int, int], int] = {}
        self._waiting: list[list[Command]] = []
        self._outcome = Outcome()  # of the command that is being decided

    @property
    def read_offset(self) -> int:
        """The record to be read next."""
        return self.next_command_offset + len(self._waiting)

    @property
    def is_waiting(self) -> bool:
        """Whether records have been read that are decided when a leader says that it is at work."""
        return bool(self._waiting)

    def apply_record(self, offset: int, timestamp_ms: int, value: bytes) -> list[ChainLink]:
        """Apply every command of one record, in order. The record must be the next one.

        What comes while no leader is at work waits, and is applied with the record that gives a clock.
        Raises PoisonError or UnknownRulesError, after which this object must not be used.
        """
        assert offset == self.read_offset, "the command log has no gaps"
        engine = self.engine
        commands = _commands_in(value)
        if not attends_clock(engine.rules_version) or (
            timestamp_ms <= engine.attended_ms + ATTENDED_MS and not self._waiting
        ):
            return self._apply(commands, timestamp_ms)
        clock_ms = clock_of(commands, engine.epoch, timestamp_ms)
        self._waiting.append(commands)
        if clock_ms == NO_CLOCK:
            return []
        waiting, self._waiting = self._waiting, []
        links: list[ChainLink] = []
        for record in waiting:
            links += self._apply(record, clock_ms)
        return links

    def _apply(self, commands: list[Command], timestamp_ms: int) -> list[ChainLink]:
        engine, offset = self.engine, self.next_command_offset
        # By the rules at the record's begin: what activates others still stands in the older format.
        form, size_bytes_max = event_format(engine.rules_version), engine.limits.link_size_bytes_max
        writer = LinkWriter(form, offset, self.chain, engine.seq, size_bytes_max)
        for index, command in enumerate(commands):
            self._decide(offset, index, command, timestamp_ms)
            writer.add(index, command.command_id, engine.now_ms, self._outcome)
        links = writer.finish()
        self.chain = links[-1].hash
        self.next_command_offset = offset + 1
        return links

    def _decide(self, offset: int, index: int, command: Command, timestamp_ms: int) -> None:
        outcome = self._outcome
        outcome.begin()
        if self.skipped and (offset, index) in self.skipped:
            if attends_clock(self.engine.rules_version):
                # Every engine stood here until then: what comes next is decided no earlier.
                timestamp_ms = max(timestamp_ms, self.skipped[offset, index])
            self.engine.refuse(timestamp_ms, outcome)
            return
        try:
            self.engine.decide(command, timestamp_ms, outcome)
        except UnknownRulesError:
            raise  # Nothing is broken: other code can decide this command, and no order may go past it.
        except Exception as error:
            raise PoisonError(offset, index, repr(error)) from error


def _commands_in(value: bytes) -> list[Command]:
    """The commands of a record: the frequent kinds the quick way, whatever else it holds by the codec."""
    commands = read_commands(value) if IS_COMPILED else None
    return decode_commands(value) if commands is None else commands
