"""One trace from a request through both logs to the ledger (ADR 0016): what travels, what code asks for.

Nothing here knows OpenTelemetry. A sampled command's place in its trace travels beside the record, in one
header of the log, never in the record's value:

    exchange-trace: <command id>:<traceparent>,<command id>:<traceparent>,...

A traceparent is that of W3C Trace Context. Headers come from other processes, of other versions perhaps, so
reading them is total: what cannot be read is not there.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from exchange.ports.world import Headers

__all__ = [
    "TRACED_COMMANDS_MAX",
    "Hop",
    "Span",
    "TraceContext",
    "Tracing",
    "parse_traceparent",
    "traced_commands",
    "traces_header",
]

# So many traces go on with one record; commands beyond lose the rest of theirs. A record usually holds 1,000
# commands at most, of which one in a hundred is sampled.
TRACED_COMMANDS_MAX: Final = 128
_HEADER_NAME: Final = "exchange-trace"
_ID_DIGITS_MAX: Final = 19
_TRACEPARENT_SIZE_BYTES: Final = 55
_HEADER_SIZE_BYTES_MAX: Final = TRACED_COMMANDS_MAX * (_ID_DIGITS_MAX + 1 + _TRACEPARENT_SIZE_BYTES + 1)
# Whoever writes a later version may put more behind these four fields.
_TRACEPARENT: Final = re.compile(
    rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
)
_TRACEPARENT_SIZE_BYTES_MAX: Final = 256
_COMMAND_ID: Final = re.compile(rb"[1-9][0-9]{0,18}")
_SAMPLED: Final = 1


class TraceContext(NamedTuple):
    """A span's place: the trace that it belongs to, and its own id there."""

    trace_id: int
    span_id: int
    is_sampled: bool = True


class Hop(StrEnum):
    """The spans behind a request, in the order of the data flow."""

    COMMAND = "command"
    DECIDE = "decide"
    LEDGER = "ledger"


class Span(Protocol):
    """A piece of work of a sampled request; one that is never ended is never told of."""

    @property
    def context(self) -> TraceContext:
        """What the next hop is told."""
        ...

    def child(self, hop: Hop) -> "Span":
        """Begin a part of this work in the same process."""
        ...

    def end(self, problem: str = "", attributes: Mapping[str, str | int] | None = None) -> None:
        """The work is done; `problem` says what went wrong. Never put a user's data into either."""
        ...


class Tracing(Protocol):
    """Makes spans and sends them off behind everybody's back; never waits, never raises."""

    @property
    def takes_parents(self) -> bool:
        """Whether the traceparent of a request from a trusted proxy is believed."""
        ...

    def request(self, name: str, parent: TraceContext | None) -> Span | None:
        """Begin a request's span, None when it is not sampled: by its parent's word, else by its trace id."""
        ...

    def span(self, hop: Hop, parent: TraceContext, started_ns: int) -> Span:
        """Go on with a sampled trace that came from another process. `started_ns`: since 1970."""
        ...


def parse_traceparent(text: bytes) -> TraceContext | None:
    """Read a W3C traceparent of this version or a later one; None when it is none."""
    if len(text) > _TRACEPARENT_SIZE_BYTES_MAX:
        return None
    match = _TRACEPARENT.fullmatch(text)
    if match is None:
        return None
    version, more = match[1], match[5]
    context = TraceContext(int(match[2], 16), int(match[3], 16), bool(int(match[4], 16) & _SAMPLED))
    is_known = version != b"ff" and (version != b"00" or more is None)
    return context if is_known and context.trace_id and context.span_id else None


def traces_header(contexts: Mapping[int, TraceContext]) -> Headers:
    """Headers of a record that holds these sampled commands, by command id; none for none of them."""
    if not contexts:
        return ()
    entries = [
        b"%d:00-%032x-%016x-01" % (command_id, context.trace_id, context.span_id)
        for command_id, context in contexts.items()
    ]
    return ((_HEADER_NAME, b",".join(entries[:TRACED_COMMANDS_MAX])),)


def traced_commands(headers: Headers) -> dict[int, TraceContext]:
    """The sampled commands that a record's headers name. Never raises."""
    value = next((value for name, value in headers if name == _HEADER_NAME), b"")
    if not value or len(value) > _HEADER_SIZE_BYTES_MAX:
        return {}
    found: dict[int, TraceContext] = {}
    for entry in value.split(b",", TRACED_COMMANDS_MAX)[:TRACED_COMMANDS_MAX]:
        command_id, _, traceparent = entry.partition(b":")
        context = parse_traceparent(traceparent)
        if context is not None and context.is_sampled and _COMMAND_ID.fullmatch(command_id):
            found[int(command_id)] = context
    return found
