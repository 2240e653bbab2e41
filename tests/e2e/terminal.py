"""What a person does at the web terminal, step by step, and how tests of it are marked."""

import pytest

from tests.e2e.browser import CHROMIUM, Page

__all__ = ["BROWSER_TESTS", "OPEN_ROWS", "PASSWORD", "deposit", "place", "sign_up"]

BROWSER_TESTS = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path"),
]
OPEN_ROWS = "[...document.querySelectorAll('#tab-panel tbody tr')]"
PASSWORD = "correct horse battery"


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
