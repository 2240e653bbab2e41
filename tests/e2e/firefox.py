"""A headless Firefox, driven over WebDriver BiDi, which it speaks itself: no driver, no package."""

import asyncio
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.ending import end
from tests.e2e.steps import Steps

__all__ = ["FIREFOX", "FoxPage", "open_fox"]

FIREFOX: Final = next(filter(None, map(shutil.which, ("firefox", "firefox-esr"))), None)
START_DEADLINE_S: Final = 60.0
CALL_DEADLINE_S: Final = 30.0
MESSAGE_SIZE_BYTES_MAX: Final = 32 * 1024 * 1024


class FoxPage(Steps):
    """One tab, driven over WebDriver BiDi."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._context = ""
        self._problems: list[str] = []

    async def begin(self, width: int, height: int) -> None:
        """A session, and a window of this size."""
        await self.call("session.new", capabilities={})
        await self.call("session.subscribe", events=["log.entryAdded"])
        tree = await self.call("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]
        viewport = {"width": width, "height": height}
        await self.call("browsingContext.setViewport", context=self._context, viewport=viewport)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command. Raises AssertionError, TimeoutError."""
        number = next(self._ids)
        async with asyncio.timeout(CALL_DEADLINE_S):
            await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
            async for text in self._socket:
                message: dict[str, Any] = json.loads(text)
                if message.get("id") == number:
                    assert message["type"] == "success", f"{method}: {message}"
                    return dict(message["result"])
                if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                    self._problems.append(str(message["params"]["text"]))
        raise AssertionError("Firefox has closed the connection")

    async def go(self, url: str) -> None:
        """Open an address; returns when the page is loaded."""
        await self.call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page: a text, a number, true or false."""
        answer = await self.call(
            "script.evaluate",
            expression=expression,
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        assert answer["type"] == "success", f"{expression}: {answer}"
        return answer["result"].get("value")

    async def press(self, *keys: str) -> None:
        """Press keys, by the values that WebDriver has for them."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        await self.call("input.performActions", context=self._context, actions=[source])

    async def touch(self, selector: str, drag_px: int = 0) -> None:
        """Put a finger onto the middle of what the selector finds, and lift it, so far below if it drags."""
        found = json.dumps(selector)
        await self.until(f"document.querySelector({found})?.checkVisibility() ?? false")
        # What is scrolled is found where it is painted, which is a frame later.
        place = await self.evaluate(
            "(async element => { element.scrollIntoView({ block: 'center', behavior: 'instant' });"
            " for (const _ of 'ab') await new Promise(requestAnimationFrame);"
            " const box = element.getBoundingClientRect();"
            " return JSON.stringify([box.x + box.width / 2, box.y + box.height / 2].map(Math.round)); })"
            f"(document.querySelector({found}))"
        )
        x, y = json.loads(place)
        steps: list[dict[str, Any]] = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
        ]
        if drag_px:
            steps.append({"type": "pointerMove", "x": x, "y": y + drag_px, "duration": 100})
        steps.append({"type": "pointerUp", "button": 0})
        source = {"type": "pointer", "id": "finger", "parameters": {"pointerType": "touch"}, "actions": steps}
        await self.call("input.performActions", context=self._context, actions=[source])

    async def problems(self) -> list[str]:
        """What the console was told as an error."""
        return self._problems


@asynccontextmanager
async def open_fox(width: int = 1440, height: int = 900) -> AsyncIterator[FoxPage]:
    """A Firefox with an empty profile and one empty tab."""
    assert FIREFOX is not None, "tests ask for it before"
    profile = Path(tempfile.mkdtemp(prefix="exchange-firefox-"))
    process = await asyncio.create_subprocess_exec(
        *(FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"),
        env={**os.environ, "HOME": str(profile), "MOZ_CRASHREPORTER_DISABLE": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        address = await _address(process)
        async with connect(f"{address}/session", max_size=MESSAGE_SIZE_BYTES_MAX, proxy=None) as socket:
            page = FoxPage(socket)
            await page.begin(width, height)
            yield page
    finally:
        await end(process)
        shutil.rmtree(profile, ignore_errors=True)


async def _address(process: asyncio.subprocess.Process) -> str:
    """Firefox tells its port on its error output once it listens."""
    assert process.stderr is not None
    async with asyncio.timeout(START_DEADLINE_S):
        async for line in process.stderr:
            found = re.search(rb"WebDriver BiDi listening on (ws://\S+)", line)
            if found:
                return found[1].decode()
    raise AssertionError("Firefox did not start")
