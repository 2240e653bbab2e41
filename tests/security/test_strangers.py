"""User A against every object of user B: invisible and unchanged, on every endpoint that there is."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import httpx
import pytest
import websockets
from fastapi.routing import APIRoute
from starlette.websockets import WebSocket

from services.market_data.component import MarketDataService
from services.order.component import OrderService
from services.order.doors.endpoint import Security
from services.order.doors.market_data import MARKET_DATA_PATHS
from services.order.doors.routes import Routes, build_routes
from services.order.doors.ws_api import _Session
from services.user.api import create_app as create_user_app
from services.user.component import UserService
from tests.security.conftest import WAIT_S, Exchange, Trader
from tests.security.owned_objects import CASES, NAMES_OF_OBJECTS, SOCKET_METHODS, Case, Owner
from tests.security.owned_v1 import LOCKED, V1

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# What a stranger's acts do write down about the owner: that somebody guessed at his password.
SAME_FOR_ALL = ("/sapi/v1/", "/fapi/v1/", "/dapi/v1/")
SIGNED_ON_SOCKET = {"session.logon", "userDataStream.subscribe.signature"}
TABLES_NOT_COMPARED = {"audit_log"}


def order_routes() -> Routes:
    """The order service's table. Its handlers are not called, so anything with attributes will do."""
    anything = MagicMock()
    return build_routes(*[anything] * 9)


def v1_routes(exchange: Exchange) -> set[str]:
    """Method and path of everything that the user service answers, the routes of operators aside."""
    service = next(c for c in exchange.assembled.components if isinstance(c, UserService))
    found, waiting = set(), list(create_user_app(service).routes)
    while waiting:
        route = waiting.pop()
        inner = getattr(route, "original_router", None)
        if inner is not None:
            waiting += inner.routes
        elif isinstance(route, APIRoute):
            found |= {f"{method} {route.path}" for method in route.methods or ()}
        else:
            found.add(str(getattr(route, "path", route)))
    return found - {"/v1/openapi.json", "/healthz", "/readyz", "/metrics"}


def socket_methods(exchange: Exchange) -> set[str]:
    service = next(c for c in exchange.assembled.components if isinstance(c, OrderService))
    scope: dict[str, Any] = {"type": "websocket", "query_string": b"", "headers": [], "client": None}
    return set(_Session(service.websocket, WebSocket(scope, AsyncMock(), AsyncMock()))._own_methods)


def difference(routes: Iterable[str], covered: Iterable[str]) -> dict[str, list[str]]:
    """Endpoints without a case, and cases without an endpoint."""
    return {
        "not covered": sorted(set(routes) - set(covered)),
        "gone": sorted(set(covered) - set(routes)),
    }


NO_DIFFERENCE: Mapping[str, list[str]] = {"not covered": [], "gone": []}


def test_every_endpoint_of_the_order_service_has_a_case() -> None:
    routes = order_routes()
    names = {endpoint.name for verbs in routes.rest.values() for endpoint in verbs.values()}
    names |= {endpoint.name for endpoint in routes.methods.values()}
    assert difference(names, CASES) == NO_DIFFERENCE
    added = difference(names | {"order.new"}, CASES)
    assert added["not covered"] == ["order.new"], "the comparison sees what is added"


async def test_every_other_private_endpoint_has_a_case(exchange: Exchange) -> None:
    assert difference(v1_routes(exchange), V1) == NO_DIFFERENCE
    assert difference(socket_methods(exchange), SOCKET_METHODS) == NO_DIFFERENCE


async def test_public_endpoints_cannot_name_anybodys_objects(exchange: Exchange) -> None:
    service = next(c for c in exchange.assembled.components if isinstance(c, MarketDataService))
    endpoints = [endpoint for group in service.endpoint_groups for endpoint in group.endpoints()]
    assert len(endpoints) > 10
    for endpoint in endpoints:
        # Clients ask these for settings before they trade; the answer is the same for everybody.
        assert endpoint.names is not None or endpoint.path.startswith(SAME_FOR_ALL), endpoint.path
        assert not NAMES_OF_OBJECTS & (endpoint.names or frozenset()), endpoint.path
    forwarded = {f"/api/v3{path}" for path in MARKET_DATA_PATHS.values()}
    assert forwarded <= {endpoint.path for endpoint in endpoints}


# -- the owner, and what is his -------------------------------------------------------------


