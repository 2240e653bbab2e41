"""Cold start: how long it takes to trade again when a long tail of commands must be decided anew."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from exchange.adapters.kafka_cluster import KafkaCluster
from exchange.adapters.kafka_log import KafkaLog
from exchange.contracts.codec import encode_commands
from exchange.contracts.codes import BUY, CANCEL_ANY, GTC, LIMIT, STP_EXPIRE_MAKER
from exchange.contracts.commands import CancelOrder, Command, PlaceOrder
from exchange.contracts.topics import SHARD_DEFAULT, commands_topic
from exchange.local.servers import ServerError
from tests.chaos.campaign import running_stack
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
    """Put `commands` on the log of a stack, kill -9 everything, start it, and trade.

    Half of them place an order, the other half cancel it; nothing of it has to be read by the services
    first. Raises ServerError, LogError.
    """
    with running_stack(isolated=False, snapshot_every_commands=NEVER) as stack:
        process = stack.process
        trader = Trader.sign_up(process.url, deposits=DEPOSITS)
        try:
            log = KafkaLog(
                KafkaCluster(stack.setting("KAFKA_BOOTSTRAP"), LOG_DEADLINE_MS), commands_topic(SHARD_DEFAULT)
            )
            began = time.monotonic()
            await _fill(log, commands, trader.credentials.user_id, seed, tell)
            filled_s = time.monotonic() - began
            tell("kill -9 of everything, and a start ...")
            process.kill()
            began = time.monotonic()
            starting = asyncio.get_running_loop().run_in_executor(None, _first_order, trader, began)
            process.start(TRADING_DEADLINE_S)
            ready_s = time.monotonic() - began
            trading_s = await starting
        finally:
            trader.close()
    return {
        "commands": commands,
        "seed": seed,
        "filled_in_s": round(filled_s, 1),
        "trading_again_s": round(trading_s, 1),
        "all_ready_s": round(ready_s, 1),
    }


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
