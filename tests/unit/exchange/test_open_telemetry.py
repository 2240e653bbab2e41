"""Who is sampled, where spans go, and what happens when nobody takes them."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY

from exchange.adapters.chosen.tracing import open_tracing
from exchange.adapters.otlp.spans import OpenTelemetry
from exchange.process.config import Settings, SettingsError
from exchange.process.tracing import Hop, TraceContext

ROOT = Path(__file__).parents[3]


def dropped(reason: str) -> float:
    return REGISTRY.get_sample_value("exchange_tracing_spans_dropped_total", {"reason": reason}) or 0.0


class Stuck(SpanExporter):
    """A collector that takes nothing and does not answer."""

    def __init__(self) -> None:
        self.is_called = threading.Event()
        self.released = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.is_called.set()
        self.released.wait(60)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.released.set()


class Receiver:
    """A collector: the smallest OTLP/HTTP server."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/v1/traces":
                    receiver.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


async def test_the_trace_id_decides_as_opentelemetrys_own_sampler_does() -> None:
    memory = InMemorySpanExporter()
    tracing = OpenTelemetry(memory, service="order", share=0.2)
    spans = [tracing.request("order.place", None) for _ in range(3_000)]
    sampled = [span for span in spans if span is not None]
    assert 300 < len(sampled) < 900
    theirs = TraceIdRatioBased(0.2)
    for span in sampled:
        decision = theirs.should_sample(None, span.context.trace_id, "order.place").decision
        assert decision is Decision.RECORD_AND_SAMPLE
        span.end()
    assert len({span.context.trace_id for span in sampled}) == len(sampled)
    await tracing.close()
    assert {span.context.trace_id for span in memory.get_finished_spans()} == {
        span.context.trace_id for span in sampled
    }


@pytest.mark.parametrize(("share", "is_sampled"), [(0.0, True), (1.0, False), (0.0, False), (1.0, True)])
async def test_a_parents_decision_stands_whatever_the_share(share: float, is_sampled: bool) -> None:
    memory = InMemorySpanExporter()
    tracing = OpenTelemetry(memory, service="order", share=share)
    span = tracing.request("order.place", TraceContext(11, 22, is_sampled))
    assert (span is not None) is is_sampled
    if span is not None:
        span.end()
    await tracing.close()
    assert [(s.context.trace_id, s.parent and s.parent.span_id) for s in memory.get_finished_spans()] == [
        (11, 22)
    ] * is_sampled


async def test_no_and_every_request_is_sampled_at_the_ends_of_the_range() -> None:
    for share, wanted in ((0.0, 0), (1.0, 200)):
        tracing = OpenTelemetry(InMemorySpanExporter(), service="order", share=share)
        assert sum(tracing.request("x", None) is not None for _ in range(200)) == wanted
        await tracing.close()


async def test_spans_arrive_at_a_collector_before_the_process_ends(receiver: Receiver) -> None:
    settings = Settings(tracing_endpoint=receiver.url, tracing_share=1.0)
    async with open_tracing(settings, "order") as tracing:
        assert tracing is not None
        root = tracing.request("order.place", None)
        assert root is not None
        command = root.child(Hop.COMMAND)
        command.end("no outcome")
        root.end(attributes={"http.response.status_code": 504})
    (found,) = receiver.requests
    (resource,) = found.resource_spans
    attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert attributes["service.name"] == "order"
    spans = {span.name: span for span in resource.scope_spans[0].spans}
    assert set(spans) == {"order.place", "command"}
    assert spans["command"].trace_id == spans["order.place"].trace_id
    assert spans["command"].parent_span_id == spans["order.place"].span_id
    assert spans["command"].status.message == "no outcome"
    assert not spans["order.place"].parent_span_id


@pytest.mark.slow
async def test_when_nobody_takes_spans_they_are_dropped_counted_and_nobody_waits() -> None:
    stuck = Stuck()
    tracing = OpenTelemetry(stuck, service="order", share=1.0, queued_max=10)
    before, lost_before = dropped("queue full"), dropped("not delivered")
    for _ in range(25):
        span = tracing.request("order.place", None)
        assert span is not None
        span.end()
    assert await asyncio.to_thread(stuck.is_called.wait, 30)
    assert dropped("queue full") - before == 15
    async with asyncio.timeout(30):
        await tracing.close()
    assert dropped("not delivered") - lost_before == 10
    span = tracing.request("order.place", None)
    assert span is not None
    span.end()


@pytest.mark.slow
async def test_a_collector_that_is_not_there_keeps_no_process_from_ending() -> None:
    settings = Settings(tracing_endpoint="http://127.0.0.1:9/v1/traces", tracing_share=1.0)
    lost_before = dropped("not delivered")
    async with asyncio.timeout(60), open_tracing(settings, "order") as tracing:
        assert tracing is not None
        span = tracing.span(Hop.LEDGER, TraceContext(1, 2), 1_700_000_000_000_000_000)
        span.end()
    assert dropped("not delivered") - lost_before == 1


async def test_hops_have_their_kind_their_start_and_their_parent() -> None:
    memory = InMemorySpanExporter()
    tracing = OpenTelemetry(memory, service="engine", share=0.0)
    span = tracing.span(Hop.DECIDE, TraceContext(11, 22), 1_700_000_000_000_000_000)
    span.end(attributes={"exchange.seq": 5})
    await tracing.close()
    (found,) = memory.get_finished_spans()
    assert found.start_time == 1_700_000_000_000_000_000
    assert (found.name, found.kind, dict(found.attributes or {})) == (
        "decide",
        SpanKind.CONSUMER,
        {"exchange.seq": 5},
    )
    assert found.parent is not None
    assert (found.parent.trace_id, found.parent.span_id) == (11, 22)


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "ftp://collector/v1", "http://", "http://user:secret@collector/v1/traces"]
)
async def test_an_endpoint_that_is_none_is_refused_in_words(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="EXCHANGE_TRACING_ENDPOINT"):
        async with open_tracing(Settings(tracing_endpoint=endpoint), "order"):
            pass


@pytest.mark.slow
def test_switched_off_nothing_that_makes_or_sends_spans_is_imported() -> None:
    """redis-py imports the SDK's metrics wherever it finds them; nobody asks it to measure."""
    program = (
        "import asyncio, sys\n"
        "import services.order.main, services.projections.main, matching_engine.main\n"
        "import matching_engine.runner\n"
        "from exchange.adapters.chosen.tracing import open_tracing\n"
        "from exchange.process.config import Settings\n"
        "async def main():\n"
        "    async with open_tracing(Settings(), 'order') as tracing:\n"
        "        assert tracing is None\n"
        "asyncio.run(main())\n"
        "unwanted = ('opentelemetry.sdk.trace', 'opentelemetry.exporter', 'requests', 'google.protobuf')\n"
        "print([name for name in sys.modules if name.startswith(unwanted)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
