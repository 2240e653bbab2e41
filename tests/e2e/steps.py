"""What a person does in any browser, made of one thing: the value of an expression in the page."""

import asyncio
import json
from typing import Any, Final

__all__ = ["Steps"]

WAIT_DEADLINE_S: Final = 30.0


class Steps:
    """A browser's tab. Whoever inherits it evaluates and presses keys by the browser's own protocol."""

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page: a text, a number, true or false."""
        raise NotImplementedError

    async def go(self, url: str) -> None:
        """Open an address; returns when the page is loaded."""
        raise NotImplementedError

    async def press(self, *keys: str) -> None:
        """Press keys, by the values that WebDriver has for them."""
        raise NotImplementedError

    async def problems(self) -> list[str]:
        """Uncaught errors, and what the content policy refused, in words."""
        raise NotImplementedError

    async def until(self, expression: str) -> Any:
        """Wait until the expression is truthy; its value."""
        async with asyncio.timeout(WAIT_DEADLINE_S):
            while not (value := await self.evaluate(expression)):
                await asyncio.sleep(0.05)
        return value

    async def click(self, selector: str) -> None:
        """Press what the selector finds, once it is there and to be seen."""
        found = json.dumps(selector)
        await self.until(f"document.querySelector({found})?.checkVisibility() ?? false")
        await self.evaluate(f"document.querySelector({found}).click()")

    async def fill(self, selector: str, text: str) -> None:
        """A text in a field, in the place of what is there, as if it were typed."""
        await self.evaluate(
            f"(field => {{ field.focus(); field.value = {json.dumps(text)};"
            " field.dispatchEvent(new Event('input', { bubbles: true })); })"
            f"(document.querySelector({json.dumps(selector)}))"
        )

    async def text(self, selector: str) -> str:
        """What is to be read there."""
        return str(await self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))
