"""The chain of the event log: what the engine has decided, packed and hashed once, ready for a record.

A link is what one hash covers. In format 1 it is one outcome, and each of its events has a hash of its own
before that of the link. In format 2 (ADR 0026) it is the outcomes of one command record, or as many of them
as LINK_SIZE_BYTES_MAX takes; its hash covers the link before and the very bytes that are on the log. Where
links end follows from the command log alone, never from how a leader groups them into records.
"""

from hashlib import blake2b
from typing import Final

from librt.strings import BytesWriter, write_i32_be
from mypy_extensions import i64, mypyc_attr, u8

from exchange.contracts.events import Outcome
from exchange.contracts.message_pack import put_array, put_bytes, put_integer
from exchange.contracts.packing import put_event

__all__ = ["HASH_SIZE_BYTES", "ChainLink", "LinkWriter", "pack_links"]

HASH_SIZE_BYTES: Final = 16
_COUNT_SIZE_BYTES: Final = 5  # the head of an array whose length is not known yet
# A hash that has taken nothing yet: to copy it costs half of making one with its parameters.
_EMPTY_HASH: Final = blake2b(digest_size=HASH_SIZE_BYTES)


@mypyc_attr(acyclic=True)
class ChainLink:
    """What one hash covers. `previous`: the hash of the link before. `body`: its bytes in a record.

    `command_offset`: of the record on the command log that it came from. `command_index`, `command_id` and
    `commands`: its first command's, and how many they are.
    """

    def __init__(
        self,
        form: int,
        command_offset: int,
        command_index: int,
        command_id: int,
        commands: int,
        first_seq: int,
        last_seq: int,
        previous: bytes,
        hash: bytes,
        body: bytes,
    ) -> None:
        self.form = form
        self.command_offset = command_offset
        self.command_index = command_index
        self.command_id = command_id
        self.commands = commands
        self.first_seq = first_seq
        self.last_seq = last_seq
        self.previous = previous
        self.hash = hash
        self.body = body


@mypyc_attr(acyclic=True, free_list_len=1)
class LinkWriter:
    """Takes the outcomes of one command record, in order, and gives the links that they make.

    `size_bytes_max`: a link of format 2 is no longer, unless one outcome alone is. Part of the format.
    """

    def __init__(self, form: int, command_offset: int, chain: bytes, seq: int, size_bytes_max: int) -> None:
        self._form = form
        self._offset = command_offset
        self._chain = chain
        self._size_bytes_max: i64 = size_bytes_max
        self._links: list[ChainLink] = []
        self._out = BytesWriter()
        self._commands: i64 = 0
        self._seq: i64 = seq
        self._first_seq: i64 = seq + 1
        self._first_index = 0
        self._first_id = 0

    def add(self, index: int, command_id: int, time_ms: int, events: Outcome) -> None:
        """The outcome of the record's command at `index`: at least one event."""
        if self._form == 1:
            self._add_hashed(index, command_id, time_ms, events)
            return
        if self._commands == 0:
            self._begin(index, command_id)
        out = self._out
        start: i64 = len(out)
        self._put_head(out, index, command_id, time_ms, events.count)
        for place in range(events.count):
            out.append(0x92)
            put_event(out, events.at(place))
        if len(out) > self._size_bytes_max and self._commands:
            outcome = out.getvalue()[start:]
            out.truncate(start)
            self._close()
            self._begin(index, command_id)
            self._out.write(outcome)
        self._seq += events.count
        self._commands += 1

    def finish(self) -> list[ChainLink]:
        """All links, the last one ended."""
        if self._commands:
            self._close()
        return self._links

    def _begin(self, index: int, command_id: int) -> None:
        self._first_index, self._first_id, self._first_seq = index, command_id, self._seq + 1
        out = self._out
        out.append(0xDD)  # an array, of as many outcomes as `_close` fills in
        write_i32_be(out, 0)

    def _put_head(self, out: BytesWriter, index: int, command_id: int, time_ms: int, count: int) -> None:
        out.append(0x96)
        put_integer(out, self._offset)
        put_integer(out, index)
        put_integer(out, command_id)
        put_integer(out, time_ms)
        put_integer(out, self._seq + 1)
        put_array(out, count)

    def _close(self) -> None:
        out, count = self._out, self._commands
        for position in range(1, _COUNT_SIZE_BYTES):
            out[position] = u8((count >> (8 * (_COUNT_SIZE_BYTES - 1 - position))) & 0xFF)
        body = out.getvalue()
        self._end_link(body, _hashed(self._chain, body), count)
        out.truncate(0)
        self._commands = 0

    def _end_link(self, body: bytes, digest: bytes, commands: int) -> None:
        self._links.append(
            ChainLink(
                self._form,
                self._offset,
                self._first_index,
                self._first_id,
                commands,
                self._first_seq,
                self._seq,
                self._chain,
                digest,
                body,
            )
        )
        self._chain = digest

    def _add_hashed(self, index: int, command_id: int, time_ms: int, events: Outcome) -> None:
        """Format 1: each event has its hash, over the one before and its own place and fields."""
        out, first = BytesWriter(), self._chain
        self._first_index, self._first_id, self._first_seq = index, command_id, self._seq + 1
        self._put_head(out, index, command_id, time_ms, events.count)
        digest = first
        for place in range(events.count):
            self._seq += 1
            packed, hashed = BytesWriter(), BytesWriter()
            put_event(packed, events.at(place))
            fields = packed.getvalue()
            hashed.append(0x97)
            put_integer(hashed, self._seq)
            put_integer(hashed, self._offset)
            put_integer(hashed, index)
            put_integer(hashed, command_id)
            put_integer(hashed, time_ms)
            hashed.write(fields)
            digest = _hashed(digest, hashed.getvalue())
            out.append(0x93)
            put_bytes(out, digest)
            out.write(fields)
        self._end_link(out.getvalue(), digest, 1)


def _hashed(previous: bytes, data: bytes) -> bytes:
    """The chain's next hash."""
    state = _EMPTY_HASH.copy()
    state.update(previous)
    state.update(data)
    digest: bytes = state.digest()
    return digest


def pack_links(shard: int, epoch: int, links: list[ChainLink]) -> bytes:
    """One record of the event log, of links of one format that follow each other."""
    out = BytesWriter()
    first = links[0]
    if first.form == 1:
        put_array(out, 4)
        put_integer(out, 1)
        put_integer(out, shard)
        put_integer(out, epoch)
        put_array(out, len(links))
        for link in links:
            assert link.form == 1, "one format in a record"
            out.write(link.body)
        return out.getvalue()
    put_array(out, 5)
    put_integer(out, 2)
    put_integer(out, shard)
    put_integer(out, epoch)
    put_bytes(out, first.previous)
    put_array(out, len(links))
    for link in links:
        assert link.form == 2, "one format in a record"
        put_array(out, 2)
        put_bytes(out, link.hash)
        put_bytes(out, link.body)
    return out.getvalue()
