"""The terminal's and the operators' ways from the first visit to the result, in WebKit, Safari's engine."""

import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.first_visit import halt_a_market, trade_from_the_first_visit
from tests.e2e.trader import Trader
from tests.e2e.webkit import WEBKIT, open_kit

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.timeout(300),
    pytest.mark.skipif(WEBKIT is None, reason="no WebKitWebDriver and Xvfb on the path"),
]


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desktop", "phone"])
async def test_from_the_first_visit_to_a_filled_order(
    terminal_exchange: ExchangeProcess, counterparty: Trader, size: tuple[int, int]
) -> None:
    async with open_kit(*size) as page:
        email = f"kit{size[0]}@example.com"
        await trade_from_the_first_visit(page, terminal_exchange, counterparty, email)


async def test_an_operator_looks_and_halts_a_market(terminal_exchange: ExchangeProcess) -> None:
    async with open_kit() as page:
        await halt_a_market(page, terminal_exchange, "karl")
