"""One trace from REST through Kafka to the ledger; the log alone connects its parts."""

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, cast

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from exchange.adapters.files.objects import FolderStore
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.topics import ensure_topics
from exchange.adapters.memory.log import MemoryLog
from exchange.adapters.otlp.spans import OpenTelemetry
from exchange.adapters.postgres.pool import close_pool, open_pool
from exchange.contracts.codec import decode_commands, encode_commands
from exchange.contracts.commands import Command, CreditDeposit, Malformed
from exchange.ports.world import Headers, Log, LogRecord
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from exchange.process.tracing import TraceContext, traced_commands, traces_header
from loadtest.bench.workload import Mischief
from matching_engine.genesis import write_genesis
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots
from services.migrations import migrate
from services.order.component import OrderService
from services.projections.ledger.projection import LedgerProjection
from tests.event_streams import ONE
from tests.integration.test_engine_runner import Place, caught_up, running
from tests.unit.order.order_exchange import ALICE, FakeCache, FakeCredentials, OrderExchange, limit_order

WAIT_S = 60.0
SEED = 5


class Traces:
    """A process's tracer, and the spans that it made."""

    def __init__(self, service: str, share: float = 1.0) -> None:
        self.memory = InMemorySpanExporter()
        self.tracing = OpenTelemetry(self.memory, service=service, share=share)

    async def take(self) -> list[ReadableSpan]:
        """All its spans; ends the tracer."""
        await self.tracing.close()
        return list(self.memory.get_finished_spans())


async def all_records(log: Log) -> list[LogRecord]:
    end = await log.end_offset()
    reader = await log.reader(0)
    found: list[LogRecord] = []
    async with asyncio.timeout(WAIT_S):
        while len(found) < end:
            found += await reader.read(1_000)
    await reader.close()
    return found


@pytest.fixture
async def logs(kafka_bootstrap: str) -> tuple[KafkaLog, KafkaLog]:
    cluster = KafkaCluster(kafka_bootstrap, 20_000)
    names = [f"test.{kind}.{uuid.uuid4().hex[:8]}" for kind in ("commands", "events")]
    await ensure_topics(cluster, names, replicas=1)
    return KafkaLog(cluster, names[0]), KafkaLog(cluster, names[1])


@contextlib.asynccontextmanager
async def at_work(components: Iterable[Component]) -> AsyncIterator[None]:
    """Components, each of which would be a process of its own."""
    tasks: list[asyncio.Task[None]] = []
    started: list[Component] = []
    try:
        for component in components:
            started.append(component)
            await component.start()
            tasks.append(asyncio.create_task(component.run()))
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for component in reversed(started):
            await component.stop()


class Client(OrderExchange):
    """The requests of that class, against a service over real logs."""

    def __init__(self, service: OrderService) -> None:
        from services.order.api import create_app

        self.service = service
        self.app = create_app(service)


async def ledger_reaches(ledger: LedgerProjection, engine: EngineRunner) -> None:
    async with asyncio.timeout(WAIT_S):
        while ledger.last_seq < engine.shard.engine.seq:
            await asyncio.sleep(0.01)


