"""GET `/`: the markets as a page that needs no script, made once a second at most for each language."""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final
from urllib.parse import parse_qs

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from starlette.types import Receive, Scope, Send

from exchange.contracts.errors import ApiError
from services.market_data.front.rows import ROWS_MAX, SPARK_HEIGHT, SPARK_WIDTH, front_rows, readable
from services.market_data.front.words import LANGUAGES, Language
from services.market_data.markets.follower import MarketFollower

__all__ = ["FRONT_PATH", "FrontPage"]

FRONT_PATH: Final = "/"
_KEPT_MS: Final = 1_000
# An edge or a browser may keep the page for _CACHED_S, and hand out an old one for _STALE_S more while it
# fetches the next.
_CACHED_S: Final = 5
_STALE_S: Final = 30
_QUERY_SIZE_MAX: Final = 200
_FOLDER: Final = files(__package__)
_STYLE: Final = _FOLDER.joinpath("front.css").read_text("utf-8")
_TEMPLATE: Final = Environment(autoescape=True, undefined=StrictUndefined).from_string(
    _FOLDER.joinpath("front.html").read_text("utf-8")
)
# The one style is allowed by its hash (CSP level 2, 4.2.5): whatever else came into the page would not count.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")
_LASTING: Final = (b"cache-control", b"public, max-age=%d, stale-while-revalidate=%d" % (_CACHED_S, _STALE_S))
_PASSING: Final = (b"cache-control", b"no-store")


class FrontPage:
    """An ASGI application for one path. `clock_us`: microseconds since 1970."""

    def __init__(self, markets: MarketFollower, clock_us: Callable[[], int]) -> None:
        self._markets = markets
        self._clock_us = clock_us
        # Language -> when it was made, and the page.
        self._kept: dict[str, tuple[int, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200, 405, or 503 while the markets are not known yet."""
        headers = [_HTML, (b"content-security-policy", _POLICY.encode())]
        status, body = 200, b""
        if scope["method"] not in ("GET", "HEAD"):
            status = 405
            headers.append((b"allow", b"GET, HEAD"))
        else:
            try:
                body = self._page(_language(scope["query_string"]))
                headers.append(_LASTING)
            except ApiError as error:
                status, body = (
                    error.status,
                    b"<!doctype html><title>Exchange</title>The markets are not here yet.",
                )
                headers += [_PASSING, (b"retry-after", b"2")]
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _page(self, language: Language) -> bytes:
        """Raises ApiError while the service has not caught up with the log."""
        state = self._markets.current()
        now_ms = self._clock_us() // 1000
        made_ms, page = self._kept.get(language.code, (0, b""))
        if page and 0 <= now_ms - made_ms < _KEPT_MS:
            return page
        count = len(state.views) - ROWS_MAX
        text = _TEMPLATE.render(
            language=language,
            languages=LANGUAGES.values(),
            words=language.words,
            style=Markup(_STYLE),
            rows=front_rows(state.views.values(), now_ms, language),
            more=readable(str(count), language) if count > 0 else "",
            width=SPARK_WIDTH,
            height=SPARK_HEIGHT,
            time=datetime.fromtimestamp(now_ms // 1000, UTC).isoformat(),
        )
        self._kept[language.code] = (now_ms, text.encode())
        return self._kept[language.code][1]


def _language(query: bytes) -> Language:
    named = parse_qs(query[:_QUERY_SIZE_MAX].decode("latin-1")).get("lang", [""])[0]
    return LANGUAGES.get(named, LANGUAGES["en"])
