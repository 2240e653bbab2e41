"""The terminal's way from the first visit to a filled order, in a real Firefox."""

import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.firefox import FIREFOX, open_fox
from tests.e2e.terminal import PASSWORD
from tests.e2e.trader import Trader

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(FIREFOX is None, reason="no Firefox on the path"),
]


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((1440, 900), id="desktop"),
        pytest.param((390, 844), id="phone", marks=pytest.mark.thorough),
    ],
)
async def test_from_the_first_visit_to_a_filled_order(
    terminal_exchange: ExchangeProcess, counterparty: Trader, size: tuple[int, int]
) -> None:
    counterparty.ask(
        *("POST", "/api/v3/order"), symbol="BTCUSDT", side="SELL", type="LIMIT", timeInForce="GTC",
        quantity="0.01", price="50000",
    )  # fmt: skip
    async with open_fox(*size) as page:
        await page.go(f"{terminal_exchange.url}/")
        assert "BTC/USDT" in await page.text("tbody")
        await page.click("a[href='/terminal/#BTCUSDT']")
        await page.until("document.querySelector('#connection')?.dataset.state === 'open'")
        await page.click("#sign-up")
        await page.fill("#email", f"fox{size[0]}@example.com")
        await page.fill("#password", PASSWORD)
        await page.click("#entrance-submit")
        await page.until("!document.querySelector('#log-out').hidden")
        await page.click("#faucet")
        await page.fill("#deposit-amount", "10000")
        await page.click("#deposit-form [type=submit]")
        await page.until("document.querySelector('#available').innerText === '10,000.00 USDT'")
        await page.fill("#price", "50000")
        await page.fill("#quantity", "0.01")
        await page.click("#submit")
        await page.until("document.querySelector('#order-answer').classList.contains('good')")
        answer = await page.text("#order-answer")
        assert answer == "Bought 0.01 BTC at 50,000.00 USDT on average: total 500 USDT, fee 0.00001 BTC."
        await page.until("document.querySelectorAll('#chart canvas').length >= 4")
        await page.click("#market")
        await page.until("document.querySelectorAll('#markets tbody tr').length >= 3")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.problems == []
