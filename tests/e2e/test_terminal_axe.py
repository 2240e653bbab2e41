"""No serious fault that axe-core finds: phone and desktop, dark, light and forced colours."""

import hashlib
from pathlib import Path
from typing import Final

import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.browser import Page
from tests.e2e.terminal import BROWSER_TESTS, OPEN_ROWS, cancel_all, choose_kind, deposit, place, sign_up

pytestmark = BROWSER_TESTS
# The npm package's own file, whole and unchanged.
AXE: Final = Path(__file__).parent / "axe" / "axe.min.js"
AXE_VERSION: Final = "4.14.1"
AXE_SHA256: Final = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
SHAPES: Final = {"desktop": (1440, 900), "phone": (390, 844)}
COLOURS: Final = {
    "dark": {"prefers-color-scheme": "dark", "forced-colors": "none"},
    "light": {"prefers-color-scheme": "light", "forced-colors": "none"},
    "forced": {"prefers-color-scheme": "dark", "forced-colors": "active"},
}
IS_NEW: Final = "(document.body.dataset.old ?? '') === ''"
_TRIES: Final = 5
RUN: Final = """
axe.run(document, {resultTypes: ["violations"]}).then(({testEngine, passes, violations}) => {
  const serious = violations.filter(({impact}) => impact === "serious" || impact === "critical");
  const place = ({target, failureSummary}) => `${target} ${failureSummary}`;
  const faults = serious.map(({id, nodes}) => `${id}: ${nodes.map(place).join(" | ")}`);
  return [testEngine.version, passes.length, faults];
})
"""


class Judge:
    """Runs axe on what a page shows, in each of the colours asked for."""

    def __init__(self, page: Page, colours: list[str]) -> None:
        self._page = page
        self._colours = colours
        self.found: list[str] = []
        self.judged = 0

    async def look(self, name: str) -> None:
        """Note the serious faults of the page as it is now."""
        await self._page.evaluate(AXE.read_text("utf-8") + ";0")
        for colour in self._colours:
            features = [{"name": key, "value": value} for key, value in COLOURS[colour].items()]
            await self._page.call("Emulation.setEmulatedMedia", features=features)
            for _ in range(_TRIES):
                # What is old is faint on purpose; judged is what is so.
                await self._page.until(IS_NEW)
                version, passed, faults = await self._page.evaluate(RUN)
                if await self._page.evaluate(IS_NEW):
                    break
            assert (version, passed > 5) == (AXE_VERSION, True)
            self.found += [f"{name}, {colour}: {fault}" for fault in faults]
            self.judged += 1


def test_axe_is_what_its_package_has() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256


@pytest.mark.parametrize(
    ("shape", "colours"),
    [
        ("desktop", ["dark"]),
        pytest.param("phone", ["light"], marks=pytest.mark.thorough),
        pytest.param("desktop", ["light", "forced"], marks=pytest.mark.thorough),
        pytest.param("phone", ["dark", "forced"], marks=pytest.mark.thorough),
    ],
)
async def test_no_page_has_a_serious_fault(
    terminal_exchange: ExchangeProcess, page: Page, shape: str, colours: list[str]
) -> None:
    judge = Judge(page, colours)
    url, (width, height) = terminal_exchange.url, SHAPES[shape]
    await page.go(f"{url}/", width=width, height=height)
    await judge.look("front page")

    await page.go(f"{url}/terminal/#BTCUSDT", width=width, height=height)
    await page.until("document.querySelector('#connection').dataset.state === 'open'")
    await judge.look("terminal")
    await page.click("#market")
    await page.until("document.querySelectorAll('#markets tbody tr').length >= 3")
    await judge.look("list of markets")
    await page.evaluate("document.querySelector('#markets').close()")
    await page.click("#sign-up")
    await judge.look("entrance")
    await page.evaluate("document.querySelector('#entrance').close()")

    await sign_up(page, f"axe-{shape}-{'-'.join(colours)}@example.com")
    await deposit(page, "10000")
    await page.until("document.querySelector('#available').innerText === '10,000.00 USDT'")
    await place(page, "buy", "30000", "0.1")
    await page.until(f"{OPEN_ROWS}.length === 1")
    await page.click("#depth-switch")
    await page.until("document.querySelector('#depth svg') !== null")
    await judge.look("an open order, and the depth")
    await page.click("#tab-panel tbody button")
    await page.until("document.querySelector('#order-change')?.open")
    await judge.look("change of an order")
    await page.evaluate("document.querySelector('#order-change').close()")
    await page.evaluate("document.querySelector('.terms').open = true")
    await choose_kind(page, "OTOCO")
    await page.click("#depth-switch")
    await page.until("document.querySelector('.grip')?.checkVisibility()")
    await page.evaluate("document.querySelector('.grip').focus()")
    await judge.look("an order that others wait for, and the line of another")
    await cancel_all(page)
    await page.click("#open-room")
    await page.until("document.querySelectorAll('#room .part').length >= 10")
    await judge.look("account page")

    assert judge.judged == 8 * len(colours)
    assert judge.found == [], "\n".join(judge.found)
