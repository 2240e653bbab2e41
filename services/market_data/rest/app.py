"""The public REST API as a raw ASGI application: no routing framework, no models on the path.

Whatever goes wrong, the answer is `{"code", "msg"}` (binance-spot-api, section 0, rule 5).
"""

import inspect
import logging
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, urlencode

import orjson
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from exchange.contracts.errors import (
    ApiError,
    LimitError,
    not_supported,
    overloaded,
    unavailable,
    unknown_error,
)
from exchange.http.encodings import demand_json
from exchange.http.request_limits import RequestLimits
from exchange.http.weights import REFUSED, weight_of
from exchange.process.connections import CONNECTION_ERRORS
from exchange.process.turns import NoTurnError
from services.market_data.rest.documents import DOCS_PATH, OPENAPI_PATH, Documents
from services.market_data.rest.endpoints import Call, Endpoint
from services.market_data.rest.parameters import parse_query

__all__ = ["REST_PREFIXES", "RestApi"]

logger = logging.getLogger(__name__)
REST_PREFIXES: Final = ("/api/", "/fapi/", "/dapi/", "/docs")
_JSON: Final = (b"content-type", b"application/json;charset=UTF-8")
_HTML: Final = (b"content-type", b"text/html; charset=utf-8")
# Who shows prices in a browser may read them there: all of this is public.
_CORS: Final = (b"access-control-allow-origin", b"*")
_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"x-mbx-time-unit, x-mbx-apikey, content-type"),
    (b"access-control-max-age", b"86400"),
)
_SCALES: Final = {b"MILLISECOND": 1, b"MICROSECOND": 1000}

_METHODS: Final = frozenset({"GET", "HEAD"})

_requests: Final = Counter("exchange_market_data_requests", "REST requests", ["route", "status"])


class RestApi:
    """Serves GET and HEAD on the endpoints' paths; counts request weight by address."""

    def __init__(self, endpoints: Iterable[Endpoint], limits: RequestLimits) -> None:
        self._endpoints = {endpoint.path: endpoint for endpoint in endpoints}
        documents = Documents(self._endpoints.values())
        self._documents = {OPENAPI_PATH: (_JSON, documents.openapi), DOCS_PATH: (_HTML, documents.page)}
        self._limits = limits

    async def get(self, path: str, parameters: Mapping[str, str], unit: int) -> tuple[int, bytes]:
        """Status and JSON of GET /api/v3{path}, for a part of this process that has charged whoever asks it.

        Times are multiplied by `unit`.
        """
        endpoint = self._endpoints[f"/api/v3{path}"]
        try:
            checked = parse_query(urlencode(parameters, quote_via=quote).encode("ascii"), endpoint.names)
            status, body = 200, await self._answer(endpoint, Call(checked, unit))
        except ApiError as error:
            status, body = error.status, orjson.dumps(error.payload())
        except Exception:
            status, body = _failed(path)
        _requests.labels(endpoint.path, status).inc()
        return status, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        described = self._documents.get(scope["path"])
        if described is not None and scope["method"] in _METHODS:
            await _send_document(send, *described, is_head=scope["method"] == "HEAD")
            return
        endpoint = self._endpoints.get(scope["path"])
        client = scope.get("client")
        client_ip = client[0] if client else ""
        headers = [_JSON, _CORS]
        method = scope["method"]
        weight = 0
        try:
            self._limits.admit(client_ip)
            if endpoint is None:
                raise not_supported(404)
            if method == "OPTIONS":
                await _answer_preflight(send, headers)
                return
            if method not in _METHODS:
                raise not_supported(405)
            parameters, scale = parse_query(scope["query_string"], endpoint.names), _scale(scope)
            # Before it is served: what is in flight counts, too.
            weight = weight_of(endpoint.weight, parameters)
            self._limits.add_weight(client_ip, weight)
            body = await self._answer(endpoint, Call(parameters, scale))
            status = 200
        except ApiError as error:
            status, body = error.status, orjson.dumps(error.payload())
            if isinstance(error, LimitError):
                headers.append((b"retry-after", b"%d" % error.retry_after_s))
        except Exception:
            status, body = _failed(scope["path"])
        least = REFUSED if status != 200 else 0
        used = b"%d" % self._limits.add_weight(client_ip, max(0, least - weight))
        headers += [
            (b"content-length", b"%d" % len(body)),
            (b"x-mbx-used-weight", used),
            (b"x-mbx-used-weight-1m", used),
        ]
        _requests.labels(endpoint.path if endpoint else "unknown", status).inc()
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})

    @staticmethod
    async def _answer(endpoint: Endpoint, call: Call) -> bytes:
        """JSON. Raises ApiError."""
        try:
            result = endpoint.handler(call)
            if inspect.isawaitable(result):
                result = await result
        except NoTurnError:
            raise overloaded() from None
        except CONNECTION_ERRORS as error:
            logger.warning("the past cannot be read: %r", error)
            raise unavailable() from error
        return result if isinstance(result, bytes) else orjson.dumps(result)


def _failed(path: str) -> tuple[int, bytes]:
    """A fault of ours, within its handling."""
    logger.exception("GET %s failed", path)
    error = unknown_error()
    return error.status, orjson.dumps(error.payload())


async def _send_document(send: Send, kind: tuple[bytes, bytes], body: bytes, *, is_head: bool) -> None:
    """One of the texts that are the same for everybody and cost nothing to make."""
    headers = [kind, _CORS, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else body})


async def _answer_preflight(send: Send, headers: list[tuple[bytes, bytes]]) -> None:
    """What a browser asks before it sends a header of its own (Fetch standard, CORS-preflight)."""
    headers += [*_PREFLIGHT, (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _scale(scope: Scope) -> int:
    """What times in milliseconds are multiplied with. Raises -1194, and -1155 for an encoding that is not."""
    scale = 1
    for name, value in scope["headers"]:
        if name == b"x-mbx-time-unit":
            scale = _SCALES.get(value.upper(), 0)
            if not scale:
                raise ApiError(
                    -1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND."
                )
    demand_json(scope["headers"])
    return scale
