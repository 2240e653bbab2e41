"""The abuses: what each of them sends. What it may come to is in `verdict`."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson

from services.order.doors.ws_requests import sign_payload
from tests.abuse.crowd import Account, Crowd, addresses

__all__ = ["ABUSES", "RATE", "Abuse"]

# Requests a second of one abuse: about as many as an honest exchange of this size serves in all.
RATE: Final = 300.0
IN_FLIGHT: Final = 200
BURST: Final = 2_000
ORDERS_PER_SOCKET: Final = 64
IDLE_SOCKETS: Final = 400
INVENTED_SOCKETS: Final = 20
NAMES_PER_SOCKET: Final = 400
INVENTED_ID: Final = 987_654_321
BUY: Final = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.0002",
    "price": "60000.00", "newOrderRespType": "ACK", "recvWindow": "60000",
}  # fmt: skip
# Facts beside the counted answers.
Facts = dict[str, float]
Abuse = Callable[[str, Account, float], Awaitable[tuple[Crowd, Facts]]]


def _until(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def _cancel_all(crowd: Crowd, account: Account) -> None:
    await crowd.ask("DELETE", "/api/v3/openOrders", account, symbol="BTCUSDT")


async def _placed(crowd: Crowd, account: Account) -> Facts:
    """How many orders of the account the exchange knows, and how many it counts."""
    counted = Crowd(crowd.url, addresses(200, 1))
    async with counted:
        _, limits = await counted.ask("GET", "/api/v3/rateLimit/order", account)
        known, first = 0, 0
        while True:
            _, page = await counted.ask(
                "GET", "/api/v3/allOrders", account, symbol="BTCUSDT", orderId=first, limit=1_000
            )
            rows = page if isinstance(page, list) else []
            known += len(rows)
            if len(rows) < 1_000:
                break
            first = rows[-1]["orderId"] + 1
        await _cancel_all(counted, account)
    count = limits[1]["count"] if isinstance(limits, list) else -1
    return {"orders that exist": known, "orders counted": count}


async def in_flight(url: str, account: Account, seconds: float) -> tuple[Crowd, Facts]:
    """2,000 orders at once, again and again, from ten addresses."""
    async with Crowd(url, addresses(11, 10)) as crowd:
        until_s = _until(seconds)
        while asyncio.get_running_loop().time() < until_s:
            await asyncio.gather(*(crowd.ask("POST", "/api/v3/order", account, **BUY) for _ in range(BURST)))
            await _cancel_all(crowd, account)
        return crowd, await _placed(crowd, account)


async def closing_sockets(url: str, account: Account, seconds: float) -> tuple[Crowd, Facts]:
    """Sockets that send 64 orders and close before any answer."""
    async with Crowd(url, addresses(12, 10)) as crowd:
        until_s, sent = _until(seconds), 0
        while asyncio.get_running_loop().time() < until_s:
            socket = await crowd.socket("/ws-api/v3")
            if socket is None:
                await asyncio.sleep(0.1)
                continue
            for number in range(ORDERS_PER_SOCKET):
                parameters = {**BUY, "apiKey": account.api_key, "timestamp": str(time.time_ns() // 1_000_000)}
                parameters["signature"] = _signature(account, parameters)
                await socket.send_bytes(
                    orjson.dumps({"id": number, "method": "order.place", "params": parameters})
                )
                sent += 1
            await socket.close()
            await _cancel_all(crowd, account)
            await asyncio.sleep(0.05)
        return crowd, {"orders sent": sent, **await _placed(crowd, account)}


def _signature(account: Account, parameters: dict[str, str]) -> str:
    return hmac.new(account.secret_key.encode(), sign_payload(parameters), hashlib.sha256).hexdigest()


async def invented_ids(url: str, account: Account, seconds: float) -> tuple[Crowd, Facts]:
    """Replacements of orders that do not exist."""
    async with Crowd(url, addresses(13, 10)) as crowd:

        async def replace() -> None:
            await crowd.ask(
                "POST", "/api/v3/order/cancelReplace", account, **BUY,
                cancelReplaceMode="ALLOW_FAILURE", cancelOrderId=INVENTED_ID,
            )  # fmt: skip

        until_s = _until(seconds)
        await crowd.at_rate(RATE, until_s, IN_FLIGHT, replace)
        return crowd, await _placed(crowd, account)


async def idle_sockets(url: str, _: Account, seconds: float) -> tuple[Crowd, Facts]:
    """Sockets of one address that do nothing, of both kinds, opened again when they are refused."""
    async with Crowd(url, addresses(14, 1)) as crowd:
        held: list[Any] = []
        until_s = _until(seconds)
        for number in range(2 * IDLE_SOCKETS):
            socket = await crowd.socket(("/ws/btcusdt@trade", "/ws-api/v3")[number % 2])
            if socket is not None:
                held.append(socket)
        while asyncio.get_running_loop().time() < until_s:
            await crowd.socket("/ws/btcusdt@trade")
            await asyncio.sleep(0.05)
        open_now = sum(not socket.closed for socket in held)
        await asyncio.gather(*(socket.close() for socket in held), return_exceptions=True)
        return crowd, {"sockets held": open_now}


async def invented_streams(url: str, _: Account, seconds: float) -> tuple[Crowd, Facts]:
    """Sockets that ask for hundreds of streams that nobody has."""
    async with Crowd(url, addresses(15, 4)) as crowd:
        held: list[Any] = []
        kept: list[int] = []
        until_s = _until(seconds)
        for number in range(INVENTED_SOCKETS):
            names = "/".join(f"n{number}x{each}@trade" for each in range(NAMES_PER_SOCKET))
            socket = await crowd.socket(f"/stream?streams={names}")
            if socket is None:
                continue
            held.append(socket)
            await socket.send_str('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            kept.append(len((await socket.receive_json(timeout=10))["result"]))
        while asyncio.get_running_loop().time() < until_s:
            await asyncio.sleep(0.2)
        await asyncio.gather(*(socket.close() for socket in held), return_exceptions=True)
        return crowd, {
            "sockets": len(held),
            "names asked": NAMES_PER_SOCKET,
            "names kept": max(kept, default=0),
        }


async def market_walks(url: str, account: Account, seconds: float) -> tuple[Crowd, Facts]:
    """MARKET orders of an account without money."""
    walk = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "50"}
    async with Crowd(url, addresses(16, 10)) as crowd:
        await crowd.at_rate(
            RATE, _until(seconds), IN_FLIGHT, lambda: crowd.ask("POST", "/api/v3/order", account, **walk)
        )
        return crowd, {}


async def shifted_klines(url: str, _: Account, seconds: float) -> tuple[Crowd, Facts]:
    """Candles of a zone that needs the quarters of two years."""
    zone = {"symbol": "BTCUSDT", "interval": "1d", "timeZone": "5:45", "limit": 1_000}
    async with Crowd(url, addresses(17, 1)) as crowd:
        await crowd.at_rate(
            RATE, _until(seconds), IN_FLIGHT, lambda: crowd.ask("GET", "/api/v3/klines", **zone)
        )
        return crowd, {}


async def history_polls(url: str, account: Account, seconds: float) -> tuple[Crowd, Facts]:
    """allOrders from an hour ago, as ccxt asks for it."""
    async with Crowd(url, addresses(18, 1)) as crowd:

        async def poll() -> None:
            start_ms = time.time_ns() // 1_000_000 - 3_600_000
            await crowd.ask("GET", "/api/v3/allOrders", account, symbol="BTCUSDT", startTime=start_ms)

        await crowd.at_rate(RATE, _until(seconds), IN_FLIGHT, poll)
        return crowd, {}


async def deep_books(url: str, _: Account, seconds: float) -> tuple[Crowd, Facts]:
    """The whole book by the WebSocket API."""
    request = {"method": "depth", "params": {"symbol": "BTCUSDT", "limit": 5_000}}
    async with Crowd(url, addresses(19, 1)) as crowd:
        until_s, number = _until(seconds), 0
        while asyncio.get_running_loop().time() < until_s:
            socket = await crowd.socket("/ws-api/v3")
            if socket is None:
                await asyncio.sleep(0.1)
                continue
            while asyncio.get_running_loop().time() < until_s and not socket.closed:
                number += 1
                await socket.send_bytes(orjson.dumps({"id": number, **request}))
                message = await socket.receive(timeout=10)
                if not isinstance(message.data, str):
                    break
                reply = orjson.loads(message.data)
                crowd.count(reply["status"], orjson.dumps(reply.get("error")))
            await socket.close()
        return crowd, {}


async def log_ins(url: str, _: Account, seconds: float) -> tuple[Crowd, Facts]:
    """Wrong passwords for accounts that do not exist, from four addresses."""
    async with Crowd(url, addresses(20, 4)) as crowd:
        number = 0

        async def log_in() -> None:
            nonlocal number
            number += 1
            body = {"email": f"nobody-{number}@example.com", "password": "wrong password"}
            await crowd.post("/v1/sessions", body)

        await crowd.at_rate(RATE, _until(seconds), IN_FLIGHT, log_in)
        return crowd, {}


ABUSES: Final[dict[str, Abuse]] = {
    "orders in flight": in_flight,
    "sockets that close early": closing_sockets,
    "invented ids": invented_ids,
    "idle sockets": idle_sockets,
    "invented streams": invented_streams,
    "MARKET orders without money": market_walks,
    "klines of a shifted zone": shifted_klines,
    "history polls": history_polls,
    "whole books by ws-api": deep_books,
    "log-ins": log_ins,
}
