"""The terminal's and the operators' ways from the first visit to the result, in a real Firefox.

Its phone is a narrow window with a finger: no Firefox but Android's own has a phone's viewport to switch on.
"""

import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.firefox import FIREFOX, open_fox
from tests.e2e.first_visit import ask_for_what_is_bought, begin, halt_a_market, trade_from_the_first_visit
from tests.e2e.trader import Trader

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(FIREFOX is None, reason="no Firefox on the path"),
]
PHONE = (390, 844)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((1440, 900), id="desktop"),
        pytest.param(PHONE, id="phone", marks=pytest.mark.thorough),
    ],
)
async def test_from_the_first_visit_to_a_filled_order(
    terminal_exchange: ExchangeProcess, counterparty: Trader, size: tuple[int, int]
) -> None:
    async with open_fox(*size) as page:
        email = f"fox{size[0]}@example.com"
        await trade_from_the_first_visit(page, terminal_exchange, counterparty, email)


@pytest.mark.thorough
async def test_a_finger_on_a_phone_buys_places_moves_and_cancels(
    terminal_exchange: ExchangeProcess, counterparty: Trader
) -> None:
    """Each touch lands where the page shows what it is for."""
    ask_for_what_is_bought(counterparty)
    async with open_fox(*PHONE) as page:
        await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
        await begin(page, page.touch, "finger@example.com")
        for view in ("book", "tape", "chart"):
            await page.touch(f".views [data-view={view}]")
            await page.until(f"document.querySelector('.panel.{view}').checkVisibility()")
        await page.touch("#side-buy")
        await page.fill("#price", "50000")
        await page.fill("#quantity", "0.01")
        await page.touch("#submit")
        await page.until("document.querySelector('#order-answer').innerText.startsWith('Bought 0.01 BTC')")
        await page.fill("#price", "49000")
        await page.fill("#quantity", "0.01")
        await page.touch("#submit")
        await page.until("document.querySelector('.grip')?.checkVisibility() ?? false")
        # Its line is taken and let go further down: that is asked back.
        await page.touch(".grip", drag_px=30)
        await page.touch("#move-yes")
        await page.until("!document.querySelector('#tab-panel tbody').innerText.includes('49,000.00')")
        await page.touch("#tab-panel tbody button[aria-label^='Cancel']")
        await page.until("document.querySelectorAll('#tab-panel tbody tr').length === 0")
        assert await page.problems() == []


async def test_an_operator_looks_and_halts_a_market(terminal_exchange: ExchangeProcess) -> None:
    async with open_fox() as page:
        await halt_a_market(page, terminal_exchange, "fiona")
