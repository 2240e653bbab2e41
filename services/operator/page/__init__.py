"""The operators' page: its files, and how they are answered (ADR 0049).

It asks /v1/admin, and has no power of its own.
"""

from importlib.resources import files
from typing import Final

from starlette.types import Scope, Send

from exchange.http.bodies import send_whole

__all__ = ["PAGE_PATH", "serve_page"]

PAGE_PATH: Final = "/operator/"
_FOLDER: Final = files(__package__)
_FILES: Final = {
    PAGE_PATH + name: (_FOLDER.joinpath(file).read_bytes(), kind)
    for name, file, kind in (
        ("", "index.html", b"text/html; charset=utf-8"),
        ("page.css", "page.css", b"text/css; charset=utf-8"),
        ("page.js", "page.js", b"text/javascript; charset=utf-8"),
        ("icon.svg", "icon.svg", b"image/svg+xml"),
    )
}
# The terminal's policy less what this page does without: nothing from another origin, in nobody's frame.
_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_ALWAYS: Final = ((b"cache-control", b"no-store"), (b"content-security-policy", _POLICY))


async def serve_page(scope: Scope, send: Send) -> None:
    """Answer one request below PAGE_PATH: a file, 308 for the path without its slash, 404, 405."""
    body, kind = _FILES.get(scope["path"], (b"", b""))
    if scope["method"] not in ("GET", "HEAD"):
        await send_whole(send, 405, b"", (*_ALWAYS, (b"allow", b"GET, HEAD")))
    elif scope["path"] + "/" == PAGE_PATH:
        await send_whole(send, 308, b"", (*_ALWAYS, (b"location", PAGE_PATH.encode())))
    elif not body:
        await send_whole(send, 404, b"", _ALWAYS)
    else:
        await send_whole(
            send, 200, b"" if scope["method"] == "HEAD" else body, (*_ALWAYS, (b"content-type", kind))
        )
