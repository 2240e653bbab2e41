"""Trades a recorded market again in an exchange of this process, at a multiple of its speed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from exchange.contracts.commands import CancelAllOrders, Command, CreditDeposit
from exchange.contracts.events import TradeExecuted
from exchange.contracts.limits import AMOUNT_ATOMS_MAX, COMMANDS_PER_TICK_MAX
from exchange.log.deciding import own_gateway
from exchange.log.gateway import CommandGateway
from exchange.process.components import Resources
from exchange.process.connections import acquire
from local.assembly import AssembledExchange
from local.replay.book import OWNERS
from local.replay.files import Recorded, merged, symbols
from local.replay.messages import is_message_file
from local.replay.orders import MAKER_ID, QUOTER_ID, TAKER_ID, Market
from local.replay.prints import FileError

__all__ = ["Plan", "Replay", "Summary"]

# Of one step: their commands are one gulp of the engine, and nobody waits longer for his turn.
_PRINTS_PER_STEP: Final = 200
# What is due within this time travels together.
_TOGETHER_S: Final = 0.005
_REPORT_EVERY_S: Final = 5.0
_CAUGHT_UP_DEADLINE_S: Final = 600.0
_FUNDS_UNITS: Final = 10**9


@dataclass(frozen=True)
class Plan:
    """`speed`: multiple of the recorded one, 0: no waiting. `levels`: of the book on each side of a price."""

    files: Sequence[Path]
    speed: float
    seed: int
    levels: int


class Summary(msgspec.Struct):
    """What came of a replay. `lag_ms`: by how much orders were sent after their time, p50, p99, most.

    `prints`: trades, and what happened to the orders of a recorded book.
    `adapted`: prints whose quantity the market's rules made larger or smaller. `trades_ledger`: those of the
    replay's own accounts that the ledger holds, once it had caught up.
    """

    markets: int
    prints: int
    adapted: int
    commands: int
    trades: int
    trades_ledger: int
    market_s: float
    took_s: float
    caught_up_s: float
    lag_ms: tuple[float, float, float]


class Replay:
    """One run of a plan over an exchange that trades."""

    def __init__(self, plan: Plan, exchange: AssembledExchange, resources: Resources) -> None:
        self._plan = plan
        self._exchange = exchange
        self._resources = resources
        self._markets: dict[str, Market] = {}
        self._lags_ms: list[float] = []
        self._sent = 0
        self._trades = 0
        self._last_seq = 0
        # Of a recorded book; trades alone need none of them.
        self._owners = OWNERS if any(is_message_file(file.stem) for file in plan.files) else range(0)

    async def run(self, say: Callable[[str], None]) -> Summary:
        """All of it. Raises FileError, LogError, and what the gateway raises."""
        self._open_markets()
        # Not the traders' own: that one refuses rather than let somebody wait, and a replay waits.
        async with own_gateway(self._resources) as gateway:
            return await self._run(gateway, say)

    async def _run(self, gateway: CommandGateway, say: Callable[[str], None]) -> Summary:
        self._gateway = gateway
        await self._clear()
        await self._fund()
        prints = merged(self._plan.files, self._plan.seed)
        first = next(prints, None)
        if first is None:
            raise FileError("nothing is recorded in the files any more")
        before = await self._trades_in_ledger()
        began_s, count, last_ms, said_s = time.monotonic(), 0, first.time_ms, 0.0
        async for step in self._due(chain([first], prints), first.time_ms, began_s):
            await self._trade(step)
            count, last_ms = count + len(step), step[-1].time_ms
            if time.monotonic() - said_s > _REPORT_EVERY_S:
                said_s = time.monotonic()
                say(self._progress(count, last_ms - first.time_ms, said_s - began_s))
        took_s = time.monotonic() - began_s
        held = await self._caught_up(before + self._trades)
        return Summary(
            len(self._markets),
            count,
            sum(market.adapted for market in self._markets.values()),
            self._sent,
            self._trades,
            held - before,
            (last_ms - first.time_ms) / 1_000,
            took_s,
            time.monotonic() - began_s - took_s,
            _lags(self._lags_ms),
        )

    async def _due(
        self, prints: Iterator[Recorded], first_ms: int, began_s: float
    ) -> AsyncIterator[list[Recorded]]:
        """What is due by now, a step at a time; whoever is late takes larger steps."""
        step: list[Recorded] = []
        for one in prints:
            due_s = began_s + (one.time_ms - first_ms) / 1_000 / self._plan.speed if self._plan.speed else 0.0
            if step and (len(step) == _PRINTS_PER_STEP or due_s > time.monotonic() + _TOGETHER_S):
                yield step
                step = []
            wait_s = due_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if self._plan.speed and not step:
                self._lags_ms.append(max(0.0, (time.monotonic() - due_s) * 1_000))
            step.append(one)
        yield step

    def _open_markets(self) -> None:
        views = self._exchange.market_data.markets.state.by_symbol
        wanted = symbols(self._plan.files)
        if missing := sorted(wanted - set(views)):
            raise FileError(
                f"there is no market {', '.join(missing[:5])}: name a file of markets (--markets)"
            )
        for symbol in sorted(wanted):
            market = views[symbol].market
            self._markets[symbol] = Market(
                market.rules, 10**market.base.decimals, market.quote.decimals, self._plan.levels
            )

    async def _clear(self) -> None:
        """What an earlier replay has left in the book would trade with what this one recorded."""
        new_id = self._gateway.new_command_id
        market_ids = sorted(market.rules.market_id for market in self._markets.values())
        await self._send([
            CancelAllOrders(new_id(), user_id, number, "", 0)
            for user_id in (MAKER_ID, QUOTER_ID, *self._owners)
            for number in market_ids
        ])  # fmt: skip

    async def _fund(self) -> None:
        """Money for the accounts, of every asset that is traded."""
        accounts = (MAKER_ID, TAKER_ID, QUOTER_ID, *self._owners)
        state = self._exchange.market_data.markets.state
        assets = {
            asset.asset_id: asset
            for symbol in self._markets
            for asset in (state.by_symbol[symbol].market.base, state.by_symbol[symbol].market.quote)
        }
        database = self._resources.database
        async with acquire(database, self._resources.settings.database_deadline_ms) as connection:
            rows = await connection.fetch(
                "SELECT nextval('deposit_ids') AS id FROM generate_series(1, $1)", len(accounts) * len(assets)
            )
        ids = iter([int(row["id"]) for row in rows])
        commands: list[Command] = []
        for asset in assets.values():
            # Somebody else must still be able to deposit.
            atoms = min(_FUNDS_UNITS * 10**asset.decimals, AMOUNT_ATOMS_MAX // (4 * len(accounts)))
            for user_id in accounts:
                number = self._gateway.new_command_id()
                commands.append(CreditDeposit(number, user_id, asset.asset_id, atoms, next(ids)))
        await self._send(commands)

    async def _trade(self, step: Sequence[Recorded]) -> None:
        new_id = self._gateway.new_command_id
        commands = [command for one in step for command in self._markets[one.symbol].commands(one, new_id)]
        await self._send(commands)
        # What a stranger's order has left of a maker's: nobody recorded that it rests.
        market_ids = {order.market_id for order in self._exchange.order.engine.view.open_orders(MAKER_ID)}
        rests = [CancelAllOrders(new_id(), MAKER_ID, number, "", 0) for number in sorted(market_ids)]
        await self._send(rests)

    async def _send(self, commands: Sequence[Command]) -> None:
        """In order, in as few records as the log takes."""
        for first in range(0, len(commands), COMMANDS_PER_TICK_MAX):
            part = commands[first : first + COMMANDS_PER_TICK_MAX]
            outcomes = await asyncio.gather(*(self._gateway.submit(one) for one in part))
            self._trades += sum(
                isinstance(recorded.event, TradeExecuted) for one in outcomes for recorded in one.events
            )
            self._last_seq = outcomes[-1].events[-1].seq
        self._sent += len(commands)

    async def _trades_in_ledger(self) -> int:
        database = self._resources.database
        async with acquire(database, self._resources.settings.database_deadline_ms) as connection:
            return int(
                await connection.fetchval(
                    "SELECT count(*) FROM trades WHERE $1 IN (buyer_user_id, seller_user_id) "
                    "OR $2 IN (buyer_user_id, seller_user_id)",
                    *(MAKER_ID, TAKER_ID),
                )
            )

    async def _caught_up(self, count: int) -> int:
        """What the ledger holds of the replay's trades once it holds `count`, or has had its time.

        What traders are shown has caught up, too.
        """
        give_up_s = time.monotonic() + _CAUGHT_UP_DEADLINE_S
        while (held := await self._trades_in_ledger()) < count and time.monotonic() < give_up_s:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        shown, view = self._exchange.market_data.markets, self._exchange.order.engine.view
        while min(shown.state.seq, view.seq) < self._last_seq and time.monotonic() < give_up_s:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return held

    def _progress(self, count: int, market_ms: int, took_s: float) -> str:
        hours, minutes = divmod(market_ms // 60_000, 60)
        lag = f", {self._lags_ms[-1] / 1_000:.1f} s late" if self._lags_ms else ""
        return (
            f"{hours:d}:{minutes:02d} h replayed, {count:,} prints, {count / max(took_s, 0.001):,.0f}/s{lag}"
        )


def _lags(lags_ms: list[float]) -> tuple[float, float, float]:
    ordered = sorted(lags_ms) or [0.0]
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]
