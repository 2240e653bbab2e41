"""/api/v3 as a raw ASGI application: no routing framework, no models, no dependencies on the hot path.

Every answer is JSON with the headers of binance-spot-api section 1. Bodies are bounded in size and in
time. Whatever goes wrong, the answer is `{"code", "msg"}`.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

import orjson
from prometheus_client import Counter, Histogram
from starlette.types import Receive, Scope, Send

from exchange.contracts import limits
from exchange.contracts.errors import (
    ApiError,
    LimitError,
    duplicate_parameter,
    late_request,
    not_supported,
    request_too_large,
    unavailable,
    unknown_error,
)
from exchange.http.direct_answers import Answer, DirectHandler
from exchange.http.encodings import demand_json
from exchange.http.query_parameters import Parameters
from exchange.http.request_limits import RequestLimits
from exchange.http.weights import REFUSED, weight_of
from exchange.process.tracing import Span, TraceContext, Tracing, parse_traceparent
from services.order.decisions.call import NOBODY, Call
from services.order.decisions.engine_link import EngineLink
from services.order.doors.authentication import Authenticator, signed_payload
from services.order.doors.endpoint import Endpoint, Security

__all__ = ["RestApi", "end_request", "invalid_time_unit", "parse_parameters"]

logger = logging.getLogger(__name__)
PREFIX: Final = "/api/v3"
# Of the calls about accounts that are no part of it.
WALLET_PREFIX: Final = "/sapi/"
PARAMETERS_MAX: Final = limits.PARAMETERS_MAX
_LENGTH_DIGITS_MAX: Final = 18
_JSON: Final = (b"content-type", b"application/json;charset=UTF-8")
# Answers hold balances and orders.
_NO_STORE: Final = (b"cache-control", b"no-store")
_CLOSE: Final = (b"connection", b"close")
_RETRY_SOON: Final = (b"retry-after", b"1")
_UNITS: Final = {b"MICROSECOND": 1_000, b"MILLISECOND": 1}
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "DELETE", "PATCH"})
_ILLEGAL_SOMEWHERE: Final = "Illegal characters found in a parameter."

_duration = Histogram(
    "exchange_order_request_seconds",
    "Time from the request's head to its answer",
    ["endpoint"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
# What an alarm of CloudWatch can count, which knows no percentiles of a histogram.
_slow = Counter("exchange_order_slow_total", "Requests that took longer than 100 ms")
_SLOW_S: Final = 0.1
_errors = Counter("exchange_order_errors_total", "Requests answered with an error", ["endpoint", "code"])
# What is our own fault. Shown as zero from the start: who counts what is new does not count a first value.
_OUR_ERRORS: Final = (-1000, -1001, -1006, -1007)


class _Gone(Exception):
    """The client closed the connection before its request was complete."""


class RestApi:
    """The application. `routes`: path below the prefix -> HTTP method -> endpoint.

    Until the service has started, all is refused with -1001: what is not loaded yet must not be taken for
    missing.
    """

    def __init__(
        self,
        routes: Mapping[str, Mapping[str, Endpoint]],
        authenticator: Authenticator,
        limits: RequestLimits,
        engine: EngineLink,
        *,
        body_size_bytes_max: int,
        receive_deadline_s: float,
        tracing: Tracing | None = None,
    ) -> None:
        self._routes = {_whole(path): dict(methods) for path, methods in routes.items()}
        self._authenticator = authenticator
        self._limits = limits
        self._engine = engine
        self._body_size_bytes_max = body_size_bytes_max
        self._receive_deadline_s = receive_deadline_s
        self._tracing = tracing
        names = {found.name for methods in routes.values() for found in methods.values()}
        self._durations = {name: _duration.labels(name) for name in names}
        for name in names:
            for code in _OUR_ERRORS:
                _errors.labels(name, str(code))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request as an application; there are no WebSockets here."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = await self.answer(scope, receive)
        if answer is not None:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body})

    def direct(self) -> dict[str, DirectHandler]:
        """What a server may answer without an application: all paths that there are."""
        return dict.fromkeys(self._routes, self.answer)

    async def answer(self, scope: Scope, receive: Receive, whole: bytes | None = None) -> Answer | None:
        """Answer one request. `whole`: its body, where that has come. None when the client has gone."""
        started = time.perf_counter()
        client = scope.get("client")
        client_ip = client[0] if client else ""
        headers: list[tuple[bytes, bytes]] = [_JSON, _NO_STORE]
        name, code, weight = "unknown", 0, 0
        span: Span | None = None
        try:
            self._limits.admit(client_ip)
            endpoint = self._find(scope["path"], scope["method"])
            name = endpoint.name
            if self._tracing is not None:
                parent = _trace_parent(scope) if self._tracing.takes_parents else None
                span = self._tracing.request(name, parent)
            body, parameters = await self._receive(scope, receive, whole)
            # Before it is served: what is in flight counts, too.
            weight = weight_of(endpoint.weight, parameters)
            self._limits.add_weight(client_ip, weight)
            status, result = (
                200,
                await self._answer(endpoint, scope, body, parameters, client_ip, headers, span),
            )
        except ApiError as error:
            status, result, code = error.status, error.payload(), error.code
            _errors.labels(name, str(error.code)).inc()
            if isinstance(error, LimitError):
                headers.append((b"retry-after", b"%d" % error.retry_after_s))
            elif status in (408, 413, 414):
                headers.append(_CLOSE)
            elif status == 503:
                headers.append(_RETRY_SOON)
        except _Gone:
            self._limits.add_weight(client_ip, REFUSED)
            if span is not None:
                span.end("the client has gone")
            return None
        except Exception:
            logger.exception("%s failed", name)
            status, result, code = 500, unknown_error().payload(), -1000
            _errors.labels(name, "-1000").inc()
        least = REFUSED if status != 200 else 0
        used = b"%d" % self._limits.add_weight(client_ip, max(0, least - weight))
        headers.append((b"x-mbx-used-weight", used))
        headers.append((b"x-mbx-used-weight-1m", used))
        text = orjson.dumps(result)
        headers.append((b"content-length", b"%d" % len(text)))
        if span is not None:
            end_request(span, status, code)
        duration = self._durations.get(name)
        if duration is not None:
            took_s = time.perf_counter() - started
            duration.observe(took_s)
            if took_s > _SLOW_S:
                _slow.inc()
        return Answer(status, headers, text)

    def _find(self, path: str, method: str) -> Endpoint:
        methods = self._routes.get(path)
        if methods is None:
            raise not_supported(404)
        endpoint = methods.get(method)
        if endpoint is None:
            raise not_supported(405)
        return endpoint

    async def _receive(
        self, scope: Scope, receive: Receive, whole: bytes | None
    ) -> tuple[bytes, dict[str, str]]:
        """The body, and the parameters of query and body."""
        query: bytes = scope["query_string"]
        if len(query) > self._body_size_bytes_max:
            raise request_too_large(414, self._body_size_bytes_max)
        body = b""
        if scope["method"] in _METHODS_WITH_BODY:
            if whole is None:
                body = await self._receive_body(receive, _announced_length(scope["headers"]))
            elif len(whole) > self._body_size_bytes_max:
                raise request_too_large(413, self._body_size_bytes_max)
            else:
                body = whole
        return body, parse_parameters(query, body)

    async def _answer(
        self,
        endpoint: Endpoint,
        scope: Scope,
        body: bytes,
        parameters: Parameters,
        client_ip: str,
        headers: list[tuple[bytes, bytes]],
        span: Span | None,
    ) -> object:
        """From the bytes to a call, with the call to its handler, and back with what is encoded as JSON."""
        api_key, unit = _read_headers(scope["headers"])
        if not self._engine.is_started:
            raise unavailable()
        if endpoint.security is Security.NONE:
            caller = NOBODY
        elif endpoint.security is Security.USER_STREAM:
            caller = await self._authenticator.identify(api_key, client_ip, endpoint.security.permission)
        else:
            caller = await self._authenticator.authenticate(
                api_key,
                parameters,
                signed_payload(scope["query_string"], body),
                client_ip,
                endpoint.security.permission,
            )
        endpoint.check_names(parameters)
        try:
            return await endpoint.handler(Call(parameters, caller, unit, span))
        finally:
            if endpoint.places_orders:
                ten_seconds, day = self._limits.order_counts(caller.user_id)
                headers.append((b"x-mbx-order-count-10s", b"%d" % ten_seconds))
                headers.append((b"x-mbx-order-count-1d", b"%d" % day))

    async def _receive_body(self, receive: Receive, length: int) -> bytes:
        """The whole body. Raises ApiError 413 or 408, before reading on, and _Gone."""
        if length > self._body_size_bytes_max:
            raise request_too_large(413, self._body_size_bytes_max)
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._receive_deadline_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > self._body_size_bytes_max:
                        raise request_too_large(413, self._body_size_bytes_max)
                    if not message.get("more_body", False):
                        return chunk if not chunks else b"".join((*chunks, chunk))
                    chunks.append(chunk)
        except TimeoutError:
            raise late_request() from None


def _whole(path: str) -> str:
    """A path of the routes as clients send it."""
    return path if path.startswith(WALLET_PREFIX) else PREFIX + path


def _announced_length(headers: list[tuple[bytes, bytes]]) -> int:
    """Of the body; 0 when none is announced, or none that could be."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and len(value) <= _LENGTH_DIGITS_MAX:
            return int(value)
    return 0


