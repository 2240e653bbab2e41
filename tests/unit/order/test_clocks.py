"""The engine's clock minutes away from ours: receive windows are counted by it, and nobody is locked out."""

import time

import pytest

from tests.unit.order.order_exchange import ALICE, OrderExchange, limit_order, running_exchange


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def skewed(exchange: OrderExchange, skew_ms: int) -> None:
    """From now on the broker's clock is away from ours; the service sees one outcome of it."""
    exchange.command_log._clock_ms = lambda: now_ms() + skew_ms
    # An engine's clock never goes back, and this one has seen our time already.
    exchange.stream.engine.now_ms = 0
    await exchange.request("DELETE", "/order", ALICE, symbol="BTCUSDT", origClientOrderId="unknown")


@pytest.mark.parametrize("skew_ms", [300_000, 6_000, 0, -6_000])
async def test_a_broker_s_clock_locks_no_trader_out(skew_ms: int) -> None:
    """A broker five minutes fast once made every order -1021, although /time and the service agreed."""
    async with running_exchange() as exchange:
        await skewed(exchange, skew_ms)
        answer = await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "100", "1"))
        assert (answer.status_code, answer.json().get("status")) == (200, "NEW")


async def test_a_window_is_not_made_longer_where_the_clocks_agree(exchange: OrderExchange) -> None:
    await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "100", "1"))
    assert -1_000 <= exchange.service.engine.clock.skew_ms <= 0
    sent_ms = now_ms()
    await exchange.request(
        "POST", "/order", ALICE, timestamp=sent_ms, recvWindow=3_000, **limit_order("BUY", "100", "1")
    )
    assert sent_ms + 2_000 <= exchange.commands[-1].valid_until_ms <= sent_ms + 3_000  # type: ignore[attr-defined]


async def test_a_late_outcome_costs_a_window_no_more_than_a_second(exchange: OrderExchange) -> None:
    engine = exchange.service.engine
    engine.clock._greatest = engine.clock._greatest_before = -3_600_000
    assert engine.on_its_clock(10_000) == 9_000
    assert engine.on_its_clock(0) == 0
