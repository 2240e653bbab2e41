"""The order service in the simulated exchange: its real decisions and view over simulated logs and ledger.

Not in it: the doors (HTTP, signatures), user data streams, and the SQL behind the view and the history.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from exchange.contracts.codec import EMPTY_CHAIN_HASH
from exchange.contracts.errors import ApiError
from exchange.http.request_limits import RequestLimits
from exchange.log.barrier import OutcomeBarrier
from exchange.log.event_tail import EventTail, TailPosition
from exchange.log.gateway import CommandGateway
from exchange.process.components import Resources
from services.order.decisions.call import Call, Caller
from services.order.decisions.cancelling import Cancelling
from services.order.decisions.engine_link import EngineLink
from services.order.decisions.placing import Placing
from services.order.decisions.queries import Queries
from services.order.view.history import History
from services.order.view.model import AccountView, OrderRecord
from tests.simulation.adapters.ledger import LedgerPort
from tests.simulation.asking import Answers

__all__ = ["order_service"]

READ_TIMEOUT_MS = 500
TRADERS = 2
THINKING_S_MAX = 0.6
SYMBOL = "BTCUSDT"
CLOSED_ORDERS_MAX = 6
LAG_S_MAX = 1.5
# How often somebody asks for an order that he has not been answered yet.
IMPATIENCE = 0.3


class SimulatedHistory:
    """`History` over the simulated ledger: what is asked of it here."""

    def __init__(self, ledger: LedgerPort, now_s: Any) -> None:
        self._ledger = ledger
        self._now_s = now_s

    async def wait_for(self, seq: int) -> bool:
        """As History.wait_for."""
        give_up_s = self._now_s() + LAG_S_MAX
        while self._now_s() < give_up_s:
            position, _ = await self._ledger.resume(0)
            if seq <= position.seq:
                return True
            await asyncio.sleep(0.1)
        return False

    async def order(self, user_id: int, market_id: int, order_id: int) -> OrderRecord | None:
        """As History.order."""
        return _record(await self._ledger.order(user_id, market_id, order_id, None))

    async def order_by_client_id(self, user_id: int, market_id: int, name: str) -> OrderRecord | None:
        """As History.order_by_client_id."""
        return _record(await self._ledger.order(user_id, market_id, None, name))


def _record(row: Any) -> OrderRecord | None:
    if row is None:
        return None
    a = row.accepted
    return OrderRecord(
        a.order_id, a.user_id, a.market_id, a.client_order_id, a.side, a.order_type, a.time_in_force,
        a.price_ticks, a.quantity_lots, a.quote_quantity_atoms, a.stp_mode, row.executed_lots, 0,
        row.status, row.close_reason, 0, 0, 0, 0,
    )  # fmt: skip


class _Service:
    """One replica, from its start to its end."""

    def __init__(self, resources: Resources, ledger: LedgerPort, wall_ms: Any) -> None:
        loop = asyncio.get_running_loop()
        self._resources = resources
        self._wall_ms = wall_ms
        self.engine = EngineLink()
        self.is_open = asyncio.Event()
        # Names of orders that this process has taken and not answered.
        self._placing: set[str] = set()
        limits = RequestLimits(wall_ms, is_enforced=False)
        history = cast("History", SimulatedHistory(ledger, loop.time))
        self.placing = Placing(self.engine, limits)
        self.cancelling = Cancelling(self.engine)
        self.queries = Queries(self.engine, history, limits)
        self.now_s = loop.time

    async def run(self, answers: Answers, check: Any) -> None:
        """As OrderService: catch up, then follow, send and answer."""
        settings, clock_s = self._resources.settings, asyncio.get_running_loop().time
        reader = await self._resources.event_log.reader(0)
        tail = EventTail(reader, TailPosition(0, EMPTY_CHAIN_HASH, 0))
        gateway = CommandGateway(
            await self._resources.command_log.writer(),
            tick_ms=settings.command_tick_ms,
            deadline_ms=settings.command_deadline_ms,
            wait_max_ms=settings.command_wait_max_ms,
            sender="order",
            clock_s=clock_s,
        )
        view, barrier = AccountView(CLOSED_ORDERS_MAX), OutcomeBarrier(self._resources.command_log)
        end_offset = await self._resources.event_log.end_offset()
        while tail.position.next_offset < end_offset:
            outcomes = await tail.read(READ_TIMEOUT_MS)
            for outcome in outcomes:
                view.apply(outcome)
            barrier.saw(outcomes)
        self.engine.connect(view, gateway, barrier)
        async with asyncio.TaskGroup() as group:
            group.create_task(gateway.run(), name="gateway")
            group.create_task(self._follow(tail, gateway, barrier), name="outcomes")
            for number in range(TRADERS):
                group.create_task(self._trade(answers, check), name=f"asking {number}")

    async def _follow(self, tail: EventTail, gateway: CommandGateway, barrier: OutcomeBarrier) -> None:
        view = self.engine.view
        while True:
            if SYMBOL in view.market_by_symbol:
                self.is_open.set()
            outcomes = await tail.read(READ_TIMEOUT_MS)
            for outcome in outcomes:
                view.apply(outcome)
            if outcomes:
                self.engine.clock.saw(outcomes[-1].time_ms, self._wall_ms())
            barrier.saw(outcomes)
            gateway.resolve(outcomes)

    # -- traders --------------------------------------------------------------------------------

    async def _trade(self, answers: Answers, check: Any) -> None:
        await self.is_open.wait()
        steps = (
            (5.0, self._place),
            (5.0, self._ask),
            (2.0, self._cancel),
            (2.0, self._list),
        )
        while True:
            await asyncio.sleep(answers.random.random() * THINKING_S_MAX)
            if not answers.steps_left:
                continue
            answers.steps_left -= 1
            (step,) = answers.random.choices([s for _, s in steps], [weight for weight, _ in steps])
            await step(answers, check)

    async def _place(self, answers: Answers, check: Any) -> None:
        asked = answers.new_order()
        self._placing.add(asked.name)
        parameters = {
            "symbol": SYMBOL,
            "side": answers.random.choice(("BUY", "SELL")),
            "type": "LIMIT",
            "timeInForce": answers.random.choice(("GTC", "GTC", "IOC")),
            "price": f"{50_000 + answers.random.randint(-5, 5)}",
            "quantity": "0.01",
            "newClientOrderId": asked.name,
        }
        try:
            answer: Any = await self.placing.place(self._call(asked.user_id, parameters, asked.window_ms))
        except ApiError as error:
            code = error.code
            check(lambda: answers.refused(asked, code))
        else:
            check(lambda: answers.placed(asked, answer["orderId"]))
        finally:
            self._placing.discard(asked.name)

    async def _ask(self, answers: Answers, check: Any) -> None:
        asked = answers.any_order()
        if self._placing and answers.random.random() < IMPATIENCE:
            asked = answers.orders[answers.random.choice(sorted(self._placing))]
        if asked is None:
            return
        answers.questions += 1
        by = {"origClientOrderId": asked.name}
        if asked.order_id and answers.random.random() < 0.5:
            by = {"orderId": str(asked.order_id)}
        asked_s, is_own = self.now_s(), asked.name in self._placing
        try:
            answer: Any = await self.queries.order(self._call(asked.user_id, {"symbol": SYMBOL, **by}))
        except ApiError as error:
            if error.code == -2013:
                check(lambda: answers.missing(asked, asked_s, is_own=is_own))
        else:
            check(lambda: answers.placed(asked, answer["orderId"]))

    async def _cancel(self, answers: Answers, check: Any) -> None:
        asked = answers.any_order()
        if asked is None:
            return
        parameters = {"symbol": SYMBOL, "origClientOrderId": asked.name}
        try:
            await self.cancelling.cancel(self._call(asked.user_id, parameters, 500))
        except ApiError as error:
            code = error.code
            check(lambda: answers.cancel_refused(code))

    async def _list(self, answers: Answers, check: Any) -> None:
        user_id = answers.random.choice([asked.user_id for asked in answers.orders.values()] or [0])
        asked_s = self.now_s()
        mine = [asked for asked in answers.orders.values() if asked.user_id == user_id]
        open_before = {asked.name for asked in mine if answers.is_open(asked)}
        try:
            shown: Any = await self.queries.open_orders(self._call(user_id, {"symbol": SYMBOL}))
        except ApiError:
            return
        names = {order["clientOrderId"] for order in shown}
        check(lambda: answers.listed(user_id, names, asked_s, open_before))

    def _call(self, user_id: int, parameters: Mapping[str, str], window_ms: int = 5_000) -> Call:
        return Call(dict(parameters), Caller(user_id, "key", "HMAC", self._wall_ms() + window_ms), 1)


async def order_service(servers: Any, process: Any) -> None:
    """One order service and its traders."""
    loop = asyncio.get_running_loop()
    service = _Service(
        servers.resources(process), servers.ledger.of(process), lambda: servers.wall_ms(loop.time())
    )
    await service.run(servers.answers, servers.check)