def _read_headers(headers: list[tuple[bytes, bytes]]) -> tuple[str | None, int]:
    """The API key and the unit of time. Raises ApiError for a unit or an encoding that there is not."""
    api_key, unit = None, 1
    for name, value in headers:
        if name == b"x-mbx-apikey":
            api_key = value.decode("latin-1")
        elif name == b"x-mbx-time-unit":
            found = _UNITS.get(value.upper())
            if found is None:
                raise invalid_time_unit()
            unit = found
    demand_json(headers)
    return api_key, unit


def parse_parameters(query: bytes, body: bytes) -> dict[str, str]:
    """Read urlencoded pairs of query and body; a name in both takes the query's value (section 1).

    Raises ApiError: -1101 for a name repeated inside one place or too many names, -1100 for bytes that
    are no UTF-8 and for NUL.
    """
    parameters = _parse_pairs(query) if query else {}
    if not body:
        return parameters
    merged = _parse_pairs(body)
    merged.update(parameters)
    return merged


def _parse_pairs(raw: bytes) -> dict[str, str]:
    count = raw.count(b"&") + 1
    if count > PARAMETERS_MAX:
        raise ApiError(-1101, f"Too many parameters; expected '{PARAMETERS_MAX}' and received '{count}'.")
    parameters = _parse_plain(raw, count)
    return _parse_encoded(raw) if parameters is None else parameters


