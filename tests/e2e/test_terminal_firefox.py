"""The terminal's way from the first visit to a filled order, in a real Firefox."""

import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.firefox import FIREFOX, open_fox
from tests.e2e.terminal import PASSWORD
from tests.e2e.test_operator import QUIET, operator, until_status
from tests.e2e.test_operator_page import Person, set_mode
from tests.e2e.trader import Trader

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(FIREFOX is None, reason="no Firefox on the path"),
]
# What WebDriver calls these keys.
ARROW_UP, ENTER = "\ue013", "\ue007"


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
        # An order's line is moved by keys alone.
        await page.fill("#price", "49000")
        await page.fill("#quantity", "0.01")
        await page.click("#submit")
        await page.until("document.querySelector('.grip')?.checkVisibility() ?? false")
        await page.evaluate("document.querySelector('.grip').focus()")
        await page.press(ARROW_UP, ARROW_UP, ENTER)
        await page.until("document.querySelector('#tab-panel tbody').innerText.includes('49,000.02')")
        await page.click("#tab-panel tbody button[aria-label^='Cancel']")
        await page.until("document.querySelectorAll('#tab-panel tbody tr').length === 0")
        await page.click("#market")
        await page.until("document.querySelectorAll('#markets tbody tr').length >= 3")
        await page.evaluate("document.querySelector('#markets').close()")
        # Each part of the account's page has what it asked for.
        await page.click("#open-room")
        await page.until("document.querySelectorAll('#room .part').length >= 10")
        await page.until("document.querySelector('#room').innerText.includes('Worth')")
        await page.until("document.querySelectorAll('#room tbody tr').length >= 5")
        faults = "[...document.querySelectorAll('#room .problem')].map(one => one.innerText).join('')"
        assert await page.evaluate(faults) == ""
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.problems == []


async def test_an_operator_looks_and_halts_a_market(terminal_exchange: ExchangeProcess) -> None:
    fiona = Person(terminal_exchange, "fiona", "ADMIN")
    async with open_fox() as page:
        await page.go(f"{terminal_exchange.url}/operator/")
        await fiona.log_in(page)
        await page.until(f"document.querySelector('#markets').innerText.includes('{QUIET}: trading')")
        await set_mode(page, "cancel-only", "a page in another browser")
        await page.until("document.querySelector('#sure').open")
        try:
            await page.click("#sure-yes")
            await page.until("document.querySelector('#answer').innerText.includes('cancel-only since seq')")
            until_status(terminal_exchange, "CANCEL_ONLY")
        finally:
            assert (
                operator(terminal_exchange, "markets", "reopen", QUIET, "--reason", "a test").returncode == 0
            )
        assert page.problems == []
