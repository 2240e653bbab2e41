"""Fixtures of the order service's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.order.order_exchange import OrderExchange, running_exchange


@pytest.fixture
async def exchange() -> AsyncIterator[OrderExchange]:
    """A running exchange where Alice and Bob have 10 BTC and 1,000,000 USDT each."""
    async with running_exchange() as running:
        yield running
