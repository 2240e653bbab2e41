"""The ways to an exchange, by its door (door.py) or over HTTP (admin.py): an order there, its answer back."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from services.operator.orders import (
    Answer,
    Request,
    Signed,
    decode_answer,
    decode_session,
    encode,
    encode_code,
)
from services.operator.tagged import OrderError

if TYPE_CHECKING:
    import httpx

__all__ = ["ORDER_SIZE_BYTES_MAX", "AskedOverHttp", "ask", "keep_private", "short_path"]

DecodedT = TypeVar("DecodedT")

ORDER_SIZE_BYTES_MAX: Final = 1_000_000
ANSWER_DEADLINE_S: Final = 120.0


async def ask(path: Path, signed: Signed) -> Answer:
    """Hand an order in at the door. Raises OrderError when nobody is there."""
    try:
        with short_path(path) as short:
            reader, writer = await asyncio.open_unix_connection(short, limit=ORDER_SIZE_BYTES_MAX)
    except OSError as error:
        raise OrderError(f"no exchange listens at {path}: {error}") from None
    try:
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            writer.write(encode(signed) + b"\n")
            await writer.drain()
            return decode_answer(await reader.readline())
    except (OSError, ValueError) as error:
        raise OrderError(f"the answer was lost: {error!r}; ask what holds before ordering again") from None
    finally:
        writer.close()


class AskedOverHttp:
    """Hands orders in at `url`; who orders is the owner of the session, which token and code begin.

    `code`: asked for the six digits when a session has to begin. `kept`: where its token stays for the next
    command; None for nowhere.
    """

    def __init__(self, url: str, token: str, code: Callable[[], str], kept: Path | None) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._code = code
        self._kept = kept
        self._session = kept.read_text("ascii").strip() if kept is not None and kept.exists() else ""

    async def ask(self, signed: Signed) -> Answer:
        """Carry one out. Raises OrderError."""
        answer = await self._asked(signed) if self._session else None
        if answer is None:
            self._session = await self._begun()
            answer = await self._asked(signed)
        if answer is None:
            raise OrderError("the session was over at once: is another clock meant?")
        return answer

    async def _asked(self, signed: Signed) -> Answer | None:
        """None: no such session lives."""
        answer = await self._post("orders", self._session, encode(Request(signed.order, signed.reason)))
        return None if answer.status_code == 401 else _decoded(answer, decode_answer, self._url)

    async def _begun(self) -> str:
        if not self._token:
            raise OrderError("ADMIN_TOKEN is empty: `admins add NAME`, beside the exchange, prints one")
        answer = await self._post("sessions", self._token, encode_code(self._code()))
        if answer.status_code != 200:
            raise OrderError("; ".join(_decoded(answer, decode_answer, self._url).lines))
        session = _decoded(answer, decode_session, self._url).session
        if self._kept is not None:
            keep_private(self._kept, session)
        return session

    async def _post(self, what: str, bearer: str, body: bytes) -> "httpx.Response":
        import httpx

        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        try:
            async with httpx.AsyncClient(timeout=ANSWER_DEADLINE_S) as client:
                return await client.post(f"{self._url}/v1/admin/{what}", content=body, headers=headers)
        except httpx.HTTPError as error:
            raise OrderError(
                f"the answer was lost: {error!r}; ask what holds before ordering again"
            ) from None


def _decoded(answer: "httpx.Response", decode: Callable[[bytes], DecodedT], url: str) -> DecodedT:
    try:
        return decode(answer.content)
    except OrderError:
        raise OrderError(f"{url} answered {answer.status_code}: {answer.text[:200]}") from None


def keep_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read. Raises OSError."""
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    partial.replace(path)


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """The same place in fewer letters: a socket's name has room for 107 bytes, a folder's may be longer."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
