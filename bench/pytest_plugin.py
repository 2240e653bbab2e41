"""The bench as a plugin of pytest: `exchange` is a whole exchange, clean for each test.

Installed with the wheel; in a checkout `-p bench.pytest_plugin`. The exchange starts when the first test asks
for it and serves the whole session; with pytest-xdist each worker has its own.
"""

from collections.abc import Iterator

import pytest

from bench.exchange import Exchange

__all__ = ["bench_exchange", "exchange", "pytest_addoption"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the session's exchange begins with."""
    parser.addini("bench_markets", "A file of markets for the test bench's exchange.", default="")
    parser.addini(
        "bench_history", "Whether the exchange begins with a past of 210 days.", type="bool", default=False
    )


@pytest.fixture(scope="session")
def bench_exchange(request: pytest.FixtureRequest) -> Iterator[Exchange]:
    """The session's exchange, as the last test has left it. Tests want `exchange`."""
    markets = str(request.config.getini("bench_markets"))
    with Exchange(markets or None, history=bool(request.config.getini("bench_history"))) as running:
        yield running


@pytest.fixture
def exchange(bench_exchange: Exchange) -> Exchange:
    """A whole exchange: no orders but the house's, markets at their first prices, no bad days."""
    bench_exchange.clean()
    return bench_exchange
