"""The trace of one order, drawn: `python -m tests.e2e.one_trace` writes docs/trace.svg anew.

A stack of its own whose services send each span to a collector here; after orders that warm it up, one whose
hops are drawn as the collector got them.
"""

import time
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from local.exchange_process import ExchangeProcess
from tests.e2e.trader import Trader
from tests.unit.exchange.test_open_telemetry import Receiver

__all__ = ["Hop", "drawn", "hops_of"]

PICTURE: Final = Path(__file__).parents[2] / "docs" / "trace.svg"
WARMING_ORDERS: Final = 300
# What has to be there, and its colour.
HOPS: Final = {"order.place": "#3b78c4", "command": "#3b78c4", "decide": "#b36b00", "ledger": "#2f8f5b"}
WAIT_S: Final = 60.0
WIDTH, LEFT, RIGHT, ROW, TOP = 900, 190, 24, 34, 52


class Hop(NamedTuple):
    """One span. Times in ns since 1970, by the clock of the process that made it."""

    service: str
    name: str
    started_ns: int
    ended_ns: int


def hops_of(receiver: Receiver) -> dict[bytes, list[Hop]]:
    """What has arrived, by trace, each in the order of its beginnings."""
    found: dict[bytes, list[Hop]] = {}
    for request in list(receiver.requests):
        for resource in request.resource_spans:
            attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    times = span.start_time_unix_nano, span.end_time_unix_nano
                    hop = Hop(attributes["service.name"], span.name, *times)
                    found.setdefault(span.trace_id, []).append(hop)
    return {trace_id: sorted(hops, key=lambda hop: hop.started_ns) for trace_id, hops in found.items()}


def drawn(hops: list[Hop], title: str) -> str:
    """An SVG: a bar a hop, with when it began and how long it took."""
    first_ns = min(hop.started_ns for hop in hops)
    whole_ns = max(hop.ended_ns for hop in hops) - first_ns
    scale = (WIDTH - LEFT - RIGHT) / whole_ns
    height = TOP + ROW * len(hops) + 12
    rows = []
    for at, hop in enumerate(hops):
        y, x = TOP + ROW * at, LEFT + (hop.started_ns - first_ns) * scale
        width = max(2.0, (hop.ended_ns - hop.started_ns) * scale)
        took = f"{(hop.ended_ns - hop.started_ns) / 1e6:.2f} ms, from {(hop.started_ns - first_ns) / 1e6:.2f}"
        inside = x + width + 200 > WIDTH
        place = (
            f'x="{x + width - 6:.1f}" text-anchor="end" fill="#fff"' if inside else f'x="{x + width + 6:.1f}"'
        )
        rows.append(
            f'<text x="12" y="{y + 20}">{escape(f"{hop.service}: {hop.name}")}</text>'
            f'<rect x="{x:.1f}" y="{y + 4}" width="{width:.1f}" height="24" fill="{HOPS[hop.name]}"/>'
            f'<text {place} y="{y + 20}">{took}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="13"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="12" y="28" font-weight="bold">{escape(title)}</text>{"".join(rows)}</svg>\n'
    )


def _traced(trader: Trader, receiver: Receiver) -> list[Hop]:
    """The hops of one order that is placed now."""
    before = set(hops_of(receiver))
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    trader.ask("POST", "/api/v3/order", **order, quantity="0.01", price="40000")
    give_up = time.monotonic() + WAIT_S
    while time.monotonic() < give_up:
        for trace_id, hops in hops_of(receiver).items():
            if trace_id not in before and {hop.name for hop in hops} == set(HOPS):
                return hops
        time.sleep(0.2)
    raise TimeoutError("the order's hops did not all arrive")


def main() -> None:
    """Write the picture."""
    receiver = Receiver()
    settings = {"EXCHANGE_TRACING_ENDPOINT": receiver.url, "EXCHANGE_TRACING_SHARE": "1"}
    try:
        with ExchangeProcess("stack", settings=settings) as exchange:
            trader = Trader.sign_up(exchange.url, deposits={"BTC": "10", "USDT": "1000000"})
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
            for _ in range(WARMING_ORDERS):
                trader.ask("POST", "/api/v3/order", **order, quantity="0.001", price="30000")
                trader.ask("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
            hops = _traced(trader, receiver)
            trader.close()
    finally:
        receiver.close()
    PICTURE.write_text(drawn(hops, "One limit order on make stack, from its request to the ledger"), "utf-8")
    for hop in hops:
        print(hop.service, hop.name, (hop.ended_ns - hop.started_ns) / 1e6, "ms")


if __name__ == "__main__":
    main()
