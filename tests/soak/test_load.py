"""The soak's load is the load test's own, and is asked for as that takes it."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest

from loadtest.run import run_locust
from tests.soak import __main__ as soaking

FIGURES = {"total": {"requests": 1}}


class Listening:
    """No sockets."""

    def __init__(self, url: str, sockets: int) -> None:
        """What the real one takes."""

    async def run(self) -> None:
        await asyncio.Event().wait()


class Sampling:
    """No processes."""

    def __init__(self, stack: object) -> None:
        self.taken = 0
        self.scraped = {"order": "exchange_order_request_seconds_count 1"}

    def take(self) -> None:
        self.taken += 1


async def test_a_soak_asks_for_its_load_and_returns_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    load = create_autospec(run_locust, return_value=FIGURES)
    monkeypatch.setattr(soaking, "run_locust", load)
    monkeypatch.setattr(soaking, "StreamClients", Listening)
    monkeypatch.setattr(soaking, "Sampler", Sampling)
    stack: Any = SimpleNamespace(url="http://127.0.0.1:1")
    _, _, figures = await soaking.soak(stack, 60.0, 350, 10, Path("load.html"))
    assert figures == FIGURES
    assert load.call_count == 1
