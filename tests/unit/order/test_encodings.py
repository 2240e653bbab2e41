"""SBE is not enabled: told as Binance tells it, by status to who takes nothing else (SBE FAQ)."""

import json
from typing import Any

import pytest

from tests.conformance import covers
from tests.unit.market_data.services import OfflineService
from tests.unit.order.order_exchange import ALICE, OrderExchange
from tests.unit.order.ws_client import connected

DISABLED = {"code": -1155, "msg": "SBE is not enabled."}
SBE_ALONE = [
    "application/sbe",
    "Application/SBE",
    "application/sbe;q=0.9",
    "application/sbe, application/sbe",
]
JSON_TOO = [
    "application/sbe,application/json", "application/json;q=0.5, application/sbe", "application/sbe, */*",
    "*/*", "application/json", "text/html", "application/sbextension", "",
]  # fmt: skip


@covers("SBE answers")
@pytest.mark.parametrize("accept", SBE_ALONE)
async def test_who_takes_sbe_alone_is_told_that_it_is_off(exchange: OrderExchange, accept: str) -> None:
    headers = {"Accept": accept, "X-MBX-SBE": "3:1"}
    private = await exchange.request("GET", "/account", ALICE, headers)
    public = await OfflineService().get("/api/v3/time", **headers)
    for answer in (private, public):
        assert (answer.status_code, answer.json()) == (406, DISABLED)
        assert answer.headers["content-type"] == "application/json;charset=UTF-8"


@covers("SBE answers")
@pytest.mark.parametrize("accept", JSON_TOO)
async def test_who_takes_anything_else_gets_json(exchange: OrderExchange, accept: str) -> None:
    headers = {"Accept": accept, "X-MBX-SBE": "3:1"}
    assert (await exchange.request("GET", "/account", ALICE, headers)).json()["balances"]
    assert (await OfflineService().get("/api/v3/time", **headers)).json()["serverTime"]


async def handshake(exchange: OrderExchange, query: str) -> tuple[int, Any]:
    """What a handshake is answered with that is refused: status and body."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "path": "/ws-api/v3", "root_path": "", "query_string": query.encode(),
        "headers": [], "client": ("203.0.113.7", 4711), "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    app: Any = exchange.app
    await app(scope, receive, send)
    start, body = sent
    assert dict(start["headers"])[b"content-type"] == b"application/json;charset=UTF-8"
    return start["status"], json.loads(body["body"])


@covers("SBE answers")
async def test_a_socket_of_sbe_is_refused_in_its_handshake(exchange: OrderExchange) -> None:
    schema = "sbeSchemaId=3&sbeSchemaVersion=1"
    assert await handshake(exchange, f"responseFormat=sbe&{schema}") == (400, DISABLED)
    both = await handshake(exchange, f"responseFormat=sbe&responseFormat=json&{schema}")
    assert both == (400, {"code": -1101, "msg": "Duplicate values for a parameter detected."})
    assert await handshake(exchange, "responseFormat=xml") == (
        400, {"code": -1130, "msg": "Data sent for parameter 'responseFormat' is not valid."},
    )  # fmt: skip
    async with connected(exchange, "responseFormat=json") as socket:
        assert (await socket.ask("ping"))["result"] == {}
