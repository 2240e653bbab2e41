"""Which commands the engine went past is found in its events; a record that does not say so stays whole."""

import pytest

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts import codes
from exchange.contracts.chain import LinkWriter, pack_links
from exchange.contracts.codec import EMPTY_CHAIN_HASH, outcomes_beginning_with
from exchange.contracts.events import CommandRejected, Event, Outcome, TimeKept
from matching_engine.replay import skipped_commands

SKIPPED = CommandRejected(0, 0, codes.REJECT_SKIPPED, "", "")
OTHERS: list[Event] = [
    TimeKept(1),
    CommandRejected(0, 0, codes.REJECT_MALFORMED, "", "no command"),
]


def record(form: int, offset: int, events: list[Event]) -> bytes:
    writer = LinkWriter(form, offset, EMPTY_CHAIN_HASH, 0, 65_536)
    for index, event in enumerate(events):
        outcome = Outcome()
        outcome.append(event)
        writer.add(index, 7, 1_700_000_000_000 + offset, outcome)
    return pack_links(0, 1, writer.finish())


@pytest.mark.parametrize("form", [1, 2])
async def test_a_record_is_taken_apart_only_where_a_command_was_skipped(
    form: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, looked_at = MemoryLog(lambda: 1), list[bytes]()

    def looking(kind: type[Event], value: bytes) -> list[object]:
        looked_at.append(value)
        return list(outcomes_beginning_with(kind, value))

    monkeypatch.setattr("matching_engine.replay.outcomes_beginning_with", looking)
    writer = await log.writer()
    for offset in range(20):
        await writer.append(record(form, offset, OTHERS if offset != 12 else [*OTHERS, SKIPPED, *OTHERS]))
    found = await skipped_commands(log)
    assert found == {(12, len(OTHERS)): 1_700_000_000_012}
    assert len(looked_at) == 1
