"""What tracing costs an order, in processor time: `python -m tests.unit.order.tracing_cost --share 0.01`.

Orders go through the whole service in memory (signature, placement, command log, engine, event log, answer),
and none rests, so that each costs the same. Without --share there is no tracer. Compare several runs of each.
"""

import argparse
import asyncio
import time
from typing import Any
from urllib.parse import urlencode

from tests.unit.order.order_exchange import ALICE, KEYS, OrderExchange, limit_order, running_exchange, sign

WARM_UP = 500


def signed_order() -> str:
    """A request that is good for a minute."""
    order = limit_order("BUY", "50000", "0.001", timeInForce="IOC")
    payload = urlencode({**order, "recvWindow": 60_000, "timestamp": time.time_ns() // 1_000_000})
    return f"{payload}&signature={sign(payload.encode(), ALICE)}"


async def place(exchange: OrderExchange, orders: int) -> float:
    """Microseconds of processor time an order."""
    requests = [signed_order() for _ in range(orders)]
    headers = {"X-MBX-APIKEY": KEYS[ALICE]}
    started = time.process_time()
    for request in requests:
        answer = await exchange.raw("POST", "/order", request, headers=headers)
        assert answer.status_code == 200, answer.text
    return (time.process_time() - started) / orders * 1_000_000


async def measure(orders: int, share: float | None) -> float:
    """The same, with a tracer whose spans end in memory."""
    if share is None:
        async with running_exchange() as exchange:
            await place(exchange, WARM_UP)
            return await place(exchange, orders)
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from exchange.adapters.otlp.spans import OpenTelemetry

    tracing = OpenTelemetry(InMemorySpanExporter(), service="order", share=share)
    arguments: dict[str, Any] = {"tracing": tracing}
    async with running_exchange(**arguments) as exchange:
        await place(exchange, WARM_UP)
        cost_us = await place(exchange, orders)
    await tracing.close()
    return cost_us


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=3_000)
    parser.add_argument("--share", type=float, default=None)
    given = parser.parse_args()
    print(f"{asyncio.run(measure(given.orders, given.share)):.1f}")
