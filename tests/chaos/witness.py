"""Holds the exchange's log and ledger against the journal of its clients, a fault at a time.

What is checked after each fault costs as much as what has happened since the one before.
"""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import asyncpg

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.contracts.codec import EMPTY_CHAIN_HASH, CodecError, CommandOutcome
from exchange.contracts.codes import BUY, CANCELED, FILLED
from exchange.contracts.events import MarketRegistered
from exchange.contracts.topics import SHARD_DEFAULT, commands_topic, events_topic
from exchange.log.event_tail import ChainError, EventTail, TailPosition
from exchange.ports.world import LogReader
from matching_engine.core.engine import Engine
from matching_engine.core.shard import Shard
from services.projections.ledger.reconcile import reconcile
from tests.chaos.load import Request
from tests.chaos.model import Findings, Model, ModelOrder
from tests.e2e.audit import STALE, UNKNOWN_ORDER
from tests.e2e.journal import Journal, Outcome, PlacedOrder
from tests.e2e.trader import Credentials

__all__ = ["Witness"]

LOG_DEADLINE_MS: Final = 15_000
READ_TIMEOUT_MS: Final = 2_000
DATABASE_DEADLINE_S: Final = 120.0
CONNECT_DEADLINE_S: Final = 20.0


class Witness:
    """Reads the event log from its beginning, once, and keeps a model of the exchange."""

    def __init__(
        self, bootstrap_servers: str, database_dsn: str, accounts: Sequence[Credentials], journal: Journal
    ) -> None:
        self.findings = Findings()
        self.model = Model(self.findings)
        self.events = 0
        self.ledger_comparisons = 0
        self._command_log = KafkaLog(
            KafkaCluster(bootstrap_servers, LOG_DEADLINE_MS), commands_topic(SHARD_DEFAULT)
        )
        self._event_log = KafkaLog(
            KafkaCluster(bootstrap_servers, LOG_DEADLINE_MS), events_topic(SHARD_DEFAULT)
        )
        self._database_dsn = database_dsn
        self._users = [account.user_id for account in accounts]
        self._journal = journal
        self._position = TailPosition(0, EMPTY_CHAIN_HASH, 0)
        self._chain_is_broken = False

    async def check_news(self, settled: Sequence[Request]) -> None:
        """What was answered since the last time is in the log as it was told; ledger and log agree.

        Raises LogError and asyncpg's errors when the log or the database are away.
        """
        ledger = await self._read_ledger()
        outcomes = await self._read_log()
        while outcomes and outcomes[0].events[-1].seq <= ledger.seq:
            self.model.apply([outcomes.popleft()])
        if self.model.seq == ledger.seq:
            self._compare_ledger(ledger)
        self.model.apply(outcomes)
        for name, order, is_cancel in settled:
            self._check_answer(name, order, is_cancel)
        self.model.check()

    async def check_all(self) -> None:
        """Every order of the journal, and every table of the ledger against each other and the model.

        For an exchange at rest whose ledger has caught up.
        """
        self.model.apply(await self._read_log())
        ledger = await self._read_ledger()
        if ledger.seq != self.model.seq:
            self.findings.add("broken", f"the ledger stands at seq {ledger.seq}, the log at {self.model.seq}")
        else:
            self._compare_ledger(ledger)
        names = {(self._users[o.trader], name): (name, o) for name, o in self._journal.orders.items()}
        for key in self.model.by_name:
            if key not in names:
                self.findings.add("broken", f"order {key} was sent by nobody")
        for name, order in names.values():
            if order.outcome is not Outcome.UNKNOWN:
                self._check_answer(name, order, False)
            if order.cancel in (Outcome.ACKNOWLEDGED, Outcome.REFUSED):
                self._check_answer(name, order, True)
        self.model.check()
        await self._reconcile()

    async def check_replay(self) -> str:
        """Read both logs again from their beginnings: the chain is whole, and the commands, decided once
        more, give the same last hash. Returns that hash in hex."""
        position, count = TailPosition(0, EMPTY_CHAIN_HASH, 0), 0
        reader = await self._event_log.reader(0)
        try:
            end, tail = await self._event_log.end_offset(), EventTail(reader, position)
            while position.next_offset < end:
                count += sum(len(o.events) for o in await tail.read(READ_TIMEOUT_MS))
        except (ChainError, CodecError) as error:
            self.findings.add("broken", f"I7 {error}")
        finally:
            await reader.close()
        self.events = count
        shard = Shard(Engine())
        reader = await self._command_log.reader(0)
        try:
            end = await self._command_log.end_offset()
            while shard.read_offset < end:
                for record in await reader.read(READ_TIMEOUT_MS):
                    shard.apply_record(record.offset, record.timestamp_ms, record.value)
        finally:
            await reader.close()
        if (shard.engine.seq, shard.chain) != (position.seq, position.hash):
            self.findings.add("broken", f"I12 the commands give seq {shard.engine.seq}, not {position.seq}")
        return position.hash.hex()

    async def ledger_lag(self) -> int:
        """Events that the log has and the ledger has not."""
        self.model.apply(await self._read_log())
        return self.model.seq - (await self._read_ledger()).seq

    async def _read_log(self) -> deque[CommandOutcome]:
        """All outcomes up to where the log ends now."""
        fresh: deque[CommandOutcome] = deque()
        if self._chain_is_broken:
            return fresh
        end = await self._event_log.end_offset()
        reader: LogReader = await self._event_log.reader(self._position.next_offset)
        try:
            tail = EventTail(reader, self._position)
            while self._position.next_offset < end:
                fresh.extend(await tail.read(READ_TIMEOUT_MS))
        except (ChainError, CodecError) as error:
            self._chain_is_broken = True
            self.findings.add("broken", f"I7 {error}")
        finally:
            await reader.close()
        return fresh

    async def _read_ledger(self) -> "_Ledger":
        connection = await asyncpg.connect(self._database_dsn, timeout=CONNECT_DEADLINE_S)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                seq = await connection.fetchval(
                    "SELECT last_seq FROM positions WHERE shard = $1",
                    SHARD_DEFAULT,
                    timeout=CONNECT_DEADLINE_S,
                )
                balances = await connection.fetch(
                    "SELECT user_id, asset_id, available_atoms, held_atoms FROM balances",
                    timeout=CONNECT_DEADLINE_S,
                )
                counts = await connection.fetchrow(
                    "SELECT (SELECT count(*) FROM orders WHERE status IN (1, 2)) AS open_orders,"
                    " (SELECT coalesce(sum(held_atoms), 0) FROM orders WHERE status IN (1, 2)) AS held,"
                    " (SELECT count(*) FROM trades) AS trades",
                    timeout=DATABASE_DEADLINE_S,
                )
        finally:
            await connection.close(timeout=CONNECT_DEADLINE_S)
        assert counts is not None
        return _Ledger(
            seq or 0,
            {(r["user_id"], r["asset_id"]): (r["available_atoms"], r["held_atoms"]) for r in balances},
            (counts["open_orders"], int(counts["held"]), counts["trades"]),
        )

    def _compare_ledger(self, ledger: "_Ledger") -> None:
        self.ledger_comparisons += 1
        told = {k: (a.available_atoms, a.held_atoms) for k, a in self.model.accounts.items()}
        for key in told.keys() | ledger.balances.keys():
            if told.get(key, (0, 0)) != ledger.balances.get(key, (0, 0)):
                text = f"{key}: ledger {ledger.balances.get(key)}, events {told.get(key)} at seq {ledger.seq}"
                self.findings.add("broken", f"ledger = engine: {text}")
        open_orders = self.model.open_orders()
        counts = (len(open_orders), sum(o.held_atoms for o in open_orders), len(self.model.trades))
        if counts != ledger.counts:
            self.findings.add(
                "broken", f"open orders, holds, trades: ledger {ledger.counts}, events {counts}"
            )

    async def _reconcile(self) -> None:
        connection = await asyncpg.connect(self._database_dsn, timeout=CONNECT_DEADLINE_S)
        try:
            for breach in await reconcile(connection):
                self.findings.add("broken", f"{breach.check}: {breach.subject}: {breach.detail}")
        finally:
            await connection.close(timeout=CONNECT_DEADLINE_S)

    def _check_answer(self, name: str, order: PlacedOrder, is_cancel: bool) -> None:
        """The log holds what the client was told."""
        order_id = self.model.by_name.get((self._users[order.trader], name))
        found = None if order_id is None else self.model.orders[order_id]
        if is_cancel:
            self._check_cancel(name, order, found)
        elif order.outcome is Outcome.REFUSED:
            if found is not None:
                self.findings.add("doubled", f"{name} was refused with {order.answer}, and exists")
            elif order.answer.get("code") != STALE:
                # The load gives the exchange no other reason.
                self.findings.add("broken", f"{name} was refused: {order.answer}")
        elif found is None:
            self.findings.add("lost", f"{name} was acknowledged, and is not in the log: {order.answer}")
        else:
            self._check_order(name, order, found)

    def _check_order(self, name: str, order: PlacedOrder, found: ModelOrder) -> None:
        market = self.model.markets[found.market_id]
        same = (
            found.order_id == order.answer["orderId"]
            and market.symbol == order.symbol
            and (found.side == BUY) == (order.side == "BUY")
            and found.price_ticks == _ticks(self.model, market, order.price)
            and found.quantity_lots == _lots(self.model, market, order.quantity)
            and found.executed_lots >= _lots(self.model, market, Decimal(order.answer["executedQty"]))
            and (order.answer["status"] != "FILLED" or found.status == FILLED)
        )
        if not same:
            self.findings.add("lost", f"{name} was acknowledged as {order.answer} of {order}, is {found}")
        for fill in order.answer.get("fills", ()):
            trade = self.model.trades.get((found.market_id, fill["tradeId"]))
            if (
                trade is None
                or trade[0] != _ticks(self.model, market, Decimal(fill["price"]))
                or trade[1] != _lots(self.model, market, Decimal(fill["qty"]))
                or found.order_id not in trade[2:4]
            ):
                self.findings.add("lost", f"{name}: the acknowledged fill {fill} is {trade}")

    def _check_cancel(self, name: str, order: PlacedOrder, found: ModelOrder | None) -> None:
        if order.cancel is Outcome.ACKNOWLEDGED:
            if found is None or found.status != CANCELED:
                self.findings.add("lost", f"{name}: the cancel was acknowledged, and it is {found}")
                return
            executed = Decimal(order.cancel_answer["executedQty"])
            if found.executed_lots != _lots(self.model, self.model.markets[found.market_id], executed):
                self.findings.add("lost", f"{name}: cancelled with {executed} executed, is {found}")
            return
        code = order.cancel_answer.get("code")
        if code not in (UNKNOWN_ORDER, STALE):
            self.findings.add("broken", f"{name}: the cancel was refused: {order.cancel_answer}")
        # "Unknown order" to somebody whose order was acknowledged: only a fill can have come before.
        if code == UNKNOWN_ORDER and order.outcome is Outcome.ACKNOWLEDGED and not _is_filled(found):
            self.findings.add("lost", f"{name}: told that it is unknown, and it is {found}")


class _Ledger:
    """PostgreSQL at one moment. `counts`: open orders, their holds, trades."""

    def __init__(
        self, seq: int, balances: dict[tuple[int, int], tuple[int, int]], counts: tuple[int, int, int]
    ) -> None:
        self.seq = seq
        self.balances = balances
        self.counts = counts


def _is_filled(order: ModelOrder | None) -> bool:
    return order is not None and order.status == FILLED


def _ticks(model: Model, market: MarketRegistered, price: Decimal) -> Decimal:
    quote = next(a for a in model.assets.values() if a.asset_id == market.quote_asset_id)
    return price.scaleb(quote.decimals) / market.tick_atoms


def _lots(model: Model, market: MarketRegistered, quantity: Decimal) -> Decimal:
    base = next(a for a in model.assets.values() if a.asset_id == market.base_asset_id)
    return quantity.scaleb(base.decimals) / market.lot_atoms
