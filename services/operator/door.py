"""The door to an exchange that keeps its logs to itself (`make run`): a socket in its data folder.

Only who may write to the folder's socket comes in: mode 0600, and no port that a gateway could reach. One
order a connection: a line of JSON there, a line back.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.operator.asking import ORDER_SIZE_BYTES_MAX, short_path
from services.operator.desk import LOOKS, OperatorDesk
from services.operator.orders import (
    Answer,
    decode_signed,
    encode,
)
from services.operator.tagged import OrderError

__all__ = ["OperatorDoor"]

logger = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 4
ORDER_DEADLINE_S: Final = 10.0
_MODE: Final = 0o600


class OperatorDoor:
    """Component that listens on a socket in the file system."""

    name = "operator"

    def __init__(self, desk: OperatorDesk, path: Path) -> None:
        self._desk = desk
        self._path = path
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Listen; a socket that a killed process left is replaced. Raises OSError."""
        self._path.unlink(missing_ok=True)
        with short_path(self._path) as path:
            mask = os.umask(0o777 & ~_MODE)
            try:
                self._server = await asyncio.start_unix_server(self._serve, path, limit=ORDER_SIZE_BYTES_MAX)
            finally:
                os.umask(mask)

    async def run(self) -> None:
        """Serve until cancelled."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Close the socket and remove it."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    def readiness(self) -> Mapping[str, str | None]:
        """Never in the way."""
        return {}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS_MAX:
                async with asyncio.timeout(ORDER_DEADLINE_S):
                    line = await reader.readline()
                writer.write(encode(await self._answer(line)) + b"\n")
                async with asyncio.timeout(ORDER_DEADLINE_S):
                    await writer.drain()
        except (OSError, ValueError, TimeoutError) as error:
            logger.warning("an order was not understood: %r", error)
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            signed = decode_signed(line)
        except OrderError as error:
            return Answer(False, [str(error)])
        answer = await self._desk.carry_out(signed)
        what = type(signed.order).__name__
        if isinstance(signed.order, LOOKS):
            # It changes nothing, and what it found is for who asked: addresses of people, among others.
            logger.info("operator %s: %s", signed.who, what)
        else:
            logger.warning("operator %s: %s: %s", signed.who, what, "; ".join(answer.lines))
        return answer
