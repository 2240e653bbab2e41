"""A load test passes only when rate, latency and answers are as promised; its orders keep their promises."""

import asyncio
import random
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from exchange.process.loop.pulse import beating
from loadtest.orders import MARKETS, deep_order, near_order, shifted
from loadtest.pauses import pauses_in, process_urls
from loadtest.report import judge
from local.operating import write_settings

GOOD = {"requests": 1000, "failures": 0, "rps": 99.0, "p99_ms": 99}


def test_verdict_passes_within_every_limit() -> None:
    assert judge({"total": GOOD}, 100).passed


@pytest.mark.parametrize(
    "change", [{"failures": 1}, {"rps": 97.9}, {"p99_ms": 100}, {"requests": 0, "rps": 0.0}]
)
def test_verdict_fails_on(change: dict[str, float]) -> None:
    verdict = judge({"total": GOOD | change}, 100)
    assert not verdict.passed
    assert verdict.problems


def test_deep_orders_are_out_of_reach_of_near_ones() -> None:
    chance = random.Random(1)
    reached: dict[str, list[float]] = {market.symbol: [] for market in MARKETS}
    for _ in range(5_000):
        symbol, text = near_order(chance)
        reached[symbol].append(price_of(text))
    for _ in range(5_000):
        symbol, text = deep_order(chance)
        if "side=BUY" in text:
            assert price_of(text) < min(reached[symbol])
        else:
            assert price_of(text) > max(reached[symbol])


def test_near_orders_of_both_sides_always_meet_so_none_is_left_for_long() -> None:
    chance = random.Random(2)
    prices: dict[tuple[str, str], list[float]] = {}
    for _ in range(5_000):
        symbol, text = near_order(chance)
        side = "BUY" if "side=BUY" in text else "SELL"
        prices.setdefault((symbol, side), []).append(price_of(text))
    for market in MARKETS:
        assert min(prices[market.symbol, "BUY"]) >= max(prices[market.symbol, "SELL"])


def price_of(text: str) -> float:
    return float(dict(pair.split("=") for pair in text.split("&"))["price"])


def test_decimal_point_is_shifted() -> None:
    assert [shifted(v, 5) for v in (0, 7, 123_456)] == ["0.00000", "0.00007", "1.23456"]


async def test_what_a_process_tells_of_its_pauses_is_read() -> None:
    with beating():
        await asyncio.sleep(0.05)
    told = pauses_in("order", generate_latest().decode())
    assert told.process == "order"
    assert told.longest_callback_ms > 0
    assert "longest callback" in str(told)
    with pytest.raises(KeyError):
        pauses_in("another", "# TYPE up gauge\nup 1\n")


def test_every_process_of_a_stack_is_asked(tmp_path: Path) -> None:
    for folder in ("embedded", "stack"):
        (tmp_path / folder).mkdir()
    write_settings(tmp_path / "stack", {"EXCHANGE_PEER_URLS": "order=http://a:1,user=http://b:2"})
    assert process_urls("http://x", tmp_path) == {"order": "http://a:1", "user": "http://b:2"}
    assert process_urls("http://x") == {"exchange": "http://x"}