async def owner_of_everything(exchange: Exchange) -> Owner:
    """One object of each kind. The trade is with a third person, so that it is no business of A's."""
    trader, third = await exchange.trader("owner"), await exchange.trader("third")
    owner = Owner(trader)
    order = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC"}

    async def place(who: Trader, **parameters: str) -> str:
        answer = await who.signed("POST", "/order", **order, **parameters)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["orderId"])

    await place(third, side="BUY", quantity="0.002", price="50000")
    owner.filled_id = await place(
        trader, side="SELL", quantity="0.002", price="50000", newClientOrderId=owner.filled_name
    )
    owner.resting_id = await place(
        trader, side="SELL", quantity="0.003", price="51000", newClientOrderId=owner.resting_name
    )
    asked = {"asset": "BTC", "amount": "2", "address": owner.address}
    owner.withdrawal_id = str((await trader.post("/v1/withdrawals", asked))["withdrawalId"])
    listed = {"asset": "BTC", "address": owner.listed_address, "label": "owner-label"}
    owner.address_id = str((await trader.post("/v1/withdrawal-addresses", listed))["addressId"])
    sessions = (await exchange.client.get("/v1/sessions", headers=trader.headers)).json()["sessions"]
    owner.session_id = str(sessions[0]["sessionId"])
    owner.listen_key = (await trader.keyed("POST", "/userDataStream")).json()["listenKey"]
    assert all(owner.marks())
    # The withdrawal's settlement is the last thing that happens to the owner by itself.
    async with asyncio.timeout(WAIT_S):
        while True:
            page = (await exchange.client.get("/v1/withdrawals", headers=trader.headers)).json()
            if page["withdrawals"][0]["status"] == "SETTLED":
                break
            await asyncio.sleep(0.05)
    return owner


# When the owner's key was last used: by these very looks, once a minute, where they take as long.
_USED = re.compile(r'("(?:last_used_ms|lastUsedAt)"):(?:\d+|null)')


async def everything_of(exchange: Exchange, owner: Owner) -> dict[str, Any]:
    """Every row with the owner's number in it, whichever table, and what he himself is shown."""
    await exchange.settled()
    database, trader = exchange.resources.database, owner.trader
    columns = await database.fetch(
        "SELECT relname, attname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid "
        "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND attname LIKE '%user_id' ORDER BY 1, 2"
    )
    tables = {table for table, _ in columns}
    assert {"orders", "trades", "balances", "api_keys", "withdrawal_addresses", "users"} <= tables
    places = [(table, column) for table, column in columns if table not in TABLES_NOT_COMPARED]
    found: dict[str, Any] = {f"{table}.{column}": [] for table, column in places}
    # All in one: they are looked at after each of hundreds of requests.
    looks = (
        f"SELECT '{table}.{column}', to_json(t)::text FROM {table} t WHERE {column} = $1"
        for table, column in places
    )
    for place, row in await database.fetch(" UNION ALL ".join(looks) + " ORDER BY 1, 2", trader.user_id):
        found[place].append(_USED.sub(r"\1:0", row))
    for path in ("/v1/me", "/v1/api-keys", "/v1/withdrawal-addresses", "/v1/ledger", "/v1/withdrawals"):
        shown = (await exchange.client.get(path, headers=trader.headers)).text
        found[path] = json.loads(_USED.sub(r"\1:0", shown))
    for path, parameters in (
        ("/openOrders", {"symbol": "BTCUSDT"}),
        ("/allOrders", {"symbol": "BTCUSDT"}),
        ("/account", {}),
    ):
        found[path] = (await trader.signed("GET", path, **parameters)).json()
    found["listen key"] = await exchange.resources.cache.get(f"listen_key:{owner.listen_key}")
    assert found["orders.user_id"]
    assert found["trades.seller_user_id"]
    assert found["listen key"]
    return found


