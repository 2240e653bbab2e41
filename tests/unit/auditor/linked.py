"""Event logs of format 2, as the engine writes them, of outcomes that may be anything."""

import asyncio
from collections.abc import Sequence

from exchange.adapters.memory.log import MemoryLog
from exchange.contracts.chain import ChainLink, LinkWriter, pack_links
from exchange.contracts.codec import EMPTY_CHAIN_HASH, CommandOutcome
from exchange.contracts.events import Outcome
from exchange.contracts.limits import LINK_SIZE_BYTES_MAX
from services.auditor.audit.image import to_bytes
from services.auditor.audit.state import AuditState, Breach
from services.auditor.follower import Follower

_DEADLINE_MS = 5_000
_READ_TIMEOUT_MS = 1


def links_of(
    outcomes: Sequence[CommandOutcome], size_bytes_max: int = LINK_SIZE_BYTES_MAX
) -> list[ChainLink]:
    """The outcomes in links, one or more for each record of commands, with the seqs that they have."""
    links: list[ChainLink] = []
    chain, at = EMPTY_CHAIN_HASH, 0
    while at < len(outcomes):
        offset, first_seq = outcomes[at].command_offset, outcomes[at].events[0].seq
        writer = LinkWriter(2, offset, chain, first_seq - 1, size_bytes_max)
        while at < len(outcomes) and outcomes[at].command_offset == offset:
            outcome, decided = outcomes[at], Outcome()
            for recorded in outcome.events:
                decided.append(recorded.event)
            writer.add(outcome.command_index, outcome.command_id, outcome.time_ms, decided)
            at += 1
        links += writer.finish()
        chain = links[-1].hash
    return links


def records_of(links: Sequence[ChainLink], links_per_record: int = 3) -> list[bytes]:
    """Records of the event log."""
    cut = range(0, len(links), links_per_record)
    return [pack_links(0, 1, list(links[first : first + links_per_record])) for first in cut]


class Followed:
    """An auditor's follower over records; `from_bytes`: reads links itself, instead of what others decode."""

    def __init__(self, records: Sequence[bytes], *, from_bytes: bool) -> None:
        self.log = MemoryLog(lambda: 0)
        self.state = AuditState()
        self._records = records
        self.follower = Follower(self.log, self.state, 0, _DEADLINE_MS, from_bytes=from_bytes)

    async def until(self, seq: int | None = None) -> Sequence[Breach]:
        """To that seq, or the log's end, or what is broken."""
        writer = await self.log.writer()
        for record in self._records:
            await writer.append(record)
        self._records = ()
        await self.follower.open()
        end = await self.log.end_offset()
        while seq is None or self.state.seq < seq:
            if seq is None and self.follower.is_between and self.follower.next_offset == end:
                break
            breaches = await self.follower.advance(_READ_TIMEOUT_MS, seq)
            if breaches:
                return breaches
        await self.follower.close()
        return ()

    def image(self) -> bytes:
        """All that has been derived."""
        return to_bytes(self.state, self.follower.next_offset)


async def found(records: Sequence[bytes], *, from_bytes: bool) -> tuple[Sequence[Breach], bytes]:
    """What the records break; and where nothing, what was derived."""
    followed = Followed(records, from_bytes=from_bytes)
    breaches = await followed.until()
    return breaches, b"" if breaches else followed.image()


def found_in(records: Sequence[bytes], *, from_bytes: bool) -> tuple[Sequence[Breach], bytes]:
    """The same, in a loop of its own."""
    return asyncio.run(found(records, from_bytes=from_bytes))
