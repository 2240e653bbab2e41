"""Cold start: how long it takes to trade again when a long tail of commands must be decided anew."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import httpx

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.contracts.codec import encode_commands
from exchange.contracts.codes import BUY, CANCEL_ANY, GTC, LIMIT, STP_EXPIRE_MAKER
from exchange.contracts.commands import CancelOrder, Command, PlaceOrder
from exchange.contracts.topics import SHARD_DEFAULT, commands_topic, events_topic
from exchange.log.event_tail import newest_event
from local.servers import ServerError
from tests.chaos.campaign import running_stack
from tests.chaos.faults import StackUnderTest
from tests.e2e.trader import Trader

__all__ = ["measure_cold_start"]

COMMANDS_PER_RECORD: Final = 1_000
LOG_DEADLINE_MS: Final = 15_000
TRADING_DEADLINE_S: Final = 900.0
DEPOSITS: Final = {"USDT": "10000000"}
RETRY_PAUSE_S: Final = 0.05
# No snapshot: the whole log is the tail.
NEVER: Final = 1_000_000_000


async def measure_cold_start(commands: int, seed: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Put `commands` on the log of a stack and take no snapshot; kill -9 everything, start it, and trade.

    Twice: first in the middle of the flood, when most of it has been decided by nobody yet; then at rest,
    when everything was published and settled and only the engine has its long tail. Half of the commands
    place an order, the other half cancel it; nothing of it has to be read by the services first.
    Raises ServerError, LogError.
    """
    with running_stack(isolated=False, snapshot_every_commands=NEVER) as stack:
        process = stack.process
        trader = Trader.sign_up(process.url, deposits=DEPOSITS)

        async def start_again() -> tuple[float, float]:
            process.kill()
            began = time.monotonic()
            starting = asyncio.get_running_loop().run_in_executor(None, _first_order, trader, began)
            process.start(TRADING_DEADLINE_S)
            ready_s = time.monotonic() - began
            return round(await starting, 1), round(ready_s, 1)

        try:
            began = time.monotonic()
            await _fill(_log(stack, commands_topic), commands, trader.credentials.user_id, seed, tell)
            filled_s = time.monotonic() - began
            published = await newest_event(_log(stack, events_topic))
            tell("kill -9 of everything in the middle of the flood, and a start ...")
            flood_trading_s, flood_ready_s = await start_again()
            began = time.monotonic()
            await _catch_up(stack, tell)
            settled_s = time.monotonic() - began
            tell("kill -9 of everything at rest, and a start ...")
            trading_s, ready_s = await start_again()
        finally:
            trader.close()
    return {
        "commands": commands,
        "seed": seed,
        "filled_in_s": round(filled_s, 1),
        "flood_published_before": published.seq,
        "flood_trading_again_s": flood_trading_s,
        "flood_all_ready_s": flood_ready_s,
        "settled_after_s": round(settled_s, 1),
        "trading_again_s": trading_s,
        "all_ready_s": ready_s,
    }


def _log(stack: StackUnderTest, topic: Callable[[int], str]) -> KafkaLog:
    return KafkaLog(KafkaCluster(stack.setting("KAFKA_BOOTSTRAP"), LOG_DEADLINE_MS), topic(SHARD_DEFAULT))


async def _catch_up(stack: StackUnderTest, tell: Callable[[str], None]) -> None:
    """Wait until the ledger holds the newest event. Raises ServerError."""
    events = _log(stack, events_topic)
    give_up = time.monotonic() + TRADING_DEADLINE_S
    connection = await asyncpg.connect(stack.setting("DATABASE_DSN"), timeout=LOG_DEADLINE_MS / 1000)
    try:
        while True:
            seq = await connection.fetchval(
                "SELECT last_seq FROM positions WHERE shard = $1",
                SHARD_DEFAULT,
                timeout=LOG_DEADLINE_MS / 1000,
            )
            newest = (await newest_event(events)).seq
            tell(f"the ledger stands at {seq} of {newest}")
            if seq == newest:
                return
            if time.monotonic() > give_up:
                raise ServerError(f"the ledger stands at {seq} of {newest} after {TRADING_DEADLINE_S:g} s")
            await asyncio.sleep(1.0)
    finally:
        await connection.close(timeout=LOG_DEADLINE_MS / 1000)


async def _fill(log: KafkaLog, commands: int, user_id: int, seed: int, tell: Callable[[str], None]) -> None:
    writer = await log.writer()
    try:
        for first in range(0, commands, COMMANDS_PER_RECORD):
            count = min(COMMANDS_PER_RECORD, commands - first)
            await writer.append(encode_commands([_command(first + i, user_id, seed) for i in range(count)]))
            tell(f"{first + count} of {commands} commands")
    finally:
        await writer.close()


def _command(number: int, user_id: int, seed: int) -> Command:
    """Place far below the market, then cancel."""
    command_id, name = (seed << 32) + number + 1, f"cold-{number // 2}"
    if number % 2:
        return CancelOrder(command_id, user_id, 1, 0, name, f"x{number}", CANCEL_ANY, 0)
    price_ticks = 1_000_000 + number % 1_000
    return PlaceOrder(
        command_id, user_id, 1, name, BUY, LIMIT, GTC, price_ticks, 1_000, 0, STP_EXPIRE_MAKER, 0
    )


def _first_order(trader: Trader, began: float) -> float:
    """Seconds from `began` until an order is acknowledged."""
    give_up = began + TRADING_DEADLINE_S
    answer = ""
    while time.monotonic() < give_up:
        try:
            response = trader.signed(
                "POST",
                "/api/v3/order",
                symbol="BTCUSDT",
                side="BUY",
                type="LIMIT",
                timeInForce="GTC",
                quantity="0.01",
                price="10000",
            )
        except httpx.HTTPError as error:
            answer = repr(error)
        else:
            answer = response.text
            if response.status_code == 200:
                return time.monotonic() - began
        time.sleep(RETRY_PAUSE_S)
    raise ServerError(f"no trading within {TRADING_DEADLINE_S:g} s: {answer[:300]}")
