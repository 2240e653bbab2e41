"""WebSockets by address: attempts, open ones, bans; and both doors refuse before the handshake."""

import ipaddress
import json
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from exchange.contracts.errors import ApiError, LimitError
from exchange.http.request_limits import WEIGHT, RequestLimits
from exchange.http.socket_limits import ATTEMPTS_MAX, OPEN_MAX, SocketLimits
from exchange.http.usage_sharing import UsageSharing
from tests.unit.market_data.services import OfflineService
from tests.unit.order.order_exchange import running_exchange

HERE, THERE = "203.0.113.7", "203.0.113.8"
EXEMPT = "10.0.0.7"


class Clock:
    def __init__(self) -> None:
        self.ms = 300_000 * 5_800_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits_with(clock: Clock, *, is_enforced: bool = True, most: int = 10_000) -> SocketLimits:
    requests = RequestLimits(clock, is_enforced=is_enforced, exempt=(ipaddress.ip_network("10.0.0.0/8"),))
    return SocketLimits("TEST", requests, clock, most)


def refusal(limits: SocketLimits, address: str) -> ApiError | None:
    """What an attempt that ends at once is answered."""
    try:
        with limits.place(address):
            return None
    except ApiError as error:
        return error


def test_an_address_opens_300_in_five_minutes_and_no_more(clock: Clock) -> None:
    limits = limits_with(clock)
    assert [refusal(limits, HERE) for _ in range(ATTEMPTS_MAX)] == [None] * ATTEMPTS_MAX
    error = refusal(limits, HERE)
    assert error is not None
    assert (error.status, error.code) == (429, -1003)
    assert "300 connections per 5 MINUTE" in error.message
    assert refusal(limits, THERE) is None
    clock.ms += 300_000
    assert refusal(limits, HERE) is None


def test_an_address_holds_so_many_however_long_it_takes(clock: Clock) -> None:
    limits = limits_with(clock)
    with ExitStack() as held:
        for _ in range(OPEN_MAX):
            held.enter_context(limits.place(HERE))
            clock.ms += 2_000
        for _ in range(3):
            error = refusal(limits, HERE)
            assert error is not None
            assert error.status == 429
        assert refusal(limits, THERE) is None
    clock.ms += 300_000
    assert refusal(limits, HERE) is None


def test_all_of_a_48_hold_four_times_as_many(clock: Clock) -> None:
    limits = limits_with(clock)
    with ExitStack() as held:
        opened = 0
        for number in range(10 * OPEN_MAX):
            clock.ms += 2_000
            with suppress(LimitError):
                held.enter_context(limits.place(f"2001:db8:1:{number % 64:x}::1"))
                opened += 1
        assert opened == 4 * OPEN_MAX
        clock.ms += 86_400_000 * 3
        assert refusal(limits, "2001:db8:2::1") is None


def test_who_goes_on_is_banned_and_gets_no_socket_while_he_is(clock: Clock) -> None:
    limits = limits_with(clock)
    statuses = [error.status for _ in range(2 * WEIGHT.most + 400) if (error := refusal(limits, HERE))]
    assert statuses.index(418) <= 2 * WEIGHT.most
    assert set(statuses) == {429, 418}
    clock.ms += 60_000
    error = refusal(limits, HERE)
    assert error is not None
    assert error.status == 418


def test_all_addresses_together_have_a_bound(clock: Clock) -> None:
    limits = limits_with(clock, most=3)
    with ExitStack() as held:
        for number in range(3):
            held.enter_context(limits.place(f"198.51.100.{number}"))
        error = refusal(limits, HERE)
        assert error is not None
        assert error.status == 503
    assert refusal(limits, HERE) is None


def test_parts_of_the_exchange_are_not_counted_and_without_enforcement_nobody_is_refused(
    clock: Clock,
) -> None:
    strict, lenient = limits_with(clock), limits_with(clock, is_enforced=False)
    for _ in range(2 * ATTEMPTS_MAX):
        assert refusal(strict, EXEMPT) is None
        assert refusal(lenient, HERE) is None


def test_nothing_is_kept_of_sockets_that_have_gone(clock: Clock) -> None:
    limits = limits_with(clock)
    with limits.place(HERE), limits.place("2001:db8::1"):
        assert len(vars(limits)["_open"]) == 4
    assert vars(limits)["_open"] == {}


async def handshake(app: Any, path: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Answer of an application that refuses one: status, headers, body."""
    sent: list[Any] = []
    scope = {
        "type": "websocket",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": (HERE, 4711),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    come = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]

    async def receive() -> Any:
        return come.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["type"] == "websocket.accept":
        return 101, {}, {}
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, json.loads(sent[1]["body"])


@pytest.mark.parametrize("weight", [0, WEIGHT.most, 2 * WEIGHT.most])
async def test_both_doors_refuse_before_the_handshake(weight: int) -> None:
    expected = {0: 101, WEIGHT.most: 429, 2 * WEIGHT.most: 418}[weight]
    async with running_exchange(request_limits=True) as exchange:
        offline = OfflineService()
        doors = (
            (exchange.app, "/ws-api/v3", exchange.service.websocket.limits),
            (offline.app, "/ws/btcusdt@trade", vars(vars(offline.service.sockets)["_limits"])["_requests"]),
        )
        for app, path, limits in doors:
            limits.add_weight(HERE, weight)
            status, headers, body = await handshake(app, path)
            assert status == expected, path
            if expected != 101:
                assert int(headers["retry-after"]) >= 1
                assert (set(body), body["code"]) == ({"code", "msg"}, -1003)


async def test_attempts_are_shared_by_all_processes() -> None:
    async with running_exchange(request_limits=True) as exchange:
        sharing = vars(exchange.service)["_sharing"]
        assert isinstance(sharing, UsageSharing)
        names = {window.limit.name for window in vars(sharing)["_windows"]}
        streams = vars(vars(OfflineService().service)["_sharing"])["_windows"]
        others = {window.limit.name for window in streams}
        assert {"API_CONNECTIONS-5-MINUTE", "REQUEST_WEIGHT-1-MINUTE", "RAW_REQUESTS-5-MINUTE"} <= names
        assert {"STREAM_CONNECTIONS-5-MINUTE", "REQUEST_WEIGHT-1-MINUTE"} <= others
