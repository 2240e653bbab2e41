"""The way to the door (door.py): an order there, its answer back."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.operator.orders import Answer, OrderError, Request, Signed, decode_answer, encode

__all__ = ["ORDER_SIZE_BYTES_MAX", "ask", "ask_url", "short_path"]

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


async def ask_url(url: str, token: str, signed: Signed) -> Answer:
    """Hand an order in at `url`/v1/admin/orders; who orders is the token's owner. Raises OrderError."""
    import httpx

    if not token:
        raise OrderError("ADMIN_TOKEN is empty: `admins add NAME`, beside the exchange, prints one")
    body = encode(Request(signed.order, signed.reason))
    try:
        async with httpx.AsyncClient(timeout=ANSWER_DEADLINE_S) as client:
            answer = await client.post(
                f"{url.rstrip('/')}/v1/admin/orders",
                content=body,
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
    except httpx.HTTPError as error:
        raise OrderError(f"the answer was lost: {error!r}; ask what holds before ordering again") from None
    try:
        return decode_answer(answer.content)
    except OrderError:
        raise OrderError(f"{url} answered {answer.status_code}: {answer.text[:200]}") from None


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """The same place in fewer letters: a socket's name has room for 107 bytes, a folder's may be longer."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