@pytest.mark.integration
async def test_one_trace_spans_all_hops_over_kafka_and_postgresql(
    logs: tuple[KafkaLog, KafkaLog], database_dsn: str, tmp_path: Path
) -> None:
    commands, events = logs
    settings = Settings(database_dsn=SecretStr(database_dsn), log_deadline_ms=20_000, command_tick_ms=50)
    database = await open_pool(settings)
    async with database.acquire() as connection:
        await migrate(connection)
    await write_genesis(commands)
    writer = await commands.writer()
    deposits: list[Command] = [CreditDeposit(n, ALICE, n, 10**6 * ONE, n) for n in (1, 2, 3)]
    await writer.append(encode_commands(deposits))
    await writer.close()
    order_traces, engine_traces, ledger_traces = Traces("order"), Traces("engine"), Traces("ledger")
    resources = Resources(settings, commands, events, database, cast("Any", FakeCache()))
    engine = EngineRunner(
        commands,
        events,
        Snapshots(FolderStore(tmp_path)),
        shard_number=0,
        snapshot_every_commands=10**9,
        tracing=engine_traces.tracing,
    )
    ledger = LedgerProjection(resources, tracing=ledger_traces.tracing)
    service = OrderService(resources, FakeCredentials(), tracing=order_traces.tracing)
    try:
        async with at_work([engine, ledger, service]):
            client = Client(service)
            answers = await asyncio.gather(
                *(client.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.1")) for _ in "ab")
            )
            assert [answer.status_code for answer in answers] == [200, 200]
            await ledger_reaches(ledger, engine)
    finally:
        await close_pool(database, 5_000)
    requests, sent = _split(await order_traces.take())
    decided, written = await engine_traces.take(), await ledger_traces.take()
    assert {span.name for span in decided} == {"decide"}
    assert {span.name for span in written} == {"ledger"}
    traces = {span.context.trace_id for span in requests}
    assert len(traces) == 2, "each request is a trace of its own"
    for trace_id in traces:
        path = [
            next(s for s in spans if s.context.trace_id == trace_id)
            for spans in (requests, sent, decided, written)
        ]
        assert path[0].parent is None
        for parent, child in itertools.pairwise(path):
            assert child.parent is not None
            assert child.parent.span_id == parent.context.span_id
            assert child.start_time is not None
            assert parent.start_time is not None
            assert child.start_time >= parent.start_time
    assert [len(spans) for spans in (requests, sent, decided, written)] == [2, 2, 2, 2]
    assert [span.resource.attributes["service.name"] for span in (sent[0], decided[0], written[0])] == [
        "order",
        "engine",
        "ledger",
    ]
    labelled = [record for record in await all_records(commands) if record.headers]
    assert len(labelled) == 1, "both commands travelled in one record"
    assert list(traced_commands(labelled[0].headers)) == [
        c.command_id for c in decode_commands(labelled[0].value)
    ]


def _split(spans: list[ReadableSpan]) -> tuple[list[ReadableSpan], list[ReadableSpan]]:
    names = ("order.place", "command")
    first, second = ([span for span in spans if span.name == name] for name in names)
    return first, second


def mischief(headers_of: Any) -> list[tuple[bytes, Headers]]:
    """The same commands each time, in records of five, with headers."""
    print("seed", SEED)
    source = Mischief(SEED)
    commands = [c for c in [*source.setup(), *source.take(200)] if not isinstance(c, Malformed)]
    chunks = [commands[i : i + 5] for i in range(0, len(commands), 5)]
    return [(encode_commands(chunk), headers_of(chunk)) for chunk in chunks]


def all_sampled(commands: list[Command]) -> Headers:
    return traces_header({c.command_id: TraceContext(7, c.command_id) for c in commands})


async def events_of(
    place: Place, traces: Traces | None, records: list[tuple[bytes, Headers]]
) -> list[LogRecord]:
    """Let a live engine decide these, one record after the other."""
    runner = EngineRunner(
        place.command_log,
        place.event_log,
        Snapshots(FolderStore(place.folder / "snapshots")),
        shard_number=0,
        snapshot_every_commands=10**9,
        tracing=None if traces is None else traces.tracing,
    )
    async with running(runner):
        writer = await place.command_log.writer()
        for value, headers in records:
            await writer.append(value, headers)
            await caught_up(place, runner)
    return await all_records(place.event_log)


async def test_events_are_the_same_bytes_with_tracing_and_without(tmp_path: Path) -> None:
    without = await events_of(Place(tmp_path / "a"), None, mischief(lambda _: ()))
    traces = Traces("engine")
    traced = await events_of(Place(tmp_path / "b"), traces, mischief(all_sampled))
    assert traced == without
    assert not any(record.headers for record in without)
    spans = await traces.take()
    # A sender may use an id twice, so not by command.
    told = [context.span_id for record in traced for context in traced_commands(record.headers).values()]
    assert sorted(told) == sorted(span.context.span_id for span in spans)
    assert len(told) > 150


@pytest.mark.parametrize(
    "headers",
    [
        (("exchange-trace", b"\xff" * 50_000),),
        (("exchange-trace", b"12:00-zz"), ("exchange-trace", b"")),
        (("exchange-trace-9", b"of a later version"), ("traceparent", b"00-1-2-3")),
        traces_header({999_999_999: TraceContext(1, 2)}),
    ],
    ids=["oversize", "garbage", "later", "no command of the record"],
)
async def test_headers_that_mean_nothing_change_nothing(tmp_path: Path, headers: Headers) -> None:
    traces = Traces("engine")
    found = await events_of(Place(tmp_path / "a"), traces, mischief(lambda _: headers))
    assert found == await events_of(Place(tmp_path / "b"), None, mischief(lambda _: ()))
    assert not any(record.headers for record in found)
    assert not await traces.take()


async def test_a_replay_makes_no_spans_and_labels_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    writer = await place.command_log.writer()
    records = mischief(all_sampled)
    for value, headers in records:
        await writer.append(value, headers)
    traces = Traces("engine")
    found = await events_of(place, traces, [])
    assert found, "the engine published what the command log held"
    assert not any(record.headers for record in found)
    assert not await traces.take()


async def test_the_ledger_tells_of_what_happens_now_and_not_of_old_records() -> None:
    from services.projections.ledger.tracing import LIVE_AGE_MS_MAX, LedgerSpans
    from tests.event_streams import EngineStream

    stream = EngineStream()
    (old, new) = stream.apply(CreditDeposit(11, ALICE, 1, 5, 1), CreditDeposit(12, ALICE, 1, 5, 2))
    times_ms = iter([1_000, 1_001 + LIVE_AGE_MS_MAX])
    log = MemoryLog(lambda: next(times_ms))
    writer = await log.writer()
    for outcome in (old, new):
        context = TraceContext(7, outcome.command_id)
        await writer.append(stream.record([outcome]), traces_header({outcome.command_id: context}))
    traces = Traces("ledger")
    spans = LedgerSpans(traces.tracing, lambda: (1_001 + LIVE_AGE_MS_MAX) * 1_000_000)
    reader = spans.watching(await log.reader(0))
    await reader.read(1_000)
    spans.written([old, new])
    spans.written([old, new])
    assert [(s.parent and s.parent.span_id) for s in await traces.take()] == [12], (
        "once, and the new one alone"
    )
