"""A narrow phone: nothing is beyond an edge, cut off, or too small for a finger."""

import json
from pathlib import Path
from typing import Final

import pytest

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
NARROW = (360, 740)
SEEN: Final = Path(__file__).with_name("seen.js").read_text("utf-8")


class Narrow:
    """Looks at what the page shows, and notes what is wrong by the name of the step."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.found: list[str] = []

    async def look(self, name: str) -> None:
        self.found += [f"{name}: {fault}" for fault in await self._page.evaluate(SEEN)]


@pytest.mark.parametrize(
    "language",
    [
        "de",
        *(pytest.param(code, marks=pytest.mark.thorough) for code in ("en", "es", "zh")),
    ],
)
async def test_nothing_is_beyond_the_edge_cut_or_too_small_for_a_finger(
    terminal_exchange: ExchangeProcess, counterparty: Trader, page: Page, language: str
) -> None:
    url, narrow = terminal_exchange.url, Narrow(page)
    market = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.02"}
    counterparty.ask("POST", "/api/v3/order", side="SELL", price="50000", **market)
    counterparty.ask("POST", "/api/v3/order", side="BUY", price="49000", **market)
    await page.go(f"{url}/?lang={language}", *NARROW)
    await narrow.look("front page")
    await page.evaluate(f"localStorage.setItem('exchange.language', {json.dumps(language)})")
    await page.go(f"{url}/terminal/#BTCUSDT", *NARROW)
    await page.until(f"document.documentElement.lang === '{language}'")
    await page.until("document.querySelector('#connection').dataset.state === 'open'")
    await narrow.look("terminal")
    await page.click("#sign-up")
    await narrow.look("entrance")
    await page.evaluate("document.querySelector('#entrance').close()")
    await sign_up(page, f"phone-{language}@example.com")
    await narrow.look("first steps")
    await page.click("#faucet")
    await narrow.look("deposit")
    await page.evaluate("document.querySelector('#deposit').close()")
    await deposit(page, "10000")
    await page.until("/10.000/.test(document.querySelector('#available').innerText)")
    await place(page, "buy", "49500", "0.01")
    await page.until(f"{OPEN_ROWS}.length === 1")
    for view in ("book", "tape", "chart"):
        await page.click(f".views [data-view={view}]")
        await narrow.look(view)
    await page.click("#depth-switch")
    await page.until("document.querySelector('#depth svg') !== null")
    await narrow.look("depth")
    await page.click("#depth-switch")
    await page.click("#market")
    await page.until("document.querySelectorAll('#markets tbody tr').length >= 3")
    await narrow.look("list of markets")
    await page.evaluate("document.querySelector('#markets').close()")
    for kind in FURTHER_KINDS:
        await fill_kind(page, kind, "0.002")
        await narrow.look(kind)
    await page.click(".terms summary")
    await narrow.look("own orders that meet")
    for tab in ("history", "trades", "balances", "open"):
        await page.click(f"#tab-{tab}")
        await narrow.look(tab)
    await page.click("#tab-panel tbody button")
    await page.until("document.querySelector('#order-change')?.open")
    await narrow.look("change")
    await page.evaluate("document.querySelector('#order-change').close()")
    await cancel_all(page)
    await page.click("#open-room")
    await page.until("document.querySelectorAll('#room .part').length >= 10")
    await narrow.look("account page")
    assert narrow.found == [], "\n".join(narrow.found)
