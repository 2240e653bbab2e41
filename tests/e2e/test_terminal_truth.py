"""What the terminal says is so: of its session, its connection, its orders. All of it is real."""

import json
import re
from contextlib import closing

import httpx

from local.exchange_process import ExchangeProcess
from tests.e2e.browser import Page
from tests.e2e.terminal import BROWSER_TESTS, OPEN_ROWS, PASSWORD, deposit, place, sign_up
from tests.e2e.trader import Trader

pytestmark = BROWSER_TESTS
LOGGED_IN = "!document.querySelector('#log-out').hidden"
LOGGED_OUT = "!document.querySelector('#log-in').hidden"
TOASTS = "[...document.querySelectorAll('#toasts .toast')].map(toast => toast.innerText)"
AVAILABLE = "document.querySelector('#available').innerText"


def log_in(url: str, email: str) -> dict[str, str]:
    """Another device's session, as headers."""
    answer = httpx.post(
        f"{url}/v1/sessions", json={"email": email, "password": PASSWORD}, timeout=20, trust_env=False
    )
    return {"Authorization": f"Bearer {answer.json()['accessToken']}"}


def keys(url: str, headers: dict[str, str]) -> list[str]:
    answer = httpx.get(f"{url}/v1/api-keys", headers=headers, timeout=20, trust_env=False)
    return [key["apiKey"] for key in answer.json()["apiKeys"]]


def end_others(url: str, headers: dict[str, str]) -> object:
    return httpx.delete(f"{url}/v1/sessions", headers=headers, timeout=20, trust_env=False).json()


