"""WebKitGTK, which has Safari's engine, driven over W3C WebDriver, on a display of its own."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from local.servers import free_port
from tests.e2e.ending import end
from tests.e2e.steps import Steps

__all__ = ["WEBKIT", "KitPage", "open_kit"]

WEBKIT: Final = shutil.which("WebKitWebDriver") if shutil.which("Xvfb") else None
START_DEADLINE_S: Final = 60.0
CALL_DEADLINE_S: Final = 60.0
SCREEN: Final = "1600x1200x24"
# This driver hands no console out: what goes wrong from the page's beginning on is noted by the page.
NOTED: Final = """
window.noted = [];
addEventListener("error", ({ message }) => noted.push(message));
addEventListener("unhandledrejection", ({ reason }) => noted.push(String(reason)));
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  noted.push(`${violatedDirective} ${blockedURI}`));
"""


class KitPage(Steps):
    """One window."""

    def __init__(self, client: httpx.AsyncClient, session: str) -> None:
        self._client = client
        self._path = f"/session/{session}"

    async def call(self, path: str, **body: Any) -> Any:
        """One command of the session. Raises AssertionError."""
        return await _posted(self._client, f"{self._path}/{path}", body)

    async def go(self, url: str) -> None:
        """Open an address; returns when the page is loaded."""
        await self.call("url", url=url)
        await self.call("execute/sync", script=NOTED, args=[])

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page: a text, a number, true or false."""
        script = (
            f"const done = arguments[0]; (async () => ({expression}))()"
            ".then(value => done([true, value ?? null]), error => done([false, String(error)]));"
        )
        is_value, value = await self.call("execute/async", script=script, args=[])
        assert is_value, f"{expression}: {value}"
        return value

    async def press(self, *keys: str) -> None:
        """Press keys, by the values that WebDriver has for them."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        await self.call("actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    async def problems(self) -> list[str]:
        """Uncaught errors and what the content policy refused, since the page was opened."""
        return list(json.loads(await self.evaluate("JSON.stringify(window.noted ?? [])")))


async def _posted(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    answer = await client.post(path, json=body)
    value = answer.json()["value"]
    assert answer.status_code == 200, f"{path}: {value}"
    return value


@asynccontextmanager
async def open_kit(width: int = 1440, height: int = 900) -> AsyncIterator[KitPage]:
    """A WebKitGTK with an empty profile and one window, whose page has about this size."""
    assert WEBKIT is not None, "tests ask for it before"
    profile, port = Path(tempfile.mkdtemp(prefix="exchange-webkit-")), free_port()
    async with _display() as display:
        process = await asyncio.create_subprocess_exec(
            *(WEBKIT, f"--port={port}", "--host=127.0.0.1"),
            env={**os.environ, "HOME": str(profile), "XDG_RUNTIME_DIR": str(profile), "DISPLAY": display},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            base = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=base, timeout=CALL_DEADLINE_S, trust_env=False) as client:
                await _until_listening(client)
                wanted = {"alwaysMatch": {"browserName": "MiniBrowser"}}
                begun = await _posted(client, "/session", {"capabilities": wanted})
                page = KitPage(client, begun["sessionId"])
                await page.call("timeouts", script=round(CALL_DEADLINE_S * 1_000))
                await page.call("window/rect", x=0, y=0, width=width, height=height)
                yield page
                await client.delete(f"/session/{begun['sessionId']}")
        finally:
            await end(process)
            shutil.rmtree(profile, ignore_errors=True)


@asynccontextmanager
async def _display() -> AsyncIterator[str]:
    """A screen that nobody sees: this browser draws on none else."""
    numbers, told = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *("Xvfb", "-displayfd", str(told), "-screen", "0", SCREEN, "-nolisten", "tcp"),
        pass_fds=[told],
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(told)
    try:
        # Its number and a line's end; nothing, when it has ended.
        async with asyncio.timeout(START_DEADLINE_S):
            number = (await asyncio.to_thread(os.read, numbers, 16)).decode("ascii").strip()
        assert number.isdigit(), "Xvfb did not start"
        yield f":{number}"
    finally:
        os.close(numbers)
        await end(process)


async def _until_listening(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(START_DEADLINE_S):
        while True:
            try:
                await client.get("/status")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
