"""The soak's verdict: leaks are seen, noise and warm-ups are not."""

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.soak.__main__ import lost
from tests.soak.sampling import metric
from tests.soak.verdict import MIB, trend_of

TIMES_S = [600 + 10.0 * n for n in range(120)]
SEED = 11


def test_leak_under_noise_is_seen() -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    values = [100 * MIB + t * 10_000 + chance.gauss(0, 2 * MIB) for t in TIMES_S]
    assert not trend_of("order", "pss_bytes", TIMES_S, values).is_flat


def test_noise_is_flat() -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    values = [100 * MIB + chance.gauss(0, 5 * MIB) for _ in TIMES_S]
    assert trend_of("order", "pss_bytes", TIMES_S, values).is_flat


def test_leaked_descriptors_are_seen() -> None:
    assert not trend_of("order", "descriptors", TIMES_S, [50 + t / 20 for t in TIMES_S]).is_flat
    assert trend_of("order", "descriptors", TIMES_S, [50 + n % 3 for n, _ in enumerate(TIMES_S)]).is_flat


def test_servers_may_fill_their_caches() -> None:
    values = [200 * MIB + t * 30_000 for t in TIMES_S]
    assert trend_of("postgres", "pss_bytes", TIMES_S, values).is_flat
    assert not trend_of("user", "pss_bytes", TIMES_S, values).is_flat


def test_chatty_log_is_seen() -> None:
    assert not trend_of("order", "log_bytes", TIMES_S, [t * 1_000 for t in TIMES_S]).is_flat
    assert trend_of("order", "log_bytes", TIMES_S, [t * 100 for t in TIMES_S]).is_flat


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="only 2 samples"):
        trend_of("order", "tasks", TIMES_S[:2], [1, 1])


def test_metrics_are_summed_over_their_labels() -> None:
    page = 'exchange_tasks 7.0\nexchange_tasks_other 1.0\nx_total{a="1"} 2.0\nx_total{a="2"} 3.0\n'
    assert metric(page, "exchange_tasks") == 7
    assert metric(page, "x_total") == 5
    assert metric(page, "y") is None


@pytest.mark.parametrize(
    ("errors", "problems"),
    [
        ([], 0),
        ([('503 {"code":-1008,"msg":"Server is currently overloaded"}', 10)], 0),
        ([('503 {"code":-1008,"msg":"Server is currently overloaded"}', 11)], 1),
        ([('503 {"code":-1001,"msg":"Internal error"}', 1)], 1),
        ([('503 {"code":-1008,"msg":""}', 5), ('400 {"code":-1013,"msg":""}', 1)], 1),
    ],
)
def test_an_order_refused_as_overload_now_and_then_is_no_failure_and_all_else_is(
    errors: list[tuple[str, int]], problems: int
) -> None:
    figures = {
        "total": {"requests": 100_000, "failures": sum(count for _, count in errors)},
        "errors": [{"request": "POST /api/v3/order", "error": text, "count": n} for text, n in errors],
    }
    quiet = SimpleNamespace(restarts=0, counts={"lost": 0, "cuts": 100})
    assert len(lost(cast("Any", quiet), cast("Any", quiet), figures, 1_000)) == problems
