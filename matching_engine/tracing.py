"""The engine's part of a trace: what the runner tells of sampled commands. The core knows nothing."""

from collections.abc import Sequence

from exchange.contracts.chain import ChainLink
from exchange.contracts.codec import CommandOutcome, outcomes_of
from exchange.ports.world import Headers, LogRecord
from exchange.process.tracing import Hop, Span, Tracing, traced_commands, traces_header

__all__ = ["DecisionSpans"]


class DecisionSpans:
    """The spans of one gulp of a leader: from when it was read until its outcomes are on the event log."""

    def __init__(
        self,
        tracing: Tracing,
        records: Sequence[LogRecord],
        links: Sequence[ChainLink],
        started_ns: int,
    ) -> None:
        self._spans: dict[int, tuple[Span, CommandOutcome]] = {}
        traced = {
            command_id: parent
            for record in records
            if record.headers
            for command_id, parent in traced_commands(record.headers).items()
        }
        if not traced:
            return
        for outcome in outcomes_of(links):
            # Each once: a header may name commands that are not there, or not this one's alone.
            parent = traced.pop(outcome.command_id, None)
            if parent is not None:
                span = tracing.span(Hop.DECIDE, parent, started_ns)
                self._spans[outcome.command_id] = span, outcome

    def headers(self) -> Headers:
        """What the event record says of them."""
        return traces_header({command_id: span.context for command_id, (span, _) in self._spans.items()})

    def published(self) -> None:
        """The event log has taken the outcomes."""
        for span, outcome in self._spans.values():
            place = {
                "exchange.command_offset": outcome.command_offset,
                "exchange.seq": outcome.events[-1].seq,
            }
            span.end(attributes=place)
