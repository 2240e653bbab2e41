"""Asks the bench's process: small JSON over HTTP, with the standard library alone.

So a bot's own environment needs nothing of the exchange's: only this package on its path.
"""

import http.client
import json
import threading
import time
from typing import Any, Final
from urllib.parse import urlsplit

__all__ = ["BenchError", "Control"]

_DEADLINE_S: Final = 30.0
# A server closes a connection that nobody uses for some seconds, and says so to who sends next.
_IDLE_S_MAX: Final = 1.0


class BenchError(Exception):
    """The bench refused, or is gone; says why. `code`: of the API's own error, 0 for none."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class Control:
    """One kept connection to one exchange; several threads take turns. `deadline_s`: of one answer."""

    def __init__(self, url: str, deadline_s: float = _DEADLINE_S) -> None:
        self.url = url
        self._deadline_s = deadline_s
        self._address = urlsplit(url).netloc
        self._connection: http.client.HTTPConnection | None = None
        self._turn = threading.Lock()
        self._used_s = 0.0

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """The JSON that comes back. Raises BenchError for anything but success."""
        data = None if body is None else json.dumps(body)
        try:
            with self._turn:
                status, text = self._exchange(method, path, data, headers or {})
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise BenchError(f"{method} {path}: the bench does not answer: {error!r}") from None
        answer = json.loads(text) if text else None
        if status not in (200, 201):
            shape = answer if isinstance(answer, dict) else {}
            said = shape.get("error") or shape.get("msg") or text[:200]
            raise BenchError(f"{method} {path}: {status} {said}", int(shape.get("code") or 0))
        return answer

    def close(self) -> None:
        """Let the connection go; the next question opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def leave(self) -> None:
        """Nothing more is asked: let go of what there is."""
        self.close()

    def _exchange(self, method: str, path: str, data: str | None, headers: dict[str, str]) -> tuple[int, str]:
        if time.monotonic() - self._used_s > _IDLE_S_MAX:
            self.close()
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._address, timeout=self._deadline_s)
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        self._used_s = time.monotonic()
        return answer.status, text