class Matrix:
    """Collects what went wrong, so that one run names every endpoint that leaks."""

    def __init__(self, exchange: Exchange, owner: Owner, stranger: Trader, before: dict[str, Any]) -> None:
        self.exchange = exchange
        self.owner = owner
        self.stranger = stranger
        self._before = before
        self.faults: list[str] = []
        self.requests = 0

    async def note(self, where: str, sent: str, answer: str, problem: str | None) -> None:
        """One answer has come. `sent` is what the stranger knew himself."""
        self.requests += 1
        if problem is not None:
            self.faults.append(f"{where}: {problem}: {answer[:300]}")
        shown = [mark for mark in self.owner.marks() if mark in answer and mark not in sent]
        if shown:
            self.faults.append(f"{where} shows {shown}")

    async def note_case(self, where: str, case: Case, sent: object, result: Any, code: int | None) -> None:
        """An answer of /api/v3 or of the WebSocket API; `code` None for a success."""
        problem = None
        if isinstance(case.expected, int):
            problem = None if code == case.expected else f"code {code}, not {case.expected}"
        elif code is not None:
            problem = f"code {code}"
        elif not case.expected(result, self.owner, self.stranger):
            problem = "another result"
        await self.note(where, json.dumps(sent), json.dumps(result), problem)

    async def compare(self, where: str) -> None:
        """Whether the owner still has what he had."""
        after = await everything_of(self.exchange, self.owner)
        changed = [name for name, value in self._before.items() if after[name] != value]
        if changed:
            self.faults.append(f"{where} changed the owner's {changed}")
            self._before = after


@pytest.fixture
async def matrix(exchange: Exchange) -> Matrix:
    owner, stranger = await owner_of_everything(exchange), await exchange.trader("stranger")
    return Matrix(exchange, owner, stranger, await everything_of(exchange, owner))


# -- the matrix -----------------------------------------------------------------------------


async def test_no_rest_endpoint_gives_a_stranger_anything(matrix: Matrix) -> None:
    places = [
        (name, verb, path, endpoint)
        for name in CASES
        for path, verbs in order_routes().rest.items()
        for verb, endpoint in verbs.items()
        if endpoint.name == name
    ]
    for name, verb, path, endpoint in places:
        for case in CASES[name]:
            sent = case.parameters(matrix.owner)
            ask = matrix.stranger.signed if endpoint.security.is_signed else matrix.stranger.keyed
            result = (await ask(verb, path, **sent)).json()
            code = result.get("code") if isinstance(result, dict) else None
            await matrix.note_case(f"{verb} {path}", case, sent, result, code)
        await matrix.compare(f"{verb} {path}")
    assert not matrix.faults
    assert matrix.requests > 50


async def test_no_method_of_the_websocket_api_gives_a_stranger_anything(matrix: Matrix) -> None:
    async with subscription_of(matrix.owner.trader) as frames:
        methods = order_routes().methods
        for name, case_list in CASES.items():
            for method in (method for method, endpoint in methods.items() if endpoint.name == name):
                for case in case_list:
                    await ask(matrix, method, case, is_signed=methods[method].security.is_signed)
                await matrix.compare(method)
        for method, case in SOCKET_METHODS.items():
            await ask(matrix, method, case, is_signed=method in SIGNED_ON_SOCKET)
            await matrix.compare(method)
        assert not matrix.faults
        assert matrix.requests > 50
        assert frames.empty(), "the owner's stream told of somebody else's acts"
        # The owner's own subscription has survived all that.
        await matrix.owner.trader.post("/v1/deposits", {"asset": "BTC", "amount": "1"})
        assert "balanceUpdate" in await asyncio.wait_for(frames.get(), WAIT_S)


async def ask(matrix: Matrix, method: str, case: Case, *, is_signed: bool) -> None:
    sent = case.parameters(matrix.owner)
    reply = await matrix.stranger.ask(method, sent, is_signed=is_signed)
    code = reply["error"]["code"] if "error" in reply else None
    await matrix.note_case(method, case, sent, reply.get("result", reply.get("error")), code)


async def test_no_route_of_v1_gives_a_stranger_anything(matrix: Matrix) -> None:
    await ask_all_of_v1(matrix)


async def ask_all_of_v1(matrix: Matrix) -> None:
    client, owner, stranger = matrix.exchange.client, matrix.owner, matrix.stranger
    for name, cases in V1.items():
        verb = name.split()[0]
        for case in cases:
            path, body = case.path(owner), None if case.body is None else case.body(owner)
            if case.needs_session:
                # An API key opens nothing here, the owner's as little as any other.
                locked = await client.request(
                    verb, path, json=body, headers={"X-MBX-APIKEY": owner.trader.api_key}
                )
                await matrix.note(f"{name} without a session", path, locked.text, _unless(locked, LOCKED))
            answer = await client.request(verb, path, json=body, headers=stranger.headers)
            problem = _unless(answer, case.status)
            if problem is None and answer.content:
                is_json = answer.headers["content-type"].partition(";")[0].endswith("json")
                result = answer.json() if is_json else answer.text
                looks_right = case.looks_right(result, owner, stranger)
                problem = None if looks_right else "another result"
            await matrix.note(name, f"{path} {body}", answer.text, problem)
        await matrix.compare(name)
    assert not matrix.faults
    assert matrix.requests > 20


