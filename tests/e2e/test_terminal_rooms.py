"""The terminal's account page and chart, as a person uses them: a real Chromium, a real exchange."""

import base64
import re
import time

from exchange.security.one_time_codes import totp_code
from local.exchange_process import ExchangeProcess
from tests.e2e.browser import Page
from tests.e2e.terminal import BROWSER_TESTS, OPEN_ROWS, cancel_all, deposit, place, sign_up
from tests.e2e.trader import Trader

pytestmark = BROWSER_TESTS


def part(title: str) -> str:
    """The part of the account page with this title, as an expression."""
    return (
        "[...document.querySelectorAll('.part')]"
        f".find(one => one.querySelector('h3').innerText === '{title}')"
    )


async def fill_in(page: Page, title: str, **values: str) -> None:
    """Fill the fields of a part by their labels' first word, and send its form."""
    for label, value in values.items():
        await page.evaluate(
            f"(box => {{ const label = [...box.querySelectorAll('.entry label')]"
            f".find(one => one.innerText.toLowerCase().startsWith('{label}'));"
            f" const field = document.getElementById(label.htmlFor);"
            f" field.value = '{value}'; field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})"
            f"({part(title)})"
        )
    await page.evaluate(f"{part(title)}.querySelector('form [type=submit]').click()")


async def drag_own_line(page: Page, by_px: int) -> None:
    """Take the line of the account's order in the chart, wherever it is, and let it go so much lower."""
    found = await page.until(
        "(() => { const chart = document.querySelector('#chart'); const box = chart.getBoundingClientRect();"
        " for (let y = 4; y < box.height - 30; y += 3) {"
        " const at = {clientX: box.left + 60, clientY: box.top + y, bubbles: true};"
        " chart.dispatchEvent(new PointerEvent('pointermove', at));"
        " if (chart.classList.contains('movable')) return [at.clientX, at.clientY]; } return null; })()"
    )
    x, y = found
    for kind, height in (("mousePressed", y), ("mouseMoved", y + by_px), ("mouseReleased", y + by_px)):
        await page.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=height, button="left", buttons=1, clickCount=1
        )


async def says(page: Page, title: str, words: str) -> None:
    await page.until(f"{part(title)}?.innerText.includes('{words}')")


