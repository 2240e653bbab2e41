"""Where a record of the event log stands, told by the head of its last link: nothing in it is decoded.

Who looks through many records for one of them so pays for the one alone.
"""

from typing import NamedTuple

from exchange.contracts.codec import last_outcome, linked_rows
from exchange.contracts.event_unpacking import place_in

__all__ = ["LastLink", "last_link"]


class LastLink(NamedTuple):
    """The last link of a record: of which command record all its outcomes are, and its first event's seq."""

    command_offset: int
    first_seq: int


def last_link(record: bytes) -> LastLink:
    """Of a record of the event log. Raises CodecError."""
    found = linked_rows(record)
    if found is not None and found[1]:
        place = place_in(found[1][-1][1])
        if place is not None:
            return LastLink(*place)
    last = last_outcome(record)
    return LastLink(last.command_offset, last.events[0].seq if last.events else 0)
