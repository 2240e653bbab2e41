"""A whole body in, a whole answer out: for doors that stand before an application, not in it."""

import asyncio
from typing import Final

from starlette.types import Receive, Send

__all__ = ["JSON_HEADER", "BodyRefusedError", "send_whole", "whole_body"]

DEADLINE_S: Final = 10.0
JSON_HEADER: Final = (b"content-type", b"application/json;charset=UTF-8")


class BodyRefusedError(Exception):
    """The body did not arrive as it may; `status` is the answer's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def whole_body(receive: Receive, size_bytes_max: int) -> bytes:
    """Read it all. Raises BodyRefusedError: too large, not in time, or the client has gone."""
    whole: bytes = b""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise BodyRefusedError(400, "the client has gone")
                whole += message.get("body", b"")
                if len(whole) > size_bytes_max:
                    raise BodyRefusedError(413, f"a body has at most {size_bytes_max} bytes")
                if not message.get("more_body", False):
                    return whole
    except TimeoutError:
        raise BodyRefusedError(408, "the body did not arrive in time") from None


async def send_whole(
    send: Send, status: int, payload: bytes, headers: tuple[tuple[bytes, bytes], ...] = (JSON_HEADER,)
) -> None:
    """Answer at once, with these headers and the length."""
    length = (b"content-length", b"%d" % len(payload))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": payload})
