"""/ws-api/v3: the same endpoints as REST over one socket, sessions, and user data subscriptions.

A request is identified and checked before the next one is read, so that a log-on takes effect for what
follows it and orders reach the engine in the order in which they were sent; its answer may overtake.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import orjson
from starlette.websockets import WebSocket

from exchange.contracts import limits
from exchange.contracts.errors import (
    ApiError,
    mandatory_parameter,
    not_supported,
    unavailable,
    unknown_error,
)
from exchange.http.encodings import demand_json_frames
from exchange.http.fair_turns import FairTurns, call_in_next_round
from exchange.http.query_parameters import Parameters, boolean, integer
from exchange.http.request_limits import RequestLimits
from exchange.http.socket_limits import SocketLimits, refuse_handshake
from exchange.http.weights import REFUSED, weight_of
from exchange.process.tracing import Tracing
from exchange.security.credentials import ED25519, HMAC
from services.order.decisions.call import Call, Caller
from services.order.decisions.engine_link import EngineLink
from services.order.doors.authentication import Authenticator
from services.order.doors.endpoint import READ, Endpoint, Security
from services.order.doors.market_data import MARKET_DATA_PATHS, MarketDataSource
from services.order.doors.rest import end_request, invalid_time_unit
from services.order.doors.ws_connection import POLICY, Connection
from services.order.doors.ws_requests import (
    Request,
    decode_request,
    error_reply,
    own_names,
    raw_reply,
    readable_id,
    refuse_all,
    reply,
    sign_payload,
    texts,
)
from services.order.doors.ws_weights import CONNECTION_WEIGHT, method_weight
from services.order.user_data.events import terminated
from services.order.user_data.hub import Subscription, UserDataHub

__all__ = ["CONNECTIONS_MAX", "WsApi"]

logger = logging.getLogger(__name__)
CONNECTIONS_MAX: Final = limits.API_SOCKETS_MAX
SUBSCRIPTIONS_MAX: Final = limits.USER_STREAMS_PER_SOCKET_MAX
SUBSCRIPTION_ID_MAX: Final = 65_535
# Keys of open streams are looked at so often, or, when there are many, so many a second.
RECHECK_EVERY_S: Final = 10.0
RECHECKS_PER_S: Final = 100
_UNITS: Final = {"MICROSECOND": 1_000, "MILLISECOND": 1}
_ALWAYS: Final = frozenset({"ping", "time"})
UNAUTHORIZED: Final = 401
BANNED: Final = 418
Limits = list[dict[str, object]] | None


@dataclass(frozen=True, slots=True)
class WsApi:
    """What all sockets share. `serve` takes a socket that is not accepted yet."""

    methods: dict[str, Endpoint]
    authenticator: Authenticator
    limits: RequestLimits
    sockets: SocketLimits
    engine: EngineLink
    hub: UserDataHub
    market_data: MarketDataSource
    clock_ms: Callable[[], int]
    message_size_bytes_max: int
    tracing: Tracing | None = None
    sessions: set["_Session"] = field(default_factory=set)
    turns: FairTurns = field(default_factory=lambda: FairTurns(call_in_next_round))

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket until it ends."""
        try:
            with self.sockets.place(websocket.client.host if websocket.client else ""):
                await self._serve(websocket)
        except ApiError as error:
            await refuse_handshake(websocket.scope, websocket.send, error)

    async def _serve(self, websocket: WebSocket) -> None:
        demand_json_frames(websocket.query_params.getlist("responseFormat"))
        session = _Session(self, websocket)
        self.sessions.add(session)
        try:
            await websocket.accept()
            await session.connection.serve(session.on_text)
        finally:
            self.sessions.discard(session)
            session.close()

    def announce_shutdown(self) -> None:
        """Tell every socket that it is about to be ended (section 5)."""
        now_ms = self.clock_ms()
        for session in tuple(self.sessions):
            session.announce_shutdown(now_ms)

    async def end_refused_streams(self) -> None:
        """End the user data streams of keys that are not taken any more; works until cancelled."""
        while True:
            await asyncio.sleep(RECHECK_EVERY_S)
            for session in tuple(self.sessions):
                await session.end_refused_streams()


