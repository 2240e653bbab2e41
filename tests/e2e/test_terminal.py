"""A trader at the web terminal: a real Chromium, a real exchange, and a second trader to trade with."""

import json

import httpx

from local.exchange_process import ExchangeProcess
from tests.e2e.browser import Page, open_page
from tests.e2e.terminal import BROWSER_TESTS, OPEN_ROWS, deposit, place, sign_up
from tests.e2e.trader import Trader

pytestmark = BROWSER_TESTS
SYMBOL = "BTCUSDT"


def bids(url: str, symbol: str = SYMBOL) -> object:
    """The book as anybody sees it."""
    return httpx.get(f"{url}/api/v3/depth?symbol={symbol}", timeout=20, trust_env=False).json()["bids"]


async def test_a_trader_signs_up_trades_and_cancels(
    terminal_exchange: ExchangeProcess, counterparty: Trader
) -> None:
    async with open_page() as page:
        await page.go(terminal_exchange.url + "/terminal/")
        await sign_up(page, "somebody@example.com")

        # Money from the faucet arrives by the account's own stream.
        await deposit(page, "10000")
        await page.until("document.querySelector('#available').innerText === '10,000.00 USDT'")

        # A limit order rests: among the open orders, in the book on the screen, and for everybody else.
        await place(page, "buy", "50000", "0.1")
        await page.until(f"{OPEN_ROWS}.length === 1")
        await page.until("document.querySelector('#bids .level.own')?.dataset.price === '50000'")
        await page.until("document.querySelector('#available').innerText === '5,000.00 USDT'")
        assert bids(terminal_exchange.url) == [["50000.00000000", "0.10000000"]]

        # Somebody sells into it: the fill is told, order, book, trades and balances follow without a reload.
        counterparty.ask("POST", "/api/v3/order", symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.04")
        await page.until(
            "document.querySelector('#toasts').innerText.includes("
            "'Bought 0.04 BTC at 50,000.00 USDT on average: total 2,000 USDT, fee 0.00004 BTC.')"
        )
        await page.until(f"{OPEN_ROWS}[0].innerText.includes('0.04000')")
        await page.until("document.querySelector('#bids .level').innerText.includes('0.06000')")
        await page.until("document.querySelector('#tape').innerText.includes('0.04000')")
        await page.until("document.querySelector('#last').innerText === '50,000.00'")
        await page.until("document.querySelector('#wallet').innerText.includes('0.03996000')")

        # What the exchange refuses stands beside the form, in words.
        await page.fill("#quantity", "0.2")
        await page.click("#submit")
        await page.until("document.querySelector('#order-answer').innerText.includes('not enough available')")

        await page.click("#tab-panel tbody button[aria-label^='Cancel']")
        await page.until(f"{OPEN_ROWS}.length === 0")
        await page.until("document.querySelector('#available').innerText === '8,000.00 USDT'")
        await page.click("#tab-history")
        await page.until("document.querySelector('#tab-panel').innerText.includes('Cancelled')")
        assert bids(terminal_exchange.url) == []

        await leaves_no_key_behind(page)
        assert [problem for problem in page.problems if "400 (Bad Request)" not in problem] == []


async def test_the_front_page_needs_no_script_and_leads_on(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    url = terminal_exchange.url
    await page.call("Emulation.setScriptExecutionDisabled", value=True)
    await page.go(f"{url}/")
    await page.until("document.querySelectorAll('tbody tr').length >= 3")
    assert "BTC/USDT" in await page.text("tbody")
    # With scripts, older links of mails still lead to the dialog that they were made for.
    await page.call("Emulation.setScriptExecutionDisabled", value=False)
    await page.go("about:blank")
    await page.call("Page.navigate", url=f"{url}/#freeze={'A' * 43}")
    await page.until("document.querySelector('#freeze')?.open")
    await page.go(f"{url}/?lang=de")
    await page.click("a[href='/terminal/#ETHUSDT']")
    await page.until("document.querySelector('#market')?.value === 'ETHUSDT'")
    assert page.problems == []


async def test_an_order_whose_answer_is_lost_is_found_and_not_sent_again(
    terminal_exchange: ExchangeProcess,
) -> None:
    async with open_page() as page:
        await page.go(terminal_exchange.url + "/terminal/#ETHUSDT")
        await sign_up(page, "unlucky@example.com")
        await deposit(page, "10000")
        await page.until("document.querySelector('#available').innerText === '10,000.00 USDT'")
        await page.lose_answers("*/api/v3/order?*")
        await page.fill("#price", "2000")
        await page.fill("#quantity", "1")
        # An impatient trader presses twice.
        await page.evaluate("[1, 2].forEach(() => document.querySelector('#submit').click())")
        await page.until("document.querySelector('#order-answer').innerText.includes('is in the book')")
        await page.until(f"{OPEN_ROWS}.length === 1")
        assert page.lost == 1
        assert bids(terminal_exchange.url, "ETHUSDT") == [["2000.00000000", "1.00000000"]]


async def leaves_no_key_behind(page: Page) -> None:
    """A page that is loaded again goes on with the session and its one key; logging out ends both."""
    ask = (
        "fetch('/v1/api-keys', {headers: {Authorization: 'Bearer ' + TOKEN}})"
        ".then(async answer => [answer.status, (await answer.json()).apiKeys?.map(key => key.apiKey)])"
    )
    kept = await page.evaluate(KEPT)
    query = ask.replace("TOKEN", json.dumps(kept["token"]))
    assert await page.evaluate(query) == [200, [kept["keyName"]]]
    assert kept["secret"] == "[object CryptoKey] false"
    await page.call("Page.reload")
    await page.until("document.querySelector('#available')?.innerText === '8,000.00 USDT'")
    assert await page.evaluate(KEPT) == kept
    assert await page.evaluate(query) == [200, [kept["keyName"]]]
    await page.click("#log-out")
    await page.until("!document.querySelector('#log-in').hidden")
    await page.until(f"{KEPT}.then(kept => kept === null)")
    assert (await page.evaluate(query))[0] == 401
    page.problems = [problem for problem in page.problems if "401 (Unauthorized)" not in problem]


# What the browser keeps of the session: all of it but the secret, which cannot be read out.
KEPT = """
new Promise((resolve, reject) => {
  const opening = indexedDB.open("exchange", 1);
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const asked = opening.result.transaction("session").objectStore("session").get("current");
    asked.onsuccess = () => resolve(asked.result
      ? { ...asked.result, secret: `${asked.result.secret} ${asked.result.secret.extractable}` } : null);
    asked.onerror = () => reject(asked.error);
  };
})
"""
