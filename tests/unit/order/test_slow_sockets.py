"""The WebSocket API on a real port: who does not read is cut, and the others do not notice."""

import asyncio
import contextlib
import json

import pytest
from prometheus_client import REGISTRY
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from exchange.http.connection_guard import ConnectionLimits
from exchange.http.fair_turns import BEGUN_PER_ROUND
from exchange.http.server import HttpServer, bind
from tests.unit.order.order_exchange import ALICE, OrderExchange, limit_order
from tests.unit.order.ws_client import signed

DEADLINE_S = 60.0
CROWD_SOCKETS, CROWD_MESSAGES = 10, 50


def cuts() -> float:
    reasons = ("does not read", "queue full")
    return sum(REGISTRY.get_sample_value("exchange_sockets_cut_total", {"reason": r}) or 0.0 for r in reasons)


async def test_socket_that_does_not_read_is_cut_and_the_others_do_not_notice(exchange: OrderExchange) -> None:
    listener = bind("127.0.0.1", 0)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}/ws-api/v3"
    server = HttpServer(exchange.app, listener, limits=ConnectionLimits(websocket_stall_s=0.3, close_s=0.3))
    running = asyncio.create_task(server.run())
    await asyncio.sleep(0)
    try:
        async with (
            connect(url, proxy=None, max_queue=1) as deaf,
            connect(url, proxy=None) as trader,
            asyncio.timeout(DEADLINE_S),
        ):
            for socket in (deaf, trader):
                params = signed(ALICE, {})
                await socket.send(
                    json.dumps({"id": 0, "method": "userDataStream.subscribe.signature", "params": params})
                )
                assert json.loads(await socket.recv())["status"] == 200
            assert len(exchange.service.websocket.sessions) == 2
            before, orders = cuts(), 0
            ask_much = json.dumps({"id": "x" * 36, "method": "session.status"})
            while cuts() == before:
                with contextlib.suppress(ConnectionClosed, TimeoutError):
                    async with asyncio.timeout(0.05):
                        for _ in range(200):
                            await deaf.send(ask_much)
                orders += 1
                order = limit_order("BUY", "60000", "0.0001", timeInForce="IOC")
                await trader.send(
                    json.dumps({"id": orders, "method": "order.place", "params": signed(ALICE, order)})
                )
                # The reply, and the three events of an order that ends at once, in any order of these two.
                messages = [json.loads(await trader.recv()) for _ in range(4)]
                assert [m["status"] for m in messages if "id" in m] == [200]
                events = [m["event"]["e"] for m in messages if "event" in m]
                assert events == ["executionReport", "executionReport", "outboundAccountPosition"]
            while len(exchange.service.websocket.sessions) == 2:
                await asyncio.sleep(0.01)
            deaf.transport.abort()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()


async def test_sockets_of_one_address_do_not_hold_up_those_of_another(
    exchange: OrderExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = bind("127.0.0.1", 0)
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}/ws-api/v3"
    server = HttpServer(exchange.app, listener)
    running = asyncio.create_task(server.run())
    await asyncio.sleep(0)
    limits, begun = exchange.service.websocket.limits, list[str]()
    admit = limits.admit

    def admitted(address: str) -> None:
        begun.append(address)
        admit(address)

    monkeypatch.setattr(limits, "admit", admitted)
    # Refused at once: nothing in them is waited for.
    message = Frame(Opcode.TEXT, b'{"id":1,"method":"order.status"}').serialize(mask=True)
    try:
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(DEADLINE_S):
            sockets = [
                await stack.enter_async_context(connect(url, proxy=None, local_addr=(address, 0)))
                for address in ["127.9.0.1"] * CROWD_SOCKETS + ["127.9.0.2"]
            ]
            begun.clear()
            for socket in sockets[:-1]:
                socket.transport.write(message * CROWD_MESSAGES)
            sockets[-1].transport.write(message)
            assert json.loads(await sockets[-1].recv())["status"] == 400
            assert begun.index("127.9.0.2") <= 3 * BEGUN_PER_ROUND
            for socket in sockets[:-1]:
                for _ in range(CROWD_MESSAGES):
                    assert json.loads(await socket.recv())["status"] == 400
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.stop()
    assert len(begun) == CROWD_SOCKETS * CROWD_MESSAGES + 1
