"""Spans by OpenTelemetry, sent by OTLP over HTTP from a thread of their own.

At most SPANS_QUEUED_MAX spans wait; when the collector is away or slow, further ones are dropped and
counted. Nothing here is global: one process may hold several.
"""

import asyncio
import logging
import random
import socket
from collections.abc import Mapping, Sequence
from typing import Final

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as OpenTelemetrySpan
from prometheus_client import Counter

from exchange.process.tracing import Hop, Span, TraceContext

__all__ = ["OpenTelemetry", "otlp_exporter"]

logger = logging.getLogger(__name__)
SPANS_QUEUED_MAX: Final = 2_048
# Encoding a batch holds the interpreter's lock: some milliseconds of it at most.
_SPANS_PER_BATCH: Final = 64
_BATCH_EVERY_MS: Final = 1_000
_EXPORT_DEADLINE_S: Final = 2.0
_CLOSE_DEADLINE_S: Final = 3.0
_TRACE_ID_BITS: Final = 128
# The part of a trace id that OpenTelemetry's own samplers, in all languages, decide by.
_DECIDING_BITS: Final = 64
_KINDS: Final = {Hop.COMMAND: SpanKind.PRODUCER, Hop.DECIDE: SpanKind.CONSUMER, Hop.LEDGER: SpanKind.CONSUMER}

_sent_total = Counter("exchange_tracing_spans_sent_total", "Spans that the collector has taken")
_dropped_total = Counter("exchange_tracing_spans_dropped_total", "Spans that nobody will see", ["reason"])
_queue_full = _dropped_total.labels("queue full")
_not_delivered = _dropped_total.labels("not delivered")


def otlp_exporter(endpoint: str) -> SpanExporter:
    """Sends spans to an OTLP/HTTP URL."""
    session = requests.Session()
    # The collector stands beside us; a proxy of the environment is for what is further away.
    session.trust_env = False
    return OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_DEADLINE_S, session=session)


class OpenTelemetry:
    """A `Tracing`. `share`: the part of requests to sample, 0 to 1, of those that no parent decides."""

    def __init__(
        self,
        exporter: SpanExporter,
        *,
        service: str,
        share: float,
        takes_parents: bool = False,
        queued_max: int = SPANS_QUEUED_MAX,
    ) -> None:
        self.takes_parents = takes_parents
        self._bound = TraceIdRatioBased.get_bound_for_rate(share)
        self._ids = _ChosenTraceIds()
        self._exporter = _CountingExporter(exporter)
        self._queue = _BoundedQueue(self._exporter, queued_max)
        # Who is sampled was decided before: the SDK sees nobody else.
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource(
                {
                    "service.name": service,
                    "service.namespace": "exchange",
                    "service.instance.id": socket.gethostname(),
                }
            ),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._queue)
        self._tracer = provider.get_tracer("exchange")

    def request(self, name: str, parent: TraceContext | None) -> Span | None:
        """See `Tracing`."""
        if parent is not None:
            if not parent.is_sampled:
                return None
            return _Span(self, self._tracer.start_span(name, _remote(parent), SpanKind.SERVER))
        trace_id = random.getrandbits(_TRACE_ID_BITS) or 1
        if trace_id % (1 << _DECIDING_BITS) >= self._bound:
            return None
        self._ids.next_trace_id = trace_id
        return _Span(self, self._tracer.start_span(name, Context(), SpanKind.SERVER))

    def span(self, hop: Hop, parent: TraceContext, started_ns: int | None = None) -> Span:
        """See `Tracing`."""
        return _Span(
            self, self._tracer.start_span(hop.value, _remote(parent), _KINDS[hop], start_time=started_ns)
        )

    async def close(self) -> None:
        """Send what waits, for a few seconds at most; the rest is dropped."""
        closing = asyncio.create_task(asyncio.to_thread(self._queue.shutdown))
        _, late = await asyncio.wait([closing], timeout=_CLOSE_DEADLINE_S)
        if late:
            # Interrupts the waits between tries; then the thread ends after the try that is under way.
            self._exporter.shutdown()
            await asyncio.wait([closing], timeout=_EXPORT_DEADLINE_S)
        left = self._queue.waiting
        if left:
            _not_delivered.inc(left)
            logger.warning("%d spans were not sent", left)


def _remote(parent: TraceContext) -> Context:
    """A span of another process, as the SDK wants its parents."""
    place = SpanContext(
        parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return set_span_in_context(NonRecordingSpan(place), Context())


class _ChosenTraceIds(RandomIdGenerator):
    """Gives a new trace the id by which it was sampled."""

    next_trace_id = 0

    def generate_trace_id(self) -> int:
        chosen, self.next_trace_id = self.next_trace_id, 0
        return chosen or super().generate_trace_id()


class _Span:
    __slots__ = ("_span", "_tracing", "context")

    def __init__(self, tracing: OpenTelemetry, span: OpenTelemetrySpan) -> None:
        self._tracing = tracing
        self._span = span
        found = span.get_span_context()
        self.context = TraceContext(found.trace_id, found.span_id)

    def child(self, hop: Hop) -> Span:
        return self._tracing.span(hop, self.context)

    def end(self, problem: str = "", attributes: Mapping[str, str | int] | None = None) -> None:
        if attributes:
            self._span.set_attributes(attributes)
        if problem:
            self._span.set_status(Status(StatusCode.ERROR, problem))
        self._span.end()


class _CountingExporter(SpanExporter):
    """Counts what has left, delivered or not. Used by one thread."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_closed = False
        self.left = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            if not self._is_closed:
                result = self._exporter.export(spans)
        finally:
            self.left += len(spans)
            counter = _sent_total if result is SpanExportResult.SUCCESS else _not_delivered
            counter.inc(len(spans))
        return result

    def shutdown(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._exporter.shutdown()


class _BoundedQueue(SpanProcessor):
    """The SDK's batches behind a bound of our own: the SDK does not tell how many spans it drops.

    `_taken` is written by the event loop's thread alone, the exporter's `left` by the SDK's.
    """

    def __init__(self, exporter: _CountingExporter, spans_max: int) -> None:
        self._exporter = exporter
        self._spans_max = spans_max
        self._taken = 0
        self._batches = BatchSpanProcessor(
            exporter,
            max_queue_size=spans_max,
            schedule_delay_millis=_BATCH_EVERY_MS,
            max_export_batch_size=min(_SPANS_PER_BATCH, spans_max),
        )

    @property
    def waiting(self) -> int:
        """Spans that have not left."""
        return self._taken - self._exporter.left

    def on_end(self, span: ReadableSpan) -> None:
        if self.waiting >= self._spans_max:
            _queue_full.inc()
            return
        self._taken += 1
        self._batches.on_end(span)

    def shutdown(self) -> None:
        self._batches.shutdown()  # type: ignore[no-untyped-call]
