"""User data streams: who wants which user's events, and their delivery.

Subscriptions of the WebSocket API get events at once, through a callback that must not block. Users with
a legacy listen key get them on the Redis channel `user_data:{key}` as `{"seq": n, "event": {...}}`, which
the market-data service delivers. That `seq` grows strictly for each user (ten times the event's seq plus
the place among that event's messages), and is the same from every replica, so a reader that keeps only
growing numbers drops the copies of other replicas.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import orjson
import redis.asyncio
import redis.exceptions
from prometheus_client import Counter

from exchange.contracts import codes, limits
from exchange.contracts.codec import CommandOutcome, RecordedEvent
from exchange.contracts.events import (
    DepositCredited,
    Event,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.contracts.order_events import (
    OrderAmended,
    OrderListDone,
    OrderListPlaced,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderPlaced,
    SelfTradeDecremented,
)
from services.order.decisions.engine_link import EngineLink
from services.order.shapes.order_lists import ALL_DONE, EXEC_STARTED, UPDATED
from services.order.shapes.prevention import PreventedMatch, decrement, prevented_match
from services.order.user_data.events import (
    Moment,
    Shape,
    account_position,
    balance_update,
    list_status,
    order_amended,
    order_closed,
    order_decremented,
    order_new,
    order_trade,
)
from services.order.user_data.listen_keys import ListenKeys, channel_of
from services.order.view.records import OrderRecord

__all__ = ["Subscription", "UserDataHub"]

logger = logging.getLogger(__name__)
# Made once: a union of types is made anew each time that it is asked for.
_ACCEPTED: Final = (OrderAccepted, OrderWithTermsAccepted)
_COMES_TO_WORK: Final = (OrderTriggered, PendingOrderPlaced)
_WAITS_OR_COMES_BACK: Final = (WithdrawalReserved, WithdrawalReleased)
PENDING_MAX: Final = limits.LISTEN_KEY_MESSAGES_WAITING_MAX
BATCH_MAX: Final = 1_000
# On which the readers hear that something was dropped; they end the streams, and clients ask for their state.
LOST_CHANNEL: Final = "user_data:lost"
FLUSH_EVERY_S: Final = 0.02
REFRESH_EVERY_S: Final = 5.0
MESSAGES_PER_SEQ: Final = 10
_dropped = Counter(
    "exchange_order_user_data_dropped_total", "User data messages for listen keys that were not published"
)


class Subscription:
    """One connection's interest in one user. `deliver` gets each event's JSON and must not block."""

    def __init__(self, user_id: int, unit: int, deliver: Callable[[bytes], None]) -> None:
        self.user_id = user_id
        self.unit = unit
        self.deliver = deliver


class UserDataHub:
    """Turns events into user data messages. Call `observe` after each event has gone to the view, and
    `finish` after the last of an outcome."""

    def __init__(self, engine: EngineLink, listen_keys: ListenKeys, cache: "redis.asyncio.Redis") -> None:
        self._engine = engine
        self._listen_keys = listen_keys
        self._cache = cache
        self._subscriptions: dict[int, list[Subscription]] = {}
        self._touched: dict[int, dict[int, None]] = {}
        self._pending: deque[tuple[int, int, bytes]] = deque()
        self._seq = 0
        self._sent_at_seq: dict[int, int] = {}
        # The newest match that made two orders smaller: an order that it has ended is told of it.
        self._decrement: PreventedMatch | None = None
        # Whether something was dropped of which the listeners have not been told.
        self._has_lost = False

    def subscribe(self, subscription: Subscription) -> None:
        """Deliver from the next event on."""
        self._subscriptions.setdefault(subscription.user_id, []).append(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Deliver no more."""
        subscriptions = self._subscriptions.get(subscription.user_id, [])
        if subscription in subscriptions:
            subscriptions.remove(subscription)
        if not subscriptions:
            self._subscriptions.pop(subscription.user_id, None)

    def observe(self, outcome: CommandOutcome, recorded: RecordedEvent) -> None:
        """Report one event that the view has just taken."""
        if not self._subscriptions and not self._listen_keys.are_in_use:
            return
        event, moment = recorded.event, Moment(recorded.seq, outcome.time_ms)
        if isinstance(event, _ACCEPTED):
            self._report(event.user_id, event.order_id, event.market_id, event, moment)
        elif isinstance(event, TradeExecuted):
            taker_first = event.taker_side == 1
            buyer = (event.buyer_user_id, event.buyer_order_id)
            seller = (event.seller_user_id, event.seller_order_id)
            for user_id, order_id in (buyer, seller) if taker_first else (seller, buyer):
                self._report(user_id, order_id, event.market_id, event, moment)
        elif isinstance(event, OrderClosed):
            self._report(event.user_id, event.order_id, event.market_id, event, moment)
        elif isinstance(event, DepositCredited):
            self._changed(event.user_id, event.asset_id, event.amount_atoms, moment)
        elif isinstance(event, WithdrawalSettled):
            self._changed(event.user_id, event.asset_id, -event.amount_atoms, moment)
        elif isinstance(event, _WAITS_OR_COMES_BACK):
            self._changed(event.user_id, event.asset_id, 0, moment)
        else:
            self._observe_terms(outcome, event, moment)

    def _observe_terms(self, outcome: CommandOutcome, event: Event, moment: Moment) -> None:
        """Events of orders that are more than plain ones."""
        if isinstance(event, _COMES_TO_WORK):
            self._report(event.user_id, event.order_id, event.market_id, event, moment)
        elif isinstance(event, OrderAmended):
            self._report(event.user_id, event.order_id, event.market_id, event, moment)
            view = self._engine.view
            order = view.order(event.order_id)
            one = None if order is None else view.lists.get(order.order_list_id)
            # A list is told of while it holds its orders together, and where a name in it is new.
            if one is not None and not one.done_ms and event.client_order_id != view.name_before(moment.seq):
                self._report_list(event.user_id, one.order_list_id, UPDATED, moment)
        elif isinstance(event, SelfTradeDecremented):
            self._decrement = decrement(event, moment.seq, moment.time_ms)
            for order_id in (event.taker_order_id, event.maker_order_id):
                order = self._engine.view.order(order_id)
                # Who has nothing left is told of its end, which is the next event.
                if order is not None and order.open_lots:
                    self._report(event.user_id, order_id, event.market_id, event, moment)
        elif isinstance(event, OrderListPlaced):
            # Its orders are told next; the list says already which they are.
            orders = {
                accepted.order_id: accepted.client_order_id
                for accepted in (recorded.event for recorded in outcome.events)
                if isinstance(accepted, OrderWithTermsAccepted)
                and accepted.order_list_id == event.order_list_id
            }
            self._report_list(event.user_id, event.order_list_id, EXEC_STARTED, moment, orders)
        elif isinstance(event, OrderListDone):
            self._report_list(event.user_id, event.order_list_id, ALL_DONE, moment)

    def finish(self, outcome: CommandOutcome) -> None:
        """Report the balances that the outcome may have changed, once for each user."""
        if not self._touched:
            return
        moment = Moment(outcome.events[-1].seq, outcome.time_ms)
        touched, self._touched = self._touched, {}
        for user_id, asset_ids in touched.items():
            build = partial(account_position, self._engine.view, user_id, list(asset_ids), moment)
            self._emit(user_id, moment, build)

    def _report(self, user_id: int, order_id: int, market_id: int, event: Event, moment: Moment) -> None:
        if not self._is_wanted(user_id):
            return
        view = self._engine.view
        market, order = view.markets[market_id], view.order(order_id)
        assert order is not None, "the view has just taken an event of this order"
        prevented: PreventedMatch | None = None
        if isinstance(event, OrderClosed):
            prevented = prevented_match(view, event)
        decremented = self._decrement if _ends_decremented(order, event) else None

        def build(unit: int) -> Shape:
            if isinstance(event, TradeExecuted):
                return order_trade(view, market, order, event, moment, unit)
            if decremented is not None:
                return order_decremented(market, order, decremented, moment, unit)
            if isinstance(event, OrderClosed):
                return order_closed(market, order, event, prevented, moment, unit)
            if isinstance(event, OrderAmended):
                return order_amended(market, order, view.name_before(moment.seq), moment, unit)
            return order_new(market, order, moment, unit)

        self._emit(user_id, moment, build)
        touched = self._touched.setdefault(user_id, {})
        touched[market.base.asset_id] = touched[market.quote.asset_id] = None
        if isinstance(event, TradeExecutedWithDiscount):
            touched[event.discount_asset_id] = None

    def _report_list(
        self,
        user_id: int,
        order_list_id: int,
        status_type: str,
        moment: Moment,
        orders: dict[int, str] | None = None,
    ) -> None:
        """`orders`: its orders, where the view does not know them yet."""
        if not self._is_wanted(user_id):
            return
        one = self._engine.view.lists.get(order_list_id)
        assert one is not None, "the view has just taken an event of this list"
        if orders is not None:
            one = replace(one, orders=orders)
        market = self._engine.view.markets[one.market_id]
        self._emit(user_id, moment, partial(list_status, market, one, status_type, moment))

    def _changed(self, user_id: int, asset_id: int, delta_atoms: int, moment: Moment) -> None:
        if not self._is_wanted(user_id):
            return
        if delta_atoms:
            build = partial(balance_update, self._engine.view, asset_id, delta_atoms, moment)
            self._emit(user_id, moment, build)
        self._touched.setdefault(user_id, {})[asset_id] = None

    def _is_wanted(self, user_id: int) -> bool:
        return self._listen_keys.are_in_use or user_id in self._subscriptions

    def _emit(self, user_id: int, moment: Moment, build: Callable[[int], Shape]) -> None:
        """Encode once for each unit that somebody wants, and hand over."""
        encoded: dict[int, bytes] = {}
        # A copy: delivering to a full queue cuts that connection, which takes it off the list.
        for subscription in tuple(self._subscriptions.get(user_id, ())):
            unit = subscription.unit
            if unit not in encoded:
                encoded[unit] = orjson.dumps(build(unit))
            subscription.deliver(encoded[unit])
        if not self._listen_keys.are_in_use:
            return
        if self._seq != moment.seq:
            self._seq = moment.seq
            self._sent_at_seq.clear()
        place = self._sent_at_seq.get(user_id, 0)
        self._sent_at_seq[user_id] = place + 1
        if len(self._pending) >= PENDING_MAX:
            self._has_lost = True
            _dropped.inc()
            return
        event_json = encoded.get(1) or orjson.dumps(build(1))
        self._pending.append((user_id, moment.seq * MESSAGES_PER_SEQ + place, event_json))

    # -- legacy listen keys -------------------------------------------------------------------

    async def run(self, deadline_s: float) -> None:
        """Publish what is pending until cancelled. Redis may be away: then messages are dropped."""
        loop = asyncio.get_running_loop()
        refresh_at = 0.0
        while True:
            try:
                async with asyncio.timeout(deadline_s):
                    if loop.time() >= refresh_at:
                        refresh_at = loop.time() + REFRESH_EVERY_S
                        await self._listen_keys.refresh()
                    if self._has_lost:
                        await self._cache.publish(LOST_CHANNEL, b"")
                        self._has_lost = False
                    if self._pending:
                        await self._publish()
            except (redis.exceptions.RedisError, OSError) as error:  # TimeoutError is an OSError
                logger.warning("user data of listen keys not published: %s", error)
                # What was taken to be published may have been lost, too.
                self._has_lost = True
                _dropped.inc(len(self._pending))
                self._pending.clear()
                await asyncio.sleep(1.0)
            if len(self._pending) < BATCH_MAX:
                await asyncio.sleep(FLUSH_EVERY_S)

    async def _publish(self) -> None:
        batch = [self._pending.popleft() for _ in range(min(BATCH_MAX, len(self._pending)))]
        keys = await self._listen_keys.keys_of(sorted({user_id for user_id, _, _ in batch}))
        if not keys:
            return
        pipeline = self._cache.pipeline(transaction=False)
        for user_id, seq, event_json in batch:
            key = keys.get(user_id)
            if key is not None:
                # Not `publish`, which redis-py keeps out of a cluster's pipeline, though any node takes it.
                message = b'{"seq":%d,"event":%b}' % (seq, event_json)
                pipeline.execute_command("PUBLISH", channel_of(key), message)
        await pipeline.execute()


def _ends_decremented(order: OrderRecord, event: Event) -> bool:
    """Whether the event tells of a decrement: its own, or the end of an order that has none left."""
    if isinstance(event, SelfTradeDecremented):
        return True
    return (
        isinstance(event, OrderClosed)
        and event.reason == codes.CLOSED_SELF_TRADE
        and order.prevented_lots > 0
        and not order.open_lots
    )
