"""Where a record of the event log stands, told by the head of its last link: nothing in it is decoded.

Who looks through many records for one of them so pays for the one alone.
"""

from typing import Final, NamedTuple

from exchange.contracts.codec import last_outcome, linked_rows
from exchange.contracts.unpacking import Reader, UnusualError

__all__ = ["LastLink", "last_link"]

# An array's head, another one, and five numbers.
_HEAD_SIZE_BYTES_MAX: Final = 5 + 1 + 5 * 9


class LastLink(NamedTuple):
    """The last link of a record: of which command record all its outcomes are, and its first event's seq."""

    command_offset: int
    first_seq: int


def last_link(record: bytes) -> LastLink:
    """Of a record of the event log. Raises CodecError."""
    found = linked_rows(record)
    if found is not None and found[1]:
        place = _place_in(found[1][-1][1])
        if place is not None:
            return place
    last = last_outcome(record)
    return LastLink(last.command_offset, last.events[0].seq if last.events else 0)


def _place_in(body: bytes) -> LastLink | None:
    """None where the head is not such as the engine writes it: the codec says what it is."""
    reader = Reader(body[:_HEAD_SIZE_BYTES_MAX])
    try:
        if reader.long_array() == 0 or reader.array() != 6:
            return None
        offset, *_, first_seq = (reader.integer() for _ in range(5))
    except UnusualError:
        return None
    return LastLink(offset, first_seq)
