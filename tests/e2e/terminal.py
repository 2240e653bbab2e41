"""What a person does at the web terminal, step by step, and how tests of it are marked."""

import pytest

from tests.e2e.browser import CHROMIUM, Page

__all__ = [
    "BROWSER_TESTS",
    "FURTHER_KINDS",
    "OPEN_ROWS",
    "PASSWORD",
    "choose_kind",
    "deposit",
    "place",
    "sign_up",
]

BROWSER_TESTS = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path"),
]
OPEN_ROWS = "[...document.querySelectorAll('#tab-panel tbody tr')]"
PASSWORD = "correct horse battery"
# Side, what is typed for an order of each further kind, and how many open orders it makes.
FURTHER_KINDS = {
    "STOP_LIMIT": ("sell", {"#more-stop": "45000", "#price": "44900"}, 1),
    "STOP_MARKET": ("sell", {"#more-stop": "45000"}, 1),
    "TRAILING": ("sell", {"#more-trail": "2"}, 1),
    "OCO": ("sell", {"#price": "55000", "#more-stop": "45000", "#more-stopLimit": "44900"}, 2),
    "ICEBERG": ("sell", {"#price": "55000", "#more-iceberg": "0.0005"}, 1),
    "PEGGED": ("sell", {}, 1),
    "OTO": ("sell", {"#price": "56000", "#more-thenPrice": "54000"}, 2),
    "OTOCO": ("sell", {"#price": "56000", "#more-thenPrice": "54000", "#more-thenStop": "57000"}, 3),
    "OPO": ("buy", {"#price": "44000", "#more-thenStop": "43000", "#more-thenPrice": "42900"}, 2),
    "OPOCO": ("buy", {"#price": "44000", "#more-thenPrice": "52000", "#more-thenStop": "43000"}, 3),
}


async def sign_up(page: Page, email: str) -> None:
    """Open an account and be logged in."""
    await page.until("document.querySelector('#connection').dataset.state === 'open'")
    await page.click("#sign-up")
    await page.fill("#email", email)
    await page.fill("#password", PASSWORD)
    await page.click("#entrance-submit")
    await page.until("!document.querySelector('#log-out').hidden")


async def deposit(page: Page, usdt: str) -> None:
    """Take play money."""
    await page.click("#faucet")
    await page.fill("#deposit-amount", usdt)
    await page.click("#deposit-form [type=submit]")


async def place(page: Page, side: str, price: str, quantity: str) -> None:
    """Place a limit order that is taken."""
    await page.click(f"#side-{side}")
    await page.fill("#price", price)
    await page.fill("#quantity", quantity)
    await page.click("#submit")
    await page.until("document.querySelector('#order-answer').classList.contains('good')")


async def cancel_all(page: Page) -> None:
    """A list ends with one cancellation, and nothing is left for the tests that share the exchange."""
    for _ in range(2):
        await page.click("#cancel-all")
    await page.until(f"{OPEN_ROWS}.length === 0")


async def fill_kind(page: Page, kind: str, quantity: str) -> None:
    """Choose one of FURTHER_KINDS and type all that it asks for."""
    side, fields, _ = FURTHER_KINDS[kind]
    await page.click(f"#side-{side}")
    await choose_kind(page, kind)
    for selector, text in fields.items():
        await page.until(f"document.querySelector('{selector}')?.checkVisibility()")
        await page.fill(selector, text)
    await page.fill("#quantity", quantity)


async def choose_kind(page: Page, kind: str) -> None:
    """Choose a kind with fields of its own."""
    await page.evaluate(
        "((list, kind) => { list.value = kind; list.dispatchEvent(new Event('change')); })"
        f"(document.querySelector('#more-types'), '{kind}')"
    )
    await page.until("document.querySelector('.says')?.checkVisibility()")
