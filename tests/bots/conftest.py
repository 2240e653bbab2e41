"""One exchange of the bench for all tests of this folder, as a stranger's suite has it by the plugin."""

from collections.abc import Iterator

import pytest

from bench import Exchange
from bench.pytest_plugin import exchange

__all__ = ["bench_exchange", "exchange"]


@pytest.fixture(scope="session")
def bench_exchange() -> Iterator[Exchange]:
    """The session's exchange: what this run starts, not what its environment names."""
    with Exchange() as running:
        yield running