@dataclass(slots=True)
class _Stream:
    """A user data subscription of this socket. `is_of_session`: it ends with the log-out."""

    subscription: Subscription
    api_key: str
    is_of_session: bool


class _Session:
    """One socket: who has logged on, and which user data streams it gets."""

    def __init__(self, api: WsApi, websocket: WebSocket) -> None:
        self._api = api
        self.connection = Connection(websocket, api.message_size_bytes_max, api.turns)
        self._client_ip = websocket.client.host if websocket.client else ""
        query = websocket.query_params
        self._unit_text = query.get("timeUnit", "MILLISECOND").upper()
        self._unit = _UNITS.get(self._unit_text, 1)
        self._returns_limits = query.get("returnRateLimits", "true").lower() != "false"
        self._connected_ms = api.clock_ms()
        self._user: Caller | None = None
        self._authorized_ms = 0
        self._streams: dict[int, _Stream] = {}
        self._next_stream = 0
        self._own_methods: dict[str, Callable[[Request, dict[str, str]], Awaitable[None]]] = {
            "ping": self._ping,
            "time": self._time,
            "session.logon": self._logon,
            "session.status": self._status,
            "session.logout": self._logout,
            "session.subscriptions": self._subscriptions,
            "userDataStream.subscribe": self._subscribe,
            "userDataStream.subscribe.signature": self._subscribe_signature,
            "userDataStream.unsubscribe": self._unsubscribe,
        }
        api.limits.add_weight(self._client_ip, CONNECTION_WEIGHT)

    def close(self) -> None:
        """Let go of the subscriptions."""
        for stream in self._streams.values():
            self._api.hub.unsubscribe(stream.subscription)
        self._streams.clear()

    def announce_shutdown(self, now_ms: int) -> None:
        """One event, which belongs to no subscription."""
        event = {"e": "serverShutdown", "E": now_ms * self._unit}
        self.connection.send(orjson.dumps({"event": event}))

    async def on_text(self, text: str) -> None:
        """Answer one request, at once or soon."""
        limits = self._api.limits
        request, parameters, weight = None, None, 0
        try:
            limits.admit(self._client_ip)
            request = decode_request(text)
            if self._unit_text not in _UNITS:
                raise invalid_time_unit()
            parameters = texts(request.params)
            weight = method_weight(self._api.methods, request.method, parameters)
            limits.add_weight(self._client_ip, weight)
            await self._dispatch(request, parameters)
        except ApiError as error:
            limits.add_weight(self._client_ip, max(0, REFUSED - weight))
            request_id = readable_id(text) if request is None else request.id
            self.connection.send(error_reply(request_id, error, self._limits(parameters, None)))
            if error.status == BANNED:
                self.connection.end(POLICY)
        except Exception:
            logger.exception("%s failed", request.method if request else "a request")
            request_id = None if request is None else request.id
            self.connection.send(error_reply(request_id, unknown_error(), self._limits(parameters, None)))

    async def _dispatch(self, request: Request, parameters: dict[str, str]) -> None:
        if request.method not in _ALWAYS and not self._api.engine.is_started:
            raise unavailable()
        own = self._own_methods.get(request.method)
        if own is not None:
            await own(request, parameters)
            return
        endpoint = self._api.methods.get(request.method)
        if endpoint is not None:
            call = await self._checked_call(endpoint, parameters)
            await self.connection.spawn(self._answer(request, parameters, endpoint, call))
            return
        path = MARKET_DATA_PATHS.get(request.method)
        if path is None:
            raise not_supported()
        await self.connection.spawn(self._forward(request, parameters, path))

    async def _checked_call(self, endpoint: Endpoint, parameters: Parameters) -> Call:
        tracing = self._api.tracing
        # A socket lives for hours: each request is a trace of its own.
        span = None if tracing is None else tracing.request(endpoint.name, None)
        try:
            caller = await self._caller(endpoint.security, parameters)
            endpoint.check_names(own_names(parameters))
        except ApiError as error:
            if span is not None:
                end_request(span, error.status, error.code)
            raise
        return Call(parameters, caller, self._unit, span)

    async def _caller(self, security: Security, parameters: Parameters) -> Caller:
        """Who asks: by the request's own signature, or as the session's user (section 5)."""
        authenticator = self._api.authenticator
        if security is Security.USER_STREAM:
            api_key = parameters.get("apiKey") or (self._user.api_key if self._user else None)
            return await authenticator.identify(api_key, self._client_ip, security.permission)
        if self._user is not None and "apiKey" not in parameters and "signature" not in parameters:
            valid_until_ms = authenticator.check_time(parameters)
            # The key is looked up again: it may have been revoked since the log-on.
            caller = await authenticator.identify(self._user.api_key, self._client_ip, security.permission)
            return caller._replace(valid_until_ms=valid_until_ms)
        if not parameters.get("apiKey"):
            raise mandatory_parameter("apiKey")
        return await authenticator.authenticate(
            parameters["apiKey"],
            parameters,
            sign_payload(parameters),
            self._client_ip,
            security.permission,
        )

    async def _answer(self, request: Request, parameters: Parameters, endpoint: Endpoint, call: Call) -> None:
        user_id = call.caller.user_id if endpoint.places_orders else None
        status, code = 200, 0
        try:
            result = await endpoint.handler(call)
            frame = reply(request.id, result, self._limits(parameters, user_id))
        except ApiError as error:
            status, code = error.status, error.code
            least = max(0, REFUSED - weight_of(endpoint.weight, parameters))
            self._api.limits.add_weight(self._client_ip, least)
            frame = error_reply(request.id, error, self._limits(parameters, user_id))
        except Exception:
            logger.exception("%s failed", endpoint.name)
            status, code = 500, -1000
            frame = error_reply(request.id, unknown_error(), self._limits(parameters, user_id))
        self.connection.send(frame)
        if call.trace is not None:
            end_request(call.trace, status, code)

    async def _forward(self, request: Request, parameters: dict[str, str], path: str) -> None:
        try:
            status, payload = await self._api.market_data.get(path, own_names(parameters), self._unit)
            frame = raw_reply(request.id, status, payload, self._limits(parameters, None))
        except ApiError as error:
            frame = error_reply(request.id, error, self._limits(parameters, None))
        self.connection.send(frame)

    def _limits(self, parameters: Parameters | None, user_id: int | None) -> Limits:
        wanted = self._returns_limits
        if parameters is not None and "returnRateLimits" in parameters:
            wanted = parameters["returnRateLimits"].lower() != "false"
        if not wanted:
            return None
        limits = [self._api.limits.weight_limit(self._client_ip)]
        if user_id is not None:
            limits = self._api.limits.order_limits(user_id) + limits
        return limits

    def _reply(self, request: Request, parameters: Parameters, result: object) -> None:
        self.connection.send(reply(request.id, result, self._limits(parameters, None)))

    # -- methods of the socket itself -----------------------------------------------------------

    async def _ping(self, request: Request, parameters: dict[str, str]) -> None:
        refuse_all(parameters)
        self._reply(request, parameters, {})

    async def _time(self, request: Request, parameters: dict[str, str]) -> None:
        refuse_all(parameters)
        self._reply(request, parameters, {"serverTime": self._api.clock_ms() * self._unit})

    async def _logon(self, request: Request, parameters: dict[str, str]) -> None:
        """Only Ed25519 keys may log on (section 5)."""
        if not parameters.get("apiKey"):
            raise mandatory_parameter("apiKey")
        caller = await self._api.authenticator.authenticate(
            parameters["apiKey"], parameters, sign_payload(parameters), self._client_ip, READ
        )
        if caller.kind != ED25519:
            kind = "HMAC_SHA256" if caller.kind == HMAC else caller.kind
            raise ApiError(-4056, f"{kind} API key is not supported.")
        self._user = caller
        self._authorized_ms = self._api.clock_ms()
        self._returns_limits = _returns_limits(parameters, self._returns_limits)
        self._reply(request, parameters, self._session())

    async def _status(self, request: Request, parameters: dict[str, str]) -> None:
        self._reply(request, parameters, self._session())

    async def _logout(self, request: Request, parameters: dict[str, str]) -> None:
        self._user = None
        ending = [number for number, stream in self._streams.items() if stream.is_of_session]
        is_left = len(ending) < len(self._streams)
        self._reply(request, parameters, self._session() | {"userDataStream": is_left})
        self._end_streams(ending)

    def _session(self) -> dict[str, object]:
        user, unit = self._user, self._unit
        return {
            "apiKey": user.api_key if user else None,
            "authorizedSince": self._authorized_ms * unit if user else None,
            "connectedSince": self._connected_ms * unit,
            "returnRateLimits": self._returns_limits,
            "serverTime": self._api.clock_ms() * unit,
            "userDataStream": bool(self._streams),
        }

    async def _subscriptions(self, request: Request, parameters: dict[str, str]) -> None:
        self._reply(request, parameters, [{"subscriptionId": number} for number in self._streams])

    async def _subscribe(self, request: Request, parameters: dict[str, str]) -> None:
        """For the session's user; needs no timestamp."""
        if self._user is None:
            raise mandatory_parameter("apiKey")
        authenticator = self._api.authenticator
        caller = await authenticator.identify(self._user.api_key, self._client_ip, READ)
        self._start_stream(request, parameters, caller, is_of_session=True)

    async def _subscribe_signature(self, request: Request, parameters: dict[str, str]) -> None:
        if not parameters.get("apiKey"):
            raise mandatory_parameter("apiKey")
        caller = await self._api.authenticator.authenticate(
            parameters["apiKey"], parameters, sign_payload(parameters), self._client_ip, READ
        )
        self._start_stream(request, parameters, caller, is_of_session=False)

    def _start_stream(
        self, request: Request, parameters: Parameters, caller: Caller, *, is_of_session: bool
    ) -> None:
        """Reply, then subscribe, without a pause between: the reply precedes the first event."""
        if any(s.subscription.user_id == caller.user_id for s in self._streams.values()):
            raise ApiError(-2035, "User Data Stream subscription already active.")
        number = self._next_stream
        if len(self._streams) >= SUBSCRIPTIONS_MAX or number > SUBSCRIPTION_ID_MAX:
            raise ApiError(-2042, "Maximum subscription ID reached for this connection.")
        self._next_stream += 1

        def deliver(event_json: bytes) -> None:
            self.connection.send(b'{"subscriptionId":%d,"event":%b}' % (number, event_json))

        self._reply(request, parameters, {"subscriptionId": number})
        subscription = Subscription(caller.user_id, self._unit, deliver)
        self._streams[number] = _Stream(subscription, caller.api_key, is_of_session)
        self._api.hub.subscribe(subscription)

    async def _unsubscribe(self, request: Request, parameters: dict[str, str]) -> None:
        """One subscription, or all of the socket's."""
        number = integer(parameters, "subscriptionId")
        if (number is None and not self._streams) or (number is not None and number not in self._streams):
            raise ApiError(-2036, "User Data Stream subscription not active.")
        self._reply(request, parameters, {})
        self._end_streams(list(self._streams) if number is None else [number])

    async def end_refused_streams(self) -> None:
        """Look the keys of the streams up again: they may have been revoked, or bound to other addresses."""
        for number, stream in tuple(self._streams.items()):
            await asyncio.sleep(1 / RECHECKS_PER_S)
            try:
                await self._api.authenticator.identify(stream.api_key, self._client_ip, READ)
            except ApiError as error:
                # Whoever cannot be asked has not refused.
                if error.status == UNAUTHORIZED and self._streams.get(number) is stream:
                    self._end_streams([number])

    def _end_streams(self, numbers: list[int]) -> None:
        last = orjson.dumps(terminated(self._api.clock_ms(), self._unit))
        for number in numbers:
            subscription = self._streams.pop(number).subscription
            self._api.hub.unsubscribe(subscription)
            subscription.deliver(last)


def _returns_limits(parameters: Parameters, current: bool) -> bool:
    if "returnRateLimits" not in parameters:
        return current
    return boolean(parameters, "returnRateLimits")
