"""A headless Chromium, driven over its DevTools protocol: no driver program, no package."""

import asyncio
import base64
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.ending import end

__all__ = ["CHROMIUM", "BrowserError", "Page", "open_page"]

CHROMIUM: Final = next(
    filter(
        None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))
    ),
    None,
)
# Its own sandbox wants rights that containers and root do not have; it opens nothing but our own page.
OPTIONS: Final = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--no-proxy-server", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip
START_DEADLINE_S: Final = 60.0
CALL_DEADLINE_S: Final = 30.0
WAIT_DEADLINE_S: Final = 30.0
MESSAGE_SIZE_BYTES_MAX: Final = 32 * 1024 * 1024


class BrowserError(AssertionError):
    """The page did not do what the test takes for granted."""


class Page:
    """One tab. `problems`: uncaught errors, refusals of the content policy and failed loads, in words.

    `lost`: how many answers did not reach the page.
    """

    def __init__(self, socket: ClientConnection, address: str) -> None:
        self._socket = socket
        self._address = address
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())
        self._losing: set[asyncio.Task[dict[str, Any]]] = set()
        self.lost = 0
        self.problems: list[str] = []

    async def close(self) -> None:
        """Stop listening."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                waiting = self._waiting.pop(message["id"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            else:
                self._note(message["method"], message["params"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Fetch.requestPaused":
            self._let_go(params)
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.problems.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def _let_go(self, params: dict[str, Any]) -> None:
        """The answer to a POST is lost, any other one arrives."""
        paused = {"requestId": params["requestId"]}
        if params["request"]["method"] == "POST":
            self.lost += 1
            sending = self.call("Fetch.failRequest", **paused, errorReason="ConnectionReset")
        else:
            sending = self.call("Fetch.continueResponse", **paused)
        task = asyncio.create_task(sending)
        self._losing.add(task)
        task.add_done_callback(self._losing.discard)

    async def lose_answers(self, pattern: str) -> None:
        """From now on POSTs to such addresses reach the server, and their answers do not reach the page."""
        await self.call("Fetch.enable", patterns=[{"urlPattern": pattern, "requestStage": "Response"}])

    @asynccontextmanager
    async def another_tab(self) -> "AsyncIterator[Page]":
        """A second tab of the same browser, with the same storage."""
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        address = f"{self._address.rpartition('/')[0]}/{target}"
        async with _page_at(address) as page:
            yield page

    async def cut_network(self) -> None:
        """From now on the browser has no network."""
        await self.call("Network.enable")
        await self._have_network(offline=True)

    async def mend_network(self) -> None:
        """Undo `cut_network`."""
        await self._have_network(offline=False)

    async def _have_network(self, *, offline: bool) -> None:
        await self.call(
            *("Network.emulateNetworkConditions",),
            offline=offline, latency=0, downloadThroughput=-1, uploadThroughput=-1,
        )  # fmt: skip

    async def hover(self, selector: str) -> None:
        """Rest the mouse on what the selector finds."""
        box = await self.evaluate(
            f"(box => [box.x + box.width / 2, box.y + box.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        await self.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])

    async def choose_market(self, symbol: str) -> None:
        """Choose a market as a person does: by its name in the search of the list."""
        await self.click("#market")
        await self.until("document.querySelector('#markets')?.open")
        await self.fill("#market-search", symbol)
        await self.until("document.querySelectorAll('#markets tbody tr').length === 1")
        await self.click("#markets .pick")

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol. Raises BrowserError, TimeoutError."""
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(CALL_DEADLINE_S):
            await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
            message = await waiting
        if "error" in message:
            raise BrowserError(f"{method}: {message['error']}")
        result: dict[str, Any] = message["result"]
        return result

    async def go(self, url: str, width: int = 1440, height: int = 900) -> None:
        """Open an address in a window of this size; returns when the page is loaded."""
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        await self.call("Page.navigate", url=url)
        await self.until(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page. Raises BrowserError when it throws."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until the expression is truthy; its value. Raises BrowserError after the deadline.

        An expression may throw meanwhile: a page that is being loaded has nothing yet.
        """
        value, thrown = None, ""
        try:
            async with asyncio.timeout(WAIT_DEADLINE_S):
                while not value:
                    try:
                        value = await self.evaluate(expression)
                    except BrowserError as error:
                        thrown = str(error)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            shown = await self.evaluate("document.body.innerText")
            raise BrowserError(
                f"never came true: {expression}\n{thrown}\nproblems: {self.problems}\npage:\n{shown}"
            ) from None
        return value

    async def click(self, selector: str) -> None:
        """Press what the selector finds, once it is there and to be seen."""
        found = json.dumps(selector)
        await self.until(f"document.querySelector({found})?.checkVisibility()")
        await self.evaluate(f"document.querySelector({found}).click()")

    async def fill(self, selector: str, text: str) -> None:
        """Type a text into a field, in the place of what is there."""
        await self.evaluate(
            f"(field => (field.focus(), field.select()))(document.querySelector({json.dumps(selector)}))"
        )
        await self.call("Input.insertText", text=text)

    async def text(self, selector: str) -> str:
        """What is to be read there."""
        return str(await self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def screenshot(self, path: Path) -> None:
        """Write what the window shows as a PNG."""
        picture = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(picture["data"]))


@asynccontextmanager
async def _page_at(address: str) -> AsyncIterator[Page]:
    async with connect(address, max_size=MESSAGE_SIZE_BYTES_MAX, proxy=None) as socket:
        page = Page(socket, address)
        try:
            yield page
        finally:
            await page.close()


@asynccontextmanager
async def open_page() -> AsyncIterator[Page]:
    """A Chromium with an empty profile and one empty tab. Raises BrowserError when it does not start."""
    assert CHROMIUM is not None, "tests ask for it before"
    profile = Path(tempfile.mkdtemp(prefix="exchange-browser-"))
    process = await asyncio.create_subprocess_exec(
        *(CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"),
        env={**os.environ, "HOME": str(profile)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        address = await _tab_address(profile)
        async with _page_at(address) as page:
            yield page
    finally:
        await end(process)
        shutil.rmtree(profile, ignore_errors=True)


async def _tab_address(profile: Path) -> str:
    """Chromium writes its port into the profile once it listens."""
    try:
        async with asyncio.timeout(START_DEADLINE_S), httpx.AsyncClient(trust_env=False) as client:
            while True:
                await asyncio.sleep(0.1)
                file = profile / "DevToolsActivePort"
                lines = file.read_text().split() if file.exists() else []
                if not lines:
                    continue
                tabs = (await client.get(f"http://127.0.0.1:{lines[0]}/json/list")).json()
                for tab in tabs:
                    if tab["type"] == "page":
                        return str(tab["webSocketDebuggerUrl"])
    except TimeoutError:
        raise BrowserError("Chromium did not start in time") from None
