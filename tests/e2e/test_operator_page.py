"""The operators' page in a real Chromium: from the first visit to a market halted, and who may not."""

import base64
import time
from urllib.parse import parse_qs, urlsplit

from exchange.security.one_time_codes import totp_code
from local.exchange_process import ExchangeProcess
from tests.e2e.browser import Page
from tests.e2e.steps import Steps
from tests.e2e.terminal import BROWSER_TESTS
from tests.e2e.test_operator import QUIET, operator, until_status
from tests.e2e.test_terminal_axe import Judge

pytestmark = BROWSER_TESTS
LOOKED = "document.body.dataset.looked === 'yes'"


class Person:
    """An administrator with a token and an authenticator."""

    def __init__(self, exchange: ExchangeProcess, name: str, role: str) -> None:
        added = operator(exchange, "admins", "add", name, "--role", role, "--reason", "a test")
        assert (added.returncode, added.stderr) == (0, "")
        *_, uri, self.token = added.stdout.split()
        self._secret = base64.b32decode(parse_qs(urlsplit(uri).query)["secret"][0])

    async def log_in(self, page: Page | Steps) -> None:
        await page.fill("#token", self.token)
        await page.fill("#code", totp_code(self._secret, time.time_ns() // 30_000_000_000))
        await page.click("#log-in button")
        await page.until(LOOKED)


async def has(page: Page, place: str, words: str) -> None:
    await page.until(f"document.querySelector('{place}').innerText.includes('{words}')")


async def fill_in(page: Page | Steps, order: str, **values: str) -> None:
    """Fill the form of an order or of a look, and send it."""
    form = f"form:is([data-order={order}], [data-look={order}])"
    for name, value in values.items():
        await page.evaluate(f"(document.querySelector('{form} [name={name}]').value = '{value}', 0)")
    await page.click(f"{form} button")


async def set_mode(page: Page | Steps, word: str, reason: str) -> None:
    await page.fill("#reason", reason)
    await fill_in(page, "SetMode", symbol=QUIET, word=word)


async def ordered(page: Page, answer: str, order: str, **values: str) -> None:
    """The same, and be sure of it; `answer`: what comes of it."""
    await fill_in(page, order, **values)
    await page.until("document.querySelector('#sure').open")
    await page.click("#sure-yes")
    await has(page, "#answer", answer)


async def test_who_orders_does_and_who_looks_does_not(terminal_exchange: ExchangeProcess, page: Page) -> None:
    olga, victor = (Person(terminal_exchange, *one) for one in (("olga", "ADMIN"), ("victor", "VIEWER")))
    judge = Judge(page, ["dark", "forced"])
    await page.go(f"{terminal_exchange.url}/operator/")
    await judge.look("entrance")
    await page.fill("#token", olga.token)
    await page.fill("#code", "000000")
    await page.click("#log-in button")
    await has(page, "#answer", "the code is not one of now")

    await olga.log_in(page)
    await has(page, "#health", "engine")
    await has(page, "#readers", "ledger: seq")
    await has(page, "#markets", f"{QUIET}: trading")
    await has(page, "#stop", "money may leave")
    await page.until("document.querySelector('#freezes li') !== null")
    await judge.look("room")
    # Without a reason, or without a second look, nothing is sent.
    await set_mode(page, "cancel-only", "")
    await has(page, "#answer", "Say why")
    await set_mode(page, "cancel-only", "a page that is tested")
    await page.until("document.querySelector('#sure').open")
    await judge.look("question")
    await page.click("#sure-no")
    until_status(terminal_exchange, "TRADING")
    try:
        await set_mode(page, "cancel-only", "a page that is tested")
        await page.until("document.querySelector('#sure').open")
        await page.click("#sure-yes")
        await has(page, "#answer", f"{QUIET}: cancel-only since seq")
        await has(page, "#markets", f"{QUIET}: cancel-only")
        until_status(terminal_exchange, "CANCEL_ONLY")
    finally:
        assert operator(terminal_exchange, "markets", "reopen", QUIET, "--reason", "a test").returncode == 0
    # A market's fees and filters are seen and changed, too.
    await fill_in(page, "ListFees")
    await has(page, "#found", f"{QUIET}: maker 0.001000, taker 0.001000")
    await ordered(
        page, f"{QUIET}: 0.0009, 0.0011, since seq", "SetFees", symbol=QUIET, maker="0.0009", taker="0.0011"
    )
    await ordered(
        page, f"{QUIET}: 0.001, 0.001, since seq", "SetFees", symbol=QUIET, maker="0.001", taker="0.001"
    )
    await ordered(
        page, "MAX_NUM_ORDERS maxNumOrders=150 since seq",
        "ChangeFilter", symbol=QUIET, name="MAX_NUM_ORDERS", values="maxNumOrders=150",
    )  # fmt: skip
    await fill_in(page, "ShowFilters", symbol=QUIET)
    await has(page, "#found", "MAX_NUM_ORDERS maxNumOrders=150")
    await ordered(
        page, "MAX_NUM_ORDERS maxNumOrders=200 since seq",
        "ChangeFilter", symbol=QUIET, name="MAX_NUM_ORDERS", values="maxNumOrders=200",
    )  # fmt: skip
    await page.fill("form[data-look=SearchAuditLog] [name=text]", "page that is tested")
    await page.click("form[data-look=SearchAuditLog] button")
    for words in ("operator-order", "operator-done", "olga (/v1/admin)"):
        await has(page, "#found", words)
    await page.click("#log-out")
    assert await page.evaluate("document.querySelectorAll('#room li').length") == 0

    await victor.log_in(page)
    await has(page, "#who", "victor (VIEWER)")
    await has(page, "#markets", f"{QUIET}: trading")
    assert await page.evaluate("document.querySelectorAll('#orders :enabled').length") == 0
    assert judge.found == []