async def test_an_account_is_protected_and_its_keys_and_papers_are_at_hand(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await sign_up(page, "room@example.com")
    await page.click("#open-room")
    await page.until(f"{part('Deposits')}?.querySelector('select option') != null")
    # Each part is as high as what it says: none is squeezed into a strip that scrolls by itself.
    parts = "[...document.querySelectorAll('.part')]"
    assert await page.evaluate(f"{parts}.filter(one => one.scrollHeight > one.clientHeight + 1).length") == 0
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight"), (
        "two bars to scroll by"
    )
    await fill_in(page, "Deposits", amount="1,000.5")
    await says(page, "Deposits", "credited")

    # What it is worth, what it is told, and where nothing is sent.
    await says(page, "Portfolio", "Worth")
    await page.evaluate(f"{part('Notices')}.querySelector('tbody input').click()")
    await says(page, "Notices", "Kept.")
    await page.evaluate(f"{part('Notices')}.querySelectorAll('.act button')[0].click()")
    await says(page, "Notices", "Sent. The link is good for a day.")
    await fill_in(page, "Notices", address="https://10.0.0.1/")
    await says(page, "Notices", "Give an https address of a public server")

    # A key is shown once, and stands in the list without its secret.
    await page.until(f"{part('API keys')} !== undefined")
    await page.evaluate(f"{part('API keys')}.querySelector('input[value=READ]').click()")
    await fill_in(page, "API keys", name="my bot", **{"from": "10.0.0.0/8 192.0.2.1"})
    await says(page, "API keys", "Copy the secret now")
    assert await page.evaluate(f"{part('API keys')}.querySelectorAll('.made code')[1].innerText.length") == 64
    await says(page, "API keys", "10.0.0.0/8, 192.0.2.1")
    await says(page, "API keys", "with its session")
    await says(page, "Sessions", "this one")
    await says(page, "What happened", "Logged in")

    # The second factor, by an authenticator: once it is on, a key needs its code.
    await page.evaluate(f"{part('Second factor')}.querySelector('.act button').click()")
    secret = await page.until(f"{part('Second factor')}.querySelector('code')?.innerText")
    code = totp_code(base64.b32decode(str(secret)), time.time_ns() // 30_000_000_000)
    await fill_in(page, "Second factor", the=code)
    await says(page, "Second factor", "It is on.")
    await page.evaluate(f"{part('API keys')}.querySelector('input[value=READ]').click()")
    await page.evaluate(f"{part('API keys')}.querySelector('input[value=READ]').checked = true")
    await fill_in(page, "API keys", name="another")
    await says(page, "API keys", "Enter the six digits")

    await page.evaluate(f"{part('Freeze')}.querySelector('.act button').click()")
    await says(page, "Freeze", "Frozen by you since")
    await fill_in(page, "Monthly statement")
    await says(page, "Monthly statement", "the sum of the lines between")
    await fill_in(page, "Reports")
    await says(page, "Reports", "All markets are in the file")
    refused = ("403 (Forbidden)", "422 (Unprocessable")
    unexpected = [problem for problem in page.problems if not any(one in problem for one in refused)]
    assert unexpected == []


async def test_the_chart_shows_candles_indicators_and_the_accounts_own_orders(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    for price in ("50000", "50100"):
        counterparty.ask(
            *("POST", "/api/v3/order"), symbol="BTCUSDT", side="SELL", type="LIMIT", timeInForce="GTC",
            quantity="0.01", price=price,
        )  # fmt: skip
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await sign_up(page, "chart@example.com")
    await deposit(page, "10000")
    await page.until("document.querySelector('#available').innerText === '10,000.00 USDT'")
    await place(page, "buy", "50100", "0.02")
    await place(page, "buy", "50050", "0.01")
    await page.until("document.querySelectorAll('#chart canvas').length >= 4")
    await page.until("document.querySelector('#legend').innerText.includes('C50100.00')")
    for extra in ("MA", "RSI", "MACD", "Log"):
        await page.evaluate(
            "[...document.querySelectorAll('#extras button')]"
            f".find(one => one.innerText === '{extra}').click()"
        )
    for interval in ("1s", "1w", "1M", "4h", "1m"):
        await page.click(f"#intervals [data-value='{interval}']")
        await page.until("document.querySelector('#legend').innerText.includes('C50100.00')")
    for shown in ("#chart", ""):
        # As by a person's press: a page of itself may not fill the screen.
        await page.call(
            "Runtime.evaluate", expression="document.querySelector('#full').click()", userGesture=True
        )
        box = f"document.fullscreenElement?.contains(document.querySelector('{shown}'))"
        await page.until(box if shown else "document.fullscreenElement === null")
    await page.evaluate("document.querySelector('#chart').focus()")
    await page.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft")
    await page.until("document.querySelector('#legend').innerText.includes(':')")
    # The line of an own order is taken and put elsewhere: asked first, then moved.
    await page.evaluate("document.querySelector('#chart').scrollIntoView()")
    await drag_own_line(page, by_px=15)
    await page.until("document.querySelector('#move')?.open")
    assert "from 50,050.00 to" in await page.text("#move")
    await page.click("#move-no")
    assert await page.evaluate(f"{OPEN_ROWS}.length") == 1
    await drag_own_line(page, by_px=15)
    await page.until("document.querySelector('#move')?.open")
    await page.click("#move-yes")
    await page.until(f"{OPEN_ROWS}.length === 1 && !{OPEN_ROWS}[0].innerText.includes('50,050.00')")
    await drag_own_line(page, by_px=15)
    await page.until("document.querySelector('#move')?.open")
    await page.click("#move-no")
    # Prices of the book in larger steps.
    await page.evaluate(
        "(field => { field.selectedIndex = 4; field.dispatchEvent(new Event('change', { bubbles: true })); })"
        "(document.querySelector('#grouping'))"
    )
    await page.until("Number(document.querySelector('#bids .level')?.dataset.price) > 1000")
    spoken = await page.evaluate("document.querySelector('#bids .level').textContent")
    assert re.fullmatch(r"Bid \d{5}\.00Quantity 0\.01000Sum 0\.01000", str(spoken))
    # The last price is one text in one colour, in header and book.
    looks = (
        "['#last', '#book-last'].map(id => document.querySelector(id))"
        ".map(one => one.innerText + one.className)"
    )
    header, book = await page.evaluate(looks)
    assert header == book == "50,100.00up"
    # Others share the exchange.
    await cancel_all(page)
    assert page.problems == []
