"""Orders in the terminal: every kind with what it would cost, and open ones changed, by keys too."""

from local.exchange_process import ExchangeProcess
from tests.e2e.browser import Page
from tests.e2e.terminal import (
    BROWSER_TESTS,
    FURTHER_KINDS,
    OPEN_ROWS,
    cancel_all,
    deposit,
    fill_kind,
    place,
    sign_up,
)
from tests.e2e.trader import Trader

pytestmark = BROWSER_TESTS
LIMIT = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC"}
GOOD = "document.querySelector('#order-answer').classList.contains('good')"
OFFERED = "[...document.querySelectorAll('#more-types option')].map(option => option.value)"
GRIPS = "[...document.querySelectorAll('.grip')]"
FOCUSED = "document.activeElement"


async def begin(page: Page, exchange: ExchangeProcess, email: str) -> None:
    """An account with money, in a market at 50,000."""
    await page.go(f"{exchange.url}/terminal/#BTCUSDT")
    await sign_up(page, email)
    await deposit(page, "10000")
    await page.until("document.querySelector('#available').innerText === '10,000.00 USDT'")
    await place(page, "buy", "50000", "0.02")


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        await page.call("Input.dispatchKeyEvent", type="keyUp", key=key)


async def test_every_kind_that_the_market_takes_is_offered_estimated_and_placed(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    counterparty.ask("POST", "/api/v3/order", side="SELL", quantity="0.02", price="50000", **LIMIT)
    counterparty.ask("POST", "/api/v3/order", side="BUY", quantity="0.5", price="49900", **LIMIT)
    await begin(page, terminal_exchange, "kinds@example.com")
    assert sorted(await page.evaluate(OFFERED)) == sorted(["", *FURTHER_KINDS])
    expected = 0
    for kind, (_, _, orders) in FURTHER_KINDS.items():
        await fill_kind(page, kind, "0.002")
        await page.until("/[1-9]/.test(document.querySelector('#total').innerText)")
        lines = (await page.text("#estimate")).split("\n")
        assert len(lines) == orders, (kind, lines)
        assert all("fee ≈" in line for line in lines), (kind, lines)
        await page.evaluate("document.querySelector('#order-answer').className = ''")
        await page.click("#submit")
        await page.until("/good|bad/.test(document.querySelector('#order-answer').className)")
        assert await page.evaluate(GOOD), f"{kind}: {await page.text('#order-answer')}"
        expected += orders
        await page.until(f"{OPEN_ROWS}.length === {expected}")
    # What waits for another order is told from what is in the book.
    assert await page.evaluate(f"{OPEN_ROWS}.filter(row => row.innerText.includes('Waiting')).length") == 6
    await cancel_all(page)
    assert page.problems == []


async def test_a_list_whose_answer_is_lost_is_looked_up_and_not_sent_again(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    counterparty.ask("POST", "/api/v3/order", side="SELL", quantity="0.02", price="50000", **LIMIT)
    await begin(page, terminal_exchange, "lost-list@example.com")
    await fill_kind(page, "OCO", "0.002")
    await page.lose_answers("*/api/v3/orderList/*")
    await page.evaluate("document.querySelector('#order-answer').className = ''")
    await page.click("#submit")
    await page.until("/good|bad/.test(document.querySelector('#order-answer').className)")
    assert await page.text("#order-answer") == "Both orders are placed."
    assert page.lost == 1
    await page.call("Fetch.disable")
    await page.until(f"{OPEN_ROWS}.length === 2")
    await cancel_all(page)


async def test_what_happens_to_own_orders_that_meet_is_chosen(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    counterparty.ask("POST", "/api/v3/order", side="SELL", quantity="0.02", price="50000", **LIMIT)
    await begin(page, terminal_exchange, "self-trade@example.com")
    await place(page, "sell", "50500", "0.01")
    await page.click(".terms summary")
    await page.evaluate(
        "(field => { field.value = 'EXPIRE_BOTH'; field.dispatchEvent(new Event('change')); })"
        "(document.querySelector('#self-trade'))"
    )
    assert await page.text(".terms summary") == "If it meets your own orders: cancel both"
    await page.click("#side-buy")
    await page.fill("#price", "50500")
    await page.fill("#quantity", "0.01")
    await page.click("#submit")
    await page.until("document.querySelector('#order-answer').classList.contains('bad')")
    assert "it met an order of your own" in await page.text("#order-answer")
    await page.until(f"{OPEN_ROWS}.length === 0")
    assert page.problems == []


async def test_an_own_order_is_moved_by_keys_alone_and_a_reader_hears_it(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    for price in ("50000", "50100"):
        counterparty.ask("POST", "/api/v3/order", side="SELL", quantity="0.02", price=price, **LIMIT)
    await begin(page, terminal_exchange, "keys@example.com")
    await place(page, "buy", "49950", "0.01")
    await place(page, "buy", "49960", "0.01")
    await page.until(f"{GRIPS}.length === 2")
    assert await page.evaluate(f"{GRIPS}.filter(grip => grip.tabIndex === 0).length") == 1
    await page.evaluate(f"{GRIPS}.find(grip => grip.tabIndex === 0).focus()")
    value = f"{FOCUSED}.getAttribute('aria-valuetext')"
    first = await page.evaluate(value)
    await press(page, "ArrowRight")
    assert await page.evaluate(value) != first
    if not str(await page.evaluate(value)).startswith("49,950.00"):
        await press(page, "ArrowRight")
    assert await page.evaluate(f"{FOCUSED}.getAttribute('aria-label')") == "Buy 0.01 BTC"
    # The keys' meaning is said, too.
    spoken = f"document.getElementById({FOCUSED}.getAttribute('aria-describedby')).textContent"
    assert "Enter sends, Escape takes it back" in str(await page.evaluate(spoken))
    await press(page, "ArrowUp", "ArrowUp", "PageDown")
    assert await page.evaluate(value) == "49,949.92 USDT, not sent yet"
    await press(page, "Escape")
    assert await page.evaluate(value) == "49,950.00 USDT"
    await press(page, "PageUp", "Enter")
    await page.until(f"{OPEN_ROWS}.some(row => row.innerText.includes('49,950.10'))")
    # The focus stays with the order, which has another number now.
    await page.until(f"{FOCUSED}.className.includes('grip') && {value} === '49,950.10 USDT'")
    assert "49,950.10" in await page.text("#toasts")
    # That the old one was cancelled is no news of its own.
    assert "was cancelled" not in await page.text("#toasts")
    # What would trade at once is asked back; the dialog has the focus, and Escape leaves all as it is.
    await page.evaluate("scrollTo(0, 0)")
    for _ in range(5):
        await press(page, *["PageUp"] * 100)
    await press(page, "Enter")
    await page.until("document.querySelector('#move')?.open")
    assert "may trade at once" in await page.text("#move")
    await page.click("#move-no")
    await page.until(f"{value} === '49,950.10 USDT'")
    await cancel_all(page)
    await page.until(f"{GRIPS}.length === 0")
    assert page.problems == []


async def test_who_has_nothing_yet_is_told_how_to_begin(
    terminal_exchange: ExchangeProcess, page: Page
) -> None:
    await page.go(f"{terminal_exchange.url}/terminal/#BTCUSDT")
    await sign_up(page, "first-steps@example.com")
    await page.until("document.querySelector('.first-steps')?.checkVisibility()")
    await page.click(".first-steps button")
    await page.until("document.querySelector('#deposit').open")
    await page.evaluate("document.querySelector('#deposit-asset').value = 'USDT'; 0")
    await page.fill("#deposit-amount", "100")
    await page.click("#deposit-form [type=submit]")
    await page.until("document.querySelector('.first-steps') === null")


async def test_an_open_order_is_changed_from_its_line_in_the_table(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page
) -> None:
    counterparty.ask("POST", "/api/v3/order", side="SELL", quantity="0.02", price="50000", **LIMIT)
    await begin(page, terminal_exchange, "change@example.com")
    await place(page, "buy", "49000", "0.01")
    await page.until(f"{OPEN_ROWS}.length === 1")
    change = "#tab-panel tbody button[aria-label^='Change: Buy 0.01 BTCUSDT at 49000']"
    await page.click(change)
    await page.until("document.querySelector('#order-change').open")
    await page.fill("#new-quantity", "0.00001")
    await page.click("#order-change-yes")
    assert "Total: at least" in await page.text("#new-quantity-problem")
    await page.fill("#new-quantity", "0.006")
    await page.click("#order-change-yes")
    await page.until("document.querySelector('#order-change') === null")
    await page.until(f"{OPEN_ROWS}[0].innerText.includes('0.00600')")
    assert "keeps its place" in await page.text("#toasts")
    await page.click(change.replace("0.01 ", "0.006 "))
    await page.fill("#new-price", "49,100")
    await page.fill("#new-quantity", "0.02")
    await page.click("#order-change-yes")
    await page.until(f"{OPEN_ROWS}.length === 1 && {OPEN_ROWS}[0].innerText.includes('49,100.00')")
    assert "0.02000" in await page.evaluate(f"{OPEN_ROWS}[0].innerText")
    await cancel_all(page)
    assert page.problems == []
