"""The terminal's list of markets, depth, estimates and languages: a real Chromium, a real exchange."""

from local.exchange_process import ExchangeProcess
from tests.e2e.browser import Page
from tests.e2e.terminal import BROWSER_TESTS, deposit, sign_up
from tests.e2e.trader import Trader

pytestmark = BROWSER_TESTS
ROWS = "[...document.querySelectorAll('#markets tbody tr')]"
LIMIT = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC"}


async def test_markets_are_searched_sorted_and_kept_as_favourites(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await page.until("document.querySelector('#market-name').innerText === 'BTC/USDT'")
    await page.click("#market")
    await page.until(f"{ROWS}.length >= 3")
    # Prices come while it is open, and the market on show is marked.
    await page.until(f"{ROWS}.every(row => /[0-9]/.test(row.children[2].innerText))")
    assert await page.text("#markets [aria-current]") == "BTC/USDT"
    assert await page.evaluate("document.querySelector('#market-search').clientWidth") > 120
    await page.fill("#market-search", "eth btc")
    await page.until(f"{ROWS}.length === 1")
    await page.click("#markets .star")
    await page.fill("#market-search", " ")
    await page.until(f"{ROWS}.length >= 3")
    await page.click("#markets .marketbar button")
    await page.until(f"{ROWS}.length === 1")
    await page.call("Page.reload")
    await page.until("document.querySelector('#market-name')?.innerText === 'BTC/USDT'")
    await page.until("document.querySelector('#connection').dataset.state === 'open'")
    await page.click("#market")
    await page.click("#markets .marketbar button")
    await page.until(f"{ROWS}.length === 1")
    await page.click("#markets .pick")
    await page.until("location.hash === '#ETHBTC'")
    assert await page.text("#market-name") == "ETH/BTC"
    assert page.problems == []


async def test_depth_estimate_and_warning_are_of_the_book(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    for price in ("50000", "50100", "60000"):
        counterparty.ask("POST", "/api/v3/order", side="SELL", quantity="0.01", price=price, **LIMIT)
    counterparty.ask("POST", "/api/v3/order", side="BUY", quantity="0.02", price="49900", **LIMIT)
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await sign_up(page, "depth@example.com")
    await deposit(page, "10000")
    await page.until("document.querySelector('#available').innerText === '10,000.00 USDT'")
    await page.click("#depth-switch")
    await page.until("document.querySelector('.depth-asks')?.getAttribute('d')?.includes('V')")
    await page.evaluate("document.querySelector('#depth').focus()")
    await page.call("Input.dispatchKeyEvent", type="keyDown", key="End")
    await page.until("document.querySelector('#depth .legend').innerText.endsWith(': 0.03 BTC')")
    await page.click("#depth-switch")
    await page.until("document.querySelector('#depth').hidden")
    # One side alone.
    await page.click("#book-sides [data-value=bids]")
    await page.until("!document.querySelector('#asks').checkVisibility()")

    await page.click("#types [data-value=MARKET]")
    await page.click("#swap-unit")
    await page.fill("#quantity", "0.02")
    await page.until(
        "document.querySelector('#estimate').innerText"
        " === '≈ 50,050.00 USDT on average, 0.10% from the best · fee ≈ 0.00002 BTC'"
    )
    await page.fill("#quantity", "0.03")
    await page.until("document.querySelector('#warning').innerText.startsWith('This order moves the market')")
    await page.fill("#quantity", "0.04")
    await page.until("document.querySelector('#warning').innerText.startsWith('The book has less')")
    await page.click("#types [data-value=LIMIT]")
    await page.fill("#price", "55000")
    await page.until("document.querySelector('#warning').innerText.includes('10.00% above the best offer')")
    await page.fill("#price", "49000")
    await page.until("document.querySelector('#warning').innerText === ''")
    assert page.problems == []


async def test_another_language_has_its_own_words_and_writes_its_own_numbers(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    counterparty.ask("POST", "/api/v3/order", side="SELL", quantity="0.01", price="50000.5", **LIMIT)
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await page.until("document.querySelectorAll('#language option').length === 4")
    await page.evaluate(
        "(field => { field.value = 'de'; field.dispatchEvent(new Event('change')); })"
        "(document.querySelector('#language'))"
    )
    await page.until("document.documentElement.lang === 'de'")
    await sign_up(page, "deutsch@example.com")
    await deposit(page, "10.000")
    # "10.000" may be ten or ten thousand.
    await page.until("document.querySelector('#deposit-problem').innerText !== ''")
    await page.fill("#deposit-amount", "10.000,00")
    await page.click("#deposit-form [type=submit]")
    await page.until("document.querySelector('#available').innerText === '10.000,00 USDT'")
    await page.until("document.querySelector('#asks .level span + span').textContent !== ''")
    assert "50000,50" in await page.text("#asks")
    await page.click("#asks .level")
    assert await page.evaluate("document.querySelector('#price').value") == "50000,50"
    await page.fill("#quantity", "0,01")
    assert await page.text("#submit") == "BTC kaufen"
    await page.click("#submit")
    await page.until("document.querySelector('#order-answer').classList.contains('good')")
    assert await page.text("#order-answer") == (
        "0,01 BTC zu durchschnittlich 50.000,50 USDT gekauft: Summe 500,005 USDT, Gebühr 0,00001 BTC."
    )
    await page.fill("#price", "900000")
    await page.fill("#quantity", "0,01")
    await page.click("#submit")
    await page.until("document.querySelector('#order-answer').classList.contains('bad')")
    assert (await page.text("#order-answer")).startswith("Der Preis ist zu weit vom Markt entfernt.")
    await page.click("#open-room")
    await page.until("document.querySelectorAll('#room .part').length >= 10")
    assert "Spielgeld holen" in await page.text("#room")
