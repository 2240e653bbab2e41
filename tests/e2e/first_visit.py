"""From the first visit to a filled order, a moved one, and the account's page: what each browser walks."""

from collections.abc import Awaitable, Callable

from local.exchange_process import ExchangeProcess
from tests.e2e.steps import Steps
from tests.e2e.terminal import PASSWORD
from tests.e2e.test_operator import QUIET, operator, until_status
from tests.e2e.test_operator_page import Person, set_mode
from tests.e2e.trader import Trader

__all__ = ["ask_for_what_is_bought", "begin", "halt_a_market", "trade_from_the_first_visit"]

# What WebDriver calls these keys.
ARROW_UP, ENTER = "\ue013", "\ue007"


def ask_for_what_is_bought(counterparty: Trader) -> None:
    """What a first order takes: 0.01 BTC for 500 USDT."""
    counterparty.ask(
        *("POST", "/api/v3/order"), symbol="BTCUSDT", side="SELL", type="LIMIT", timeInForce="GTC",
        quantity="0.01", price="50000",
    )  # fmt: skip


async def begin(page: Steps, press: Callable[[str], Awaitable[None]], email: str) -> None:
    """On the terminal: sign up as `email`, and take 10,000 USDT. `press`: by a click, or by a finger."""
    await page.until("document.querySelector('#connection')?.dataset.state === 'open'")
    await press("#sign-up")
    await page.fill("#email", email)
    await page.fill("#password", PASSWORD)
    await press("#entrance-submit")
    await page.until("!document.querySelector('#log-out').hidden")
    await press("#faucet")
    await page.fill("#deposit-amount", "10000")
    await press("#deposit-form [type=submit]")
    await page.until("document.querySelector('#available').innerText === '10,000.00 USDT'")


async def trade_from_the_first_visit(
    page: Steps, exchange: ExchangeProcess, counterparty: Trader, email: str
) -> None:
    """Sign up as `email`, buy what the counterparty sells, move a line by keys, see the account's page."""
    ask_for_what_is_bought(counterparty)
    await page.go(f"{exchange.url}/")
    assert "BTC/USDT" in await page.text("tbody")
    await page.click("a[href='/terminal/#BTCUSDT']")
    await begin(page, page.click, email)
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
    assert await page.problems() == []


async def halt_a_market(page: Steps, exchange: ExchangeProcess, name: str) -> None:
    """An operator of this name logs in with his authenticator, and puts a market into cancel-only."""
    person = Person(exchange, name, "ADMIN")
    await page.go(f"{exchange.url}/operator/")
    await person.log_in(page)
    await page.until(f"document.querySelector('#markets').innerText.includes('{QUIET}: trading')")
    await set_mode(page, "cancel-only", "a page in another browser")
    await page.until("document.querySelector('#sure').open")
    try:
        await page.click("#sure-yes")
        await page.until("document.querySelector('#answer').innerText.includes('cancel-only since seq')")
        until_status(exchange, "CANCEL_ONLY")
    finally:
        assert operator(exchange, "markets", "reopen", QUIET, "--reason", "a test").returncode == 0
    assert await page.problems() == []
