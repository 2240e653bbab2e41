"""The screenshots in `docs/`, made anew: `python -m tests.e2e.pictures http://127.0.0.1:8080 .data`.

The exchange is a fresh `make run` with its past and its market maker; in its folder the operator's command
finds its door. Each picture is what a person sees after a few steps, in a real Chromium.
"""

import asyncio
import base64
import io
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from exchange.security.one_time_codes import totp_code
from tests.e2e.browser import Page, open_page
from tests.e2e.terminal import OPEN_ROWS, deposit, sign_up

DOCS: Final = Path(__file__).parents[2] / "docs"
DESKTOP: Final = (1440, 900)
PHONE: Final = (390, 844)
# Screenshots have few colours: a palette makes a third of them.
COLOURS_MAX: Final = 128


async def take(page: Page, name: str) -> None:
    """What the window shows, as a small PNG in `docs/`."""
    await page.until("(document.body.dataset.old ?? '') === ''")
    picture = await page.call("Page.captureScreenshot", format="png")
    image = Image.open(io.BytesIO(base64.b64decode(picture["data"]))).convert("RGB")
    small = image.quantize(COLOURS_MAX, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    path = DOCS / name
    small.save(path, optimize=True)
    print(f"{path} {path.stat().st_size // 1000} KB")


async def look(page: Page, scheme: str, size: tuple[int, int]) -> None:
    """Dark or light, in a window of this size."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await page.call("Emulation.setEmulatedMedia", features=features)
    width, height = size
    await page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=height, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip


async def order(page: Page, side: str, kind: str, **values: str) -> None:
    """Place an order, its price so many percent of the last one."""
    await page.click(f"#side-{side}")
    await page.click(f"#types [data-value={kind}]")
    for name, value in values.items():
        await page.fill(f"#{name}", value)
    await page.evaluate("document.querySelector('#order-answer').className = ''")
    await page.click("#submit")
    await page.until("/good|bad/.test(document.querySelector('#order-answer').className)")


async def trade(page: Page, url: str) -> None:
    """Somebody who has bought, and has two orders in the book."""
    await page.go(f"{url}/terminal/#BTCUSDT", *DESKTOP)
    await sign_up(page, f"ada-{time.time_ns() % 10**6}@example.com")
    await deposit(page, "50000")
    await page.until("document.querySelector('#available').innerText === '50,000.00 USDT'")
    await page.evaluate(
        "[...document.querySelectorAll('#extras button')]"
        ".filter(one => ['MA', 'RSI'].includes(one.innerText)).forEach(one => one.click())"
    )
    await order(page, "buy", "MARKET", quantity="5000")
    last = float(str(await page.evaluate("document.querySelector('#last').innerText")).replace(",", ""))
    await order(page, "buy", "LIMIT", price=f"{last * 0.998:.2f}", quantity="0.05")
    await order(page, "sell", "LIMIT", price=f"{last * 1.002:.2f}", quantity="0.03")
    await page.until(f"{OPEN_ROWS}.length === 2")
    await page.click("#intervals [data-value='1h']")
    await page.until("document.querySelectorAll('#toasts .toast').length === 0")


async def terminal(url: str) -> None:
    """The market, on a desktop in the dark and on a phone in the light, and the account's page."""
    async with open_page() as page:
        await page.call("Page.enable")
        await look(page, "dark", DESKTOP)
        await trade(page, url)
        await page.fill("#quantity", "0.02")
        await take(page, "terminal.png")
        await look(page, "light", PHONE)
        await page.evaluate("document.querySelector('.grip')?.blur(); scrollTo(0, 0)")
        await asyncio.sleep(1)
        await take(page, "terminal-phone.png")
        await look(page, "light", DESKTOP)
        await page.click("#open-room")
        await page.until("document.querySelectorAll('#room .part').length >= 10")
        await page.until("document.querySelector('#room').innerText.includes('Worth')")
        await asyncio.sleep(1)
        await take(page, "account.png")
        assert page.problems == [], page.problems


def new_operator(data_dir: str) -> tuple[str, bytes]:
    """Somebody who may order: token, and the secret of the authenticator."""
    added = subprocess.run(
        [sys.executable, "-m", "local", "operator", "--", "admins", "add", f"olga{time.time_ns() % 10**6}",
         "--role", "ADMIN", "--reason", "pictures"],
        env={**os.environ, "DATA_DIR": data_dir}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    *_, uri, token = added.stdout.split()
    return token, base64.b32decode(parse_qs(urlsplit(uri).query)["secret"][0])


async def operators(url: str, token: str, secret: bytes) -> None:
    """The operators' page, once it has looked at everything."""
    async with open_page() as page:
        await look(page, "dark", DESKTOP)
        await page.go(f"{url}/operator/", *DESKTOP)
        await page.fill("#token", token)
        await page.fill("#code", totp_code(secret, time.time_ns() // 30_000_000_000))
        await page.click("#log-in button")
        await page.until("document.body.dataset.looked === 'yes'")
        await take(page, "operator.png")


async def everything(url: str, token: str, secret: bytes) -> None:
    """All of them."""
    await terminal(url)
    await operators(url, token, secret)


if __name__ == "__main__":
    asyncio.run(everything(sys.argv[1], *new_operator(sys.argv[2])))
