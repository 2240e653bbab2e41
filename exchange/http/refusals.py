"""What a server answers before any application sees a request: in the API's form, whatever the path."""

from collections.abc import Iterable
from http import HTTPStatus

import orjson
from starlette.types import Receive, Scope, Send

from exchange.contracts.errors import ApiError, overloaded, request_too_large

__all__ = ["head_too_large", "refusal", "serve_overloaded", "unreadable"]


def unreadable() -> ApiError:
    """What has come is no request."""
    return ApiError(-1100, "Illegal characters found in the request.")


def head_too_large(url: bytes, size_bytes_max: int) -> ApiError:
    """A request's head has more bytes than are read; `url`: as much of it as has come."""
    return request_too_large(414 if len(url) > size_bytes_max // 2 else 431, size_bytes_max)


def refusal(error: ApiError, defaults: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole answer, after which the connection ends. `defaults`: headers that every answer carries."""
    body = orjson.dumps(error.payload())
    lines = [b"HTTP/1.1 %d %b" % (error.status, HTTPStatus(error.status).phrase.encode())]
    lines += (b"%b: %b" % (name.lower(), value) for name, value in defaults)
    for name, value in _headers(body):
        lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join((*lines, b"", body))


async def serve_overloaded(scope: Scope, receive: Receive, send: Send) -> None:
    """In the place of the application, while there are more connections than are served."""
    error = overloaded()
    body = orjson.dumps(error.payload())
    await send({"type": "http.response.start", "status": error.status, "headers": _headers(body)})
    await send({"type": "http.response.body", "body": body})


def _headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/json;charset=UTF-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
