"""Spans of requests and of their commands, and what the command log says of them."""

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from exchange.adapters.memory.log import MemoryLog
from exchange.adapters.otlp.spans import OpenTelemetry
from exchange.contracts.codec import CommandOutcome, decode_commands, encode_commands
from exchange.contracts.commands import SetTradingMode
from exchange.log.gateway import CommandGateway
from exchange.process.tracing import traced_commands
from tests.unit.exchange.test_open_telemetry import Stuck, dropped
from tests.unit.order.order_exchange import ALICE, limit_order, running_exchange
from tests.unit.order.ws_client import connected

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Traces:
    """A tracer, and the spans that it made."""

    def __init__(self, share: float = 1.0, *, takes_parents: bool = False) -> None:
        self.memory = InMemorySpanExporter()
        self.tracing = OpenTelemetry(self.memory, service="order", share=share, takes_parents=takes_parents)

    async def take(self) -> dict[str, ReadableSpan]:
        """The spans by name; ends the tracer."""
        await self.tracing.close()
        return {span.name: span for span in self.memory.get_finished_spans()}


async def test_a_request_has_a_span_and_its_command_a_child_until_the_engines_answer() -> None:
    traces = Traces()
    async with running_exchange(tracing=traces.tracing) as exchange:
        before = len(exchange.command_log.records)
        answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.1"))
        assert answer.status_code == 200
        (record,) = exchange.command_log.records[before:]
        (command,) = decode_commands(record.value)
    spans = await traces.take()
    request, sent = spans["order.place"], spans["command"]
    assert request.parent is None
    assert sent.parent is not None
    assert sent.parent.span_id == request.context.span_id
    assert dict(request.attributes or {}) == {"http.response.status_code": 200, "exchange.code": 0}
    told = traced_commands(record.headers)[command.command_id]
    assert (told.trace_id, told.span_id) == (request.context.trace_id, sent.context.span_id)


async def test_a_refusal_ends_its_span_and_tells_its_code_but_nothing_of_the_user() -> None:
    traces = Traces()
    async with running_exchange(tracing=traces.tracing) as exchange:
        refused = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "25"))
        assert refused.json()["code"] == -2010
        assert (await exchange.raw("GET", "/nowhere")).status_code == 404
    spans = await traces.take()
    assert set(spans) == {"order.place", "command"}, "what is no endpoint has no span"
    assert dict(spans["order.place"].attributes or {}) == {
        "http.response.status_code": 400,
        "exchange.code": -2010,
    }
    assert not spans["command"].attributes


async def test_the_websocket_api_traces_each_request_by_itself() -> None:
    traces = Traces()
    async with running_exchange(tracing=traces.tracing) as exchange, connected(exchange) as socket:
        placed = await socket.ask_signed("order.place", ALICE, **limit_order("BUY", "50000", "0.1"))
        assert placed["status"] == 200
        bad = await socket.ask("order.status", apiKey="no such key")
        assert bad["status"] != 200
        # A span ends after its answer went out.
        await socket.ask("ping")
    spans = await traces.take()
    assert set(spans) == {"order.place", "command", "order.status"}
    assert spans["order.status"].context.trace_id != spans["order.place"].context.trace_id
    assert (spans["order.status"].attributes or {})["exchange.code"] == bad["error"]["code"]
    assert spans["command"].parent is not None
    assert spans["command"].parent.span_id == spans["order.place"].context.span_id


async def test_unsampled_commands_leave_no_header() -> None:
    traces = Traces(share=0.0)
    async with running_exchange(tracing=traces.tracing) as exchange:
        for _ in range(3):
            await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.1"))
        assert len(exchange.command_log.records) >= 3
        assert not [record.headers for record in exchange.command_log.records if record.headers]
    assert not await traces.take()


async def test_commands_of_one_record_keep_their_own_traces_and_the_value_does_not_know_of_them() -> None:
    traces = Traces()
    log = MemoryLog(lambda: 1)
    gateway = CommandGateway(await log.writer(), tick_ms=5, deadline_ms=5_000)
    sending = asyncio.create_task(gateway.run())
    commands = [SetTradingMode(number, 1, 1) for number in (7, 8, 9)]
    requests = [traces.tracing.request(f"request {number}", None) for number in (7, 8)]
    waiting = [
        asyncio.create_task(gateway.submit(command, trace=request))
        for command, request in zip(commands, [*requests, None], strict=True)
    ]
    while not log.records:
        await asyncio.sleep(0.001)
    gateway.resolve(CommandOutcome(0, 0, command.command_id, 0, ()) for command in commands)
    await asyncio.gather(*waiting)
    sending.cancel()
    (record,) = log.records
    assert record.value == encode_commands(commands), "the same bytes as without tracing"
    told = traced_commands(record.headers)
    assert list(told) == [7, 8]
    for request, number in zip(requests, (7, 8), strict=True):
        assert request is not None
        assert told[number].trace_id == request.context.trace_id
    assert told[7].trace_id != told[8].trace_id
    assert not gateway._traced
    await traces.take()


async def test_a_command_without_outcome_ends_its_span_with_a_problem() -> None:
    traces = Traces()
    async with running_exchange(tracing=traces.tracing, command_deadline_ms=50) as exchange:
        exchange.is_engine_away = True
        answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.1"))
        assert answer.json()["code"] == -1007
        assert not exchange.service.engine.gateway._traced
    spans = await traces.take()
    assert spans["command"].status.description == "no outcome"
    assert spans["order.place"].status.description == "-1007"


@pytest.mark.slow
async def test_orders_are_answered_while_the_collector_is_away() -> None:
    stuck = Stuck()
    tracing = OpenTelemetry(stuck, service="order", share=1.0, queued_max=4)
    before = dropped("queue full")
    async with running_exchange(tracing=tracing) as exchange:
        for _ in range(10):
            answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "0.1"))
            assert answer.status_code == 200
    assert dropped("queue full") - before == 10 * 2 - 4
    await tracing.close()


@pytest.mark.parametrize(
    ("peer", "takes_parents", "is_believed"),
    [
        ("127.0.0.1", True, True),
        ("127.0.0.1", False, False),
        ("203.0.113.9", True, False),
    ],
)
async def test_a_traceparent_is_believed_only_from_a_trusted_proxy(
    peer: str, takes_parents: bool, is_believed: bool
) -> None:
    traces = Traces(takes_parents=takes_parents)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async with running_exchange(tracing=traces.tracing) as exchange:
        inner: Any = exchange.app
        app = ProxyHeadersMiddleware(inner, trusted_hosts="127.0.0.1")
        scope: Any = {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "path": "/api/v3/openOrders",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"x-forwarded-for", b"198.51.100.7"), (b"traceparent", TRACEPARENT.encode())],
            "client": (peer, 4711),
        }
        await app(scope, receive, send)
    assert sent[0]["status"] == 401, "it names no key"
    (span,) = (await traces.take()).values()
    assert (f"{span.context.trace_id:032x}" in TRACEPARENT) is is_believed
    assert (span.parent is not None) is is_believed
