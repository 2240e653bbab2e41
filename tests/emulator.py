"""An emulator of AWS that speaks HTTP in a thread: moto, with one of its faults made good."""

import threading
from collections.abc import Iterable
from typing import Any
from unittest.mock import patch

from moto.moto_server import threaded_moto_server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.server import ThreadedMotoServer

__all__ = ["start_emulator"]

_tables = threading.Lock()


class _TablesOneCallAtATime(DomainDispatcherApplication):  # type: ignore[misc]
    """moto keeps a table as a `defaultdict` whose keys are hashed by Python code.

    Two calls at once that begin the same series each make its inner dictionary, and the rows of one are lost.
    """

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB"):
            with _tables:
                return list(super().__call__(environ, start_response))
        answer: Iterable[bytes] = super().__call__(environ, start_response)
        return answer


def start_emulator() -> ThreadedMotoServer:
    """On a port of its own on 127.0.0.1; `stop()` ends it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with patch.object(threaded_moto_server, "DomainDispatcherApplication", _TablesOneCallAtATime):
        server.start()
    return server