async def test_all_tabs_are_one_session_and_it_ends_with_its_key_wherever_it_is_ended(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    url = terminal_exchange.url
    await page.go(f"{url}/terminal/")
    await sign_up(page, "tabs@example.com")
    async with page.another_tab() as second:
        # A tab that is opened later is the same person, and the first one stays.
        await second.go(f"{url}/terminal/#ETHUSDT")
        await second.until(LOGGED_IN)
        assert await page.evaluate(LOGGED_IN)
        elsewhere = log_in(url, "tabs@example.com")
        assert len(keys(url, elsewhere)) == 1
        await second.call("Page.reload")
        await second.until(LOGGED_IN)
        assert len(keys(url, elsewhere)) == 1
        assert await page.evaluate("Object.keys(sessionStorage).length + localStorage.length") == 0
        # Ended on another device: both tabs say so, and no key is left that trades.
        assert end_others(url, elsewhere) == {"ended": 1}
        assert keys(url, elsewhere) == []
        for tab in (page, second):
            await tab.until(LOGGED_OUT)
        # And logging in in one tab is logging in in all.
        await page.click("#log-in")
        await page.fill("#email", "tabs@example.com")
        await page.fill("#password", PASSWORD)
        await page.click("#entrance-submit")
        await second.until(LOGGED_IN)
        await second.click("#log-out")
        await page.until(LOGGED_OUT)
        assert keys(url, elsewhere) == []


async def test_a_cut_network_is_said_at_once_and_what_is_old_looks_old(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    # A candle is in the chart when the network goes.
    limit = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "50000"}
    counterparty.ask("POST", "/api/v3/order", symbol="BTCUSDT", side="SELL", **limit)
    with closing(Trader.sign_up(terminal_exchange.url, deposits={"USDT": "1000"})) as buyer:
        buyer.ask("POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", **limit)
    await page.go(f"{terminal_exchange.url}/terminal/")
    await page.until("document.querySelector('#connection').dataset.state === 'open'")
    await page.until("document.querySelector('#legend b') !== null")
    await page.cut_network()
    state = await page.until("(s => s !== 'open' && s)(document.querySelector('#connection').dataset.state)")
    assert state == "offline"
    assert re.match(r"Offline · prices of \d\d:\d\d:\d\d", await page.text("#connection"))
    for part in (".book", ".tape", ".last"):
        shown = await page.evaluate(f"getComputedStyle(document.querySelector('{part}')).opacity")
        assert float(shown) < 0.6
    await page.mend_network()
    await page.until("document.querySelector('#connection').dataset.state === 'open'")
    assert await page.evaluate("getComputedStyle(document.querySelector('.book')).opacity") == "1"
    # Chart, book and trades are all there again: nothing that comes back fails on what was shown before.
    await page.until("document.querySelector('#book-state').innerText === ''")
    assert [problem for problem in page.problems if problem.startswith(("Error", "TypeError"))] == []


async def test_an_order_is_told_once_with_price_total_and_fee(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    for price in ("50000", "50100", "50200"):
        counterparty.ask(
            *("POST", "/api/v3/order"), symbol="BTCUSDT", side="SELL", type="LIMIT", timeInForce="GTC",
            quantity="0.01", price=price,
        )  # fmt: skip
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await sign_up(page, "told@example.com")
    await deposit(page, "10000")
    await page.until(f"{AVAILABLE} === '10,000.00 USDT'")
    # With the page's own separators.
    await place(page, "buy", "50,200.00", "0.03")
    answer = await page.text("#order-answer")
    assert answer == "Bought 0.03 BTC at 50,100.00 USDT on average: total 1,503 USDT, fee 0.00003 BTC."
    await page.until("document.querySelector('#wallet').innerText.includes('0.02997')")
    assert [text for text in await page.evaluate(TOASTS) if "0.03 BTC" in text] == []

    # What the form said of the last order is gone when the next has a fault.
    await page.fill("#quantity", "0.0000001")
    assert await page.text("#order-answer") == ""
    assert await page.text("#quantity-problem") != ""

    # By total into a book that has too little: not called filled.
    counterparty.ask(
        *("POST", "/api/v3/order"), symbol="BTCUSDT", side="SELL", type="LIMIT", timeInForce="GTC",
        quantity="0.01", price="50000",
    )  # fmt: skip
    await page.click("#types [data-value=MARKET]")
    await page.fill("#quantity", "2000")
    await page.click("#submit")
    await page.until("document.querySelector('#order-answer').innerText !== ''")
    answer = await page.text("#order-answer")
    assert "Only 500 of 2,000 USDT: the book had no more." in answer
    assert "illed" not in answer

    # Too far from the market: words, with the band; nothing for machines.
    await page.click("#types [data-value=LIMIT]")
    await page.fill("#price", "900000")
    await page.fill("#quantity", "0.001")
    await page.click("#submit")
    await page.until("document.querySelector('#order-answer').innerText !== ''")
    answer = await page.text("#order-answer")
    assert answer.startswith("The price is too far from the market's.")
    assert re.search(r"from about [\d,.]+ to about [\d,.]+ USDT now\.$", answer)


async def test_cancelling_all_asks_with_the_number_to_be_read_and_tells_once(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await sign_up(page, "many@example.com")
    await deposit(page, "10000")
    await page.until(f"{AVAILABLE} === '10,000.00 USDT'")
    for price in ("40000", "40100", "40200"):
        await place(page, "buy", price, "0.01")
    await page.until(f"{OPEN_ROWS}.length === 3")
    await page.click("#cancel-all")
    assert await page.text("#cancel-all") == "Sure? Cancel 3 orders"
    await page.hover("#cancel-all")
    assert await page.evaluate(CONTRAST.replace("SELECTOR", "#cancel-all")) >= 4.5
    await page.evaluate("document.querySelector('#toasts').replaceChildren()")
    await page.click("#cancel-all")
    await page.until(f"{OPEN_ROWS}.length === 0")
    await page.until(f"{TOASTS}.length > 0")
    assert await page.evaluate(TOASTS) == ["3 orders cancelled."]
    await page.click("#tab-history")
    await page.until("document.querySelector('#tab-panel').innerText.includes('Cancelled')")
    assert "Canceled" not in await page.text("body")


async def test_back_goes_back_between_markets_and_an_unknown_one_is_said(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    await page.go(f"{terminal_exchange.url}/terminal/#NOSUCHCOIN")
    await page.until(f"{TOASTS}.some(text => text.startsWith('There is no market NOSUCHCOIN here.'))")
    first = await page.evaluate("location.hash")
    await page.choose_market("ETHUSDT")
    await page.until("location.hash === '#ETHUSDT'")
    await page.evaluate("history.back()")
    await page.until(f"location.hash === {json.dumps(first)}")
    await page.until(f"document.title.includes({json.dumps(first[1:4])})")


async def test_in_forced_colours_what_is_chosen_can_be_told(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    await page.call("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await sign_up(page, "forced@example.com")
    await page.until("document.querySelector('#types button') !== null")
    await page.until("document.querySelector('#tabs button') !== null")
    look = (
        "(style => style.backgroundColor + style.outlineStyle + style.color)"
        "(getComputedStyle(document.querySelector('SELECTOR')))"
    )
    for chosen, other in (
        ("#side-buy", "#side-sell"),
        ("#types [aria-pressed=true]", "#types [aria-pressed=false]"),
        ("#tabs [aria-selected=true]", "#tabs [aria-selected=false]"),
        ("#intervals [aria-pressed=true]", "#intervals [aria-pressed=false]"),
    ):
        assert await page.evaluate(look.replace("SELECTOR", chosen)) != await page.evaluate(
            look.replace("SELECTOR", other)
        )


async def test_a_password_that_is_guessed_first_is_told_so(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    await page.go(f"{terminal_exchange.url}/terminal/")
    await page.click("#sign-up")
    await page.fill("#email", "weak@example.com")
    await page.fill("#password", " " * 8)
    await page.until("document.querySelector('#password-strength').innerText === 'Not only spaces.'")
    await page.click("#entrance-submit")
    await page.until("document.querySelector('#entrance-problem').innerText.includes('Not only spaces')")
    await page.fill("#password", PASSWORD)
    await page.until("document.querySelector('#password-strength').innerText === 'Strength: strong.'")
    await page.click("#show-password")
    assert await page.evaluate("document.querySelector('#password').type") == "text"


async def test_a_narrow_window_leaves_nothing_out(terminal_exchange: ExchangeProcess, page: Page) -> None:
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT", width=390, height=844)
    await page.until("document.querySelector('#volume').innerText.includes('.')")
    reachable = (
        "[...document.querySelectorAll('.figures dd')].every(figure => figure.checkVisibility()) && "
        "(box => box.scrollWidth <= box.clientWidth || getComputedStyle(box).overflowX === 'auto')"
        "(document.querySelector('.figures'))"
    )
    assert await page.evaluate(reachable)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# WCAG 2.2, contrast of the element's text against its own background.
CONTRAST = """
(() => {
  const style = getComputedStyle(document.querySelector('SELECTOR'));
  const light = (text) => {
    const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [one, other] = [light(style.color), light(style.backgroundColor)].sort((a, b) => b - a);
  return (one + 0.05) / (other + 0.05);
})()
"""
