"""The bench as a plugin of pytest: `exchange` is a whole exchange, clean for each test.

Installed with the wheel; in a checkout `-p bench.pytest_plugin`. The exchange starts when the first test asks
for it and serves the whole session; with pytest-xdist each worker has its own.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from bench.exchange import Exchange, public_url

__all__ = [
    "bench_exchange", "exchange", "pytest_addoption", "pytest_collection_modifyitems", "pytest_configure",
]  # fmt: skip

_MARK: Final = "bench_doors"


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the session's exchange begins with."""
    parser.addini("bench_markets", "A file of markets for the test bench's exchange.", default="")
    parser.addini(
        "bench_history", "Whether the exchange begins with a past of 210 days.", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"{_MARK}: wants what only a bench can: bad days, modes, its clock")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On an exchange that is no bench, leave out what is marked, and count it as deselected."""
    if not public_url():
        return
    left_out = [item for item in items if item.get_closest_marker(_MARK) is not None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


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
