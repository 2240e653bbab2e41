"""What the user service learns from the event log: assets, and how far each user's money has moved."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.events import (
    AssetRegistered,
    DepositCredited,
    Event,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.order_events import (
    OrderAmended,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderFunded,
    PendingOrderPlaced,
    SelfTradeDecremented,
)
from exchange.log.event_tail import EventTail
from services.user.tables.ledger import Asset

__all__ = ["EventFollower"]

_USERS_MAX: Final = 100_000
_OF_ONE_USER: Final = (
    OrderAccepted,
    OrderClosed,
    DepositCredited,
    WithdrawalReserved,
    WithdrawalReleased,
    WithdrawalSettled,
    OrderWithTermsAccepted,
    OrderTriggered,
    PendingOrderFunded,
    PendingOrderPlaced,
    OrderAmended,
    SelfTradeDecremented,
)


class EventFollower:
    """Reads the tail; remembers of the users seen last which event moved their money last.

    `tail` starts where the ledger stands, so what lies before it has been projected already.
    """

    def __init__(self, tail: EventTail, assets: Iterable[Asset]) -> None:
        self._tail = tail
        self._by_code = {asset.code: asset for asset in assets}
        self._by_id = {asset.asset_id: asset for asset in self._by_code.values()}
        self._last_seqs: OrderedDict[int, int] = OrderedDict()
        self._seq_of_others = tail.position.seq
        self._moved = asyncio.Condition()
        # The highest numbers of transfers that were read.
        self.deposit_id = self.withdrawal_id = 0

    async def read(self, timeout_ms: int) -> list[CommandOutcome]:
        """The next outcomes, remembered. Raises as EventTail.read does."""
        outcomes = await self._tail.read(timeout_ms)
        for outcome in outcomes:
            for recorded in outcome.events:
                self._remember(recorded.seq, recorded.event)
        async with self._moved:
            self._moved.notify_all()
        return outcomes

    def _remember(self, seq: int, event: Event) -> None:
        if isinstance(event, TradeExecuted):
            self._touch(event.buyer_user_id, seq)
            self._touch(event.seller_user_id, seq)
        elif isinstance(event, _OF_ONE_USER):
            self._touch(event.user_id, seq)
            if isinstance(event, DepositCredited):
                self.deposit_id = max(self.deposit_id, event.deposit_id)
            elif isinstance(event, WithdrawalReserved):
                self.withdrawal_id = max(self.withdrawal_id, event.withdrawal_id)
        elif isinstance(event, AssetRegistered):
            asset = Asset(event.asset_id, event.code, event.decimals)
            self._by_code[asset.code] = self._by_id[asset.asset_id] = asset

    def _touch(self, user_id: int, seq: int) -> None:
        self._last_seqs[user_id] = seq
        self._last_seqs.move_to_end(user_id)
        if len(self._last_seqs) > _USERS_MAX:
            # Whoever is forgotten is from now on taken for as late as the latest that was forgotten.
            self._seq_of_others = self._last_seqs.popitem(last=False)[1]

    async def has_read_to(self, offset: int) -> None:
        """Return when every record before `offset` has been read. The caller sets the deadline."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._tail.position.next_offset >= offset)

    def last_seq_of(self, user_id: int) -> int:
        """Seq of the last event read that moved this user's money; never too low, seldom too high."""
        return max(self._last_seqs.get(user_id, 0), self._seq_of_others)

    def asset(self, code: str) -> Asset | None:
        """The asset called `code`."""
        return self._by_code.get(code)

    def asset_by_id(self, asset_id: int) -> Asset:
        """The asset with this id. Raises KeyError."""
        return self._by_id[asset_id]
