"""Which archived events are restored beside commands that end earlier, in both formats of the log."""

import random

import pytest

from exchange.contracts.chain import LinkWriter, pack_links
from exchange.contracts.codec import EMPTY_CHAIN_HASH, decode_events
from exchange.contracts.events import Outcome, TimeKept
from exchange.ports.world import LogRecord
from services.archive.restore import _before
from tests.property.replay import SEED


def record_of(form: int, place: int, first_command: int, commands: int) -> LogRecord:
    """An event record as a leader makes it of so many command records, two commands in each."""
    links, outcome = [], Outcome()
    outcome.append(TimeKept(1))
    for offset in range(first_command, first_command + commands):
        writer = LinkWriter(form, offset, EMPTY_CHAIN_HASH, 2 * offset, 65_536)
        for index in range(2):
            writer.add(index, index + 1, 1, outcome)
        links += writer.finish()
    return LogRecord(place, 1, pack_links(0, 1, links))


@pytest.mark.parametrize("form", [1, 2])
def test_events_are_restored_up_to_the_first_record_that_speaks_of_a_lost_command(form: int) -> None:
    print(f"SEED={SEED}")
    draw = random.Random(SEED)
    for _ in range(40):
        records, offset = list[LogRecord](), 0
        for place in range(12):
            commands = draw.choice((1, 1, 3))
            # Sometimes a leader of before says again what it had said.
            first = draw.randrange(offset + 1) if draw.random() < 0.2 else offset
            records.append(record_of(form, place, first, commands))
            offset = max(offset, first + commands)
        for end in range(1, offset + 2):
            expected = []
            for record in records:
                if any(o.command_offset >= end for o in decode_events(record.value).outcomes):
                    break
                expected.append(record)
            assert _before(records, end) == expected
