"""An event loop in a thread of its own, for session-wide servers that tests with loops of their own share."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """Runs coroutines from synchronous code. Servers started in it live as long as its thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="servers", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], deadline_s: float) -> T:
        """The coroutine's result; raises TimeoutError after `deadline_s` seconds."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(deadline_s)

    def close(self) -> None:
        """Ends the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()