def _parse_plain(raw: bytes, count: int) -> dict[str, str] | None:
    """As nearly all requests are: ASCII, nothing escaped, no name empty or repeated. None of others."""
    if not raw.isascii() or b"%" in raw or b"+" in raw or b"\0" in raw:
        return None
    parameters: dict[str, str] = {}
    for pair in raw.decode().split("&"):
        name, _, value = pair.partition("=")
        parameters[name] = value
    return parameters if len(parameters) == count and "" not in parameters else None


def _parse_encoded(raw: bytes) -> dict[str, str]:
    encoded = b"%" in raw or b"+" in raw
    parameters: dict[str, str] = {}
    try:
        for pair in raw.split(b"&"):
            name_bytes, _, value_bytes = pair.partition(b"=")
            if not name_bytes:
                if value_bytes:
                    raise ApiError(-1100, _ILLEGAL_SOMEWHERE)
                continue
            if encoded:
                name_bytes, value_bytes = _decode(name_bytes), _decode(value_bytes)
            name = name_bytes.decode()
            if name in parameters:
                raise duplicate_parameter()
            parameters[name] = value_bytes.decode()
    except UnicodeDecodeError:
        raise ApiError(-1100, _ILLEGAL_SOMEWHERE) from None
    if (b"\0" in raw or (encoded and b"%00" in raw)) and _has_nul(parameters):
        raise ApiError(-1100, _ILLEGAL_SOMEWHERE)
    return parameters


def _decode(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))


def _has_nul(parameters: Parameters) -> bool:
    return any("\0" in name or "\0" in value for name, value in parameters.items())


def _trace_parent(scope: Scope) -> TraceContext | None:
    """The trace that a request through a trusted proxy belongs to."""
    client = scope.get("client")
    # uvicorn gives a client whose address a trusted proxy told the port 0, which nobody else can have.
    if client is None or client[1] != 0:
        return None
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return parse_traceparent(value)
    return None


def end_request(span: Span, status: int, code: int) -> None:
    """The request is answered. `code`: of the error, 0 for none."""
    problem = str(code) if status >= 500 else ""
    span.end(problem, {"http.response.status_code": status, "exchange.code": code})


def invalid_time_unit() -> ApiError:
    """-1194: neither of the two units."""
    return ApiError(-1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