def _unless(answer: httpx.Response, status: int) -> str | None:
    return None if answer.status_code == status else f"status {answer.status_code}, not {status}"


async def test_the_users_number_comes_from_the_credential_alone(matrix: Matrix) -> None:
    """A key and a signature of two people fit nowhere, and a number in the request is not read."""
    owner, stranger = matrix.owner.trader, matrix.stranger
    mixed = Trader(stranger.client, stranger.ws_url, api_key=owner.api_key, secret=stranger.secret)
    for verb, path in (("GET", "/account"), ("GET", "/openOrders"), ("DELETE", "/openOrders")):
        answer = await mixed.signed(verb, path, symbol="BTCUSDT")
        assert (answer.status_code, answer.json()["code"]) == (400, -1022)
    reply = await mixed.ask("account.status", {})
    assert reply["error"]["code"] == -1022
    for name in ("userId", "user_id", "uid", "accountId"):
        answer = await stranger.signed("GET", "/account", **{name: str(owner.user_id)})
        assert answer.json()["code"] == -1104
    await matrix.compare("mixed credentials")
    assert not matrix.faults


async def test_permissions_of_a_key_are_the_only_ones_it_has(exchange: Exchange) -> None:
    trader = await exchange.trader("alice")
    needed = {Security.USER_STREAM: "READ", Security.USER_DATA: "READ", Security.TRADE: "TRADE"}
    for permission in ("READ", "TRADE", "WITHDRAW"):
        body = {"label": permission, "permissions": [permission]}
        made = await trader.post("/v1/api-keys", body)
        limited = Trader(
            trader.client, trader.ws_url, api_key=made["apiKey"], secret=made["secretKey"], token="x"
        )
        for path, verbs in order_routes().rest.items():
            for verb, endpoint in verbs.items():
                if endpoint.security is Security.NONE:
                    continue
                ask = limited.signed if endpoint.security.is_signed else limited.keyed
                code = _code(await ask(verb, path, symbol="BTCUSDT"))
                allowed = needed[endpoint.security] == permission
                assert (code != -2015) == allowed, f"{permission}: {verb} {path} answers {code}"


async def test_a_key_works_only_from_its_addresses(exchange: Exchange) -> None:
    trader = await exchange.trader("alice")
    for allowed, code in ((["10.1.2.3"], -2015), (["127.0.0.0/8"], None)):
        body = {"label": "x", "permissions": ["READ"], "ipAllowList": allowed}
        made = await trader.post("/v1/api-keys", body)
        limited = Trader(trader.client, trader.ws_url, api_key=made["apiKey"], secret=made["secretKey"])
        # What the client says about its address is not believed: this server trusts no proxy.
        limited.client.headers["X-Forwarded-For"] = "10.1.2.3"
        assert _code(await limited.signed("GET", "/account")) == code
        assert (await limited.ask("account.status", {})).get("error", {}).get("code") == code


def _code(answer: httpx.Response) -> int | None:
    result = answer.json()
    return result.get("code") if isinstance(result, dict) else None


@asynccontextmanager
async def subscription_of(trader: Trader) -> AsyncIterator["asyncio.Queue[str]"]:
    """The frames of a user data stream, the first answer left out."""
    frames: asyncio.Queue[str] = asyncio.Queue()
    async with websockets.connect(trader.ws_url, proxy=None) as socket:
        params = {"apiKey": trader.api_key, "timestamp": str(time.time_ns() // 1_000_000)}
        params["signature"] = trader.sign("&".join(f"{name}={params[name]}" for name in sorted(params)))
        method = "userDataStream.subscribe.signature"
        await socket.send(json.dumps({"id": 1, "method": method, "params": params}))
        assert "subscriptionId" in str(await asyncio.wait_for(socket.recv(), WAIT_S))

        async def read() -> None:
            async for frame in socket:
                frames.put_nowait(str(frame))

        reading = asyncio.create_task(read())
        try:
            yield frames
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
