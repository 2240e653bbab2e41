"""The watchers as others have them beside a load: a process that is started, asked, and ended."""

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final, Self

from loadtest.crowd.process import FIGURES, RESET

__all__ = ["Watchers", "WatchersError", "watched_line"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_CONNECT_DEADLINE_S: Final = 300.0
_ANSWER_DEADLINE_S: Final = 30.0
_END_DEADLINE_S: Final = 10.0


class WatchersError(Exception):
    """The process of the watchers has ended, or does not answer."""


class Watchers:
    """`count` clients of `depth@100ms`; none: no process. Enter it to have them open."""

    def __init__(self, url: str, count: int) -> None:
        self._command = [sys.executable, "-m", "loadtest.crowd.process", url.rstrip("/"), str(count)]
        self._count = count
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Start the process, and wait until each socket is open or refused. Raises WatchersError."""
        if not self._count:
            return
        self._process = subprocess.Popen(
            self._command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        try:
            self._answer(_CONNECT_DEADLINE_S)
        except WatchersError:
            self.close()
            raise

    def reset(self) -> None:
        """Count from here. Raises WatchersError."""
        if self._process is not None:
            self._say(RESET)

    def figures(self) -> dict[str, Any]:
        """What they have seen since, as `Crowd.figures` and `process` tell. Raises WatchersError."""
        if self._process is None:
            return {"sockets": 0}
        self._say(FIGURES)
        return self._answer(_ANSWER_DEADLINE_S)

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None, "it is a pipe"
        process.stdin.close()
        try:
            process.wait(_END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join()

    def _say(self, word: str) -> None:
        assert self._process is not None, "open comes first"
        assert self._process.stdin is not None, "it is a pipe"
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise WatchersError(f"the watchers have gone: {error}") from None

    def _answer(self, deadline_s: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=deadline_s)
        except queue.Empty:
            raise WatchersError(f"the watchers said nothing for {deadline_s:.0f} s") from None
        if not line:
            raise WatchersError("the watchers have ended; what they said is on standard error")
        told: dict[str, Any] = json.loads(line)
        return told

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None, "it is a pipe"
        with process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put("")


def watched_line(watched: dict[str, Any]) -> str:
    """What matters of their figures in one line."""
    delays = ", ".join(f"{name} {watched[f'{name}_ms']}" for name in ("p50", "p95", "p99", "max"))
    return (
        f"{watched['open']} of {watched['sockets']} watchers of depth@100ms open, {watched['ended']} ended, "
        f"{watched['messages'] / watched['seconds']:.0f} messages a second, {watched['gaps']} gaps; "
        f"ms from the event to the client: {delays}; {watched['cpu_s'] / watched['seconds']:.0%} of a core"
    )
