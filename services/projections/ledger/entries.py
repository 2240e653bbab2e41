"""From an event to double entries: pure, and the only place that says which money an event moves.

The movements themselves stand in the docstrings of `exchange.contracts.events`. The entries of one
event sum to zero for each asset (invariant I4); an entry of zero is not written.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from exchange.contracts.codec import CommandOutcome
from exchange.contracts.codes import BUY
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
from exchange.contracts.limits import ENTRIES_PER_ORDER_EVENT_MAX, ENTRIES_PER_TRADE_MAX
from exchange.contracts.order_events import (
    OrderAmended,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderFunded,
    PendingOrderPlaced,
    SelfTradeDecremented,
)

__all__ = [
    "AVAILABLE",
    "EXCHANGE_USER_ID",
    "FEES",
    "HELD",
    "OUTSIDE",
    "Entry",
    "MarketAssets",
    "UnknownMarketError",
    "entries_max_of",
    "entries_of",
]

# Buckets. The first two belong to traders, the others to the exchange.
AVAILABLE: Final = 1
HELD: Final = 2
FEES: Final = 3
OUTSIDE: Final = 4
EXCHANGE_USER_ID: Final = 0

ORDER_HOLD: Final = "ORDER_HOLD"
ORDER_RELEASE: Final = "ORDER_RELEASE"
TRADE: Final = "TRADE"
FEE: Final = "FEE"
DEPOSIT: Final = "DEPOSIT"
WITHDRAWAL_RESERVE: Final = "WITHDRAWAL_RESERVE"
WITHDRAWAL_SETTLE: Final = "WITHDRAWAL_SETTLE"
WITHDRAWAL_RELEASE: Final = "WITHDRAWAL_RELEASE"

# Events that move money between more than two buckets.
_OF_SEVERAL_MOVES: Final = (TradeExecuted, OrderTriggered, SelfTradeDecremented)


class UnknownMarketError(Exception):
    """An event names a market that no event before it registered: the log or the tables are wrong."""


class MarketAssets(NamedTuple):
    """The two assets of a market."""

    base_asset_id: int
    quote_asset_id: int


class Entry(NamedTuple):
    """One line of the ledger. `user_id` is 0 in the exchange's own buckets; the amount has a sign.

    `reference`: order:<order_id>, trade:<market_id>:<trade_id>, deposit:<id> or withdrawal:<id>.
    """

    user_id: int
    asset_id: int
    bucket: int
    amount_atoms: int
    kind: str
    reference: str


def entries_of(event: Event, markets: Mapping[int, MarketAssets]) -> list[Entry]:
    """The entries of one event, none for events that move no money. Raises UnknownMarketError."""
    if isinstance(event, TradeExecuted):
        return _trade(event, _market(event.market_id, markets))
    if isinstance(event, OrderAccepted):
        asset_id = _hold_asset(event.side, _market(event.market_id, markets))
        reference = f"order:{event.order_id}"
        return _move(event.user_id, asset_id, AVAILABLE, HELD, event.held_atoms, ORDER_HOLD, reference)
    if isinstance(event, OrderClosed):
        asset_id = _hold_asset(event.side, _market(event.market_id, markets))
        reference = f"order:{event.order_id}"
        return _move(event.user_id, asset_id, HELD, AVAILABLE, event.released_atoms, ORDER_RELEASE, reference)
    if isinstance(event, (OrderWithTermsAccepted, PendingOrderPlaced)):
        return _of_order(event.order_id, event, markets, event.held_atoms)
    if isinstance(event, PendingOrderFunded):
        # It takes or gives back, never both.
        return _of_order(event.order_id, event, markets, event.held_atoms - event.released_atoms)
    if isinstance(event, OrderTriggered):
        held = _of_order(event.order_id, event, markets, event.held_atoms)
        return held + _of_order(event.order_id, event, markets, -event.released_atoms)
    if isinstance(event, OrderAmended):
        return _of_order(event.order_id, event, markets, -event.released_atoms)
    if isinstance(event, SelfTradeDecremented):
        return _decrement(event, _market(event.market_id, markets))
    if isinstance(event, DepositCredited):
        reference = f"deposit:{event.deposit_id}"
        return _move(
            event.user_id, event.asset_id, OUTSIDE, AVAILABLE, event.amount_atoms, DEPOSIT, reference
        )
    if isinstance(event, WithdrawalReserved):
        return _withdrawal(event, AVAILABLE, HELD, WITHDRAWAL_RESERVE)
    if isinstance(event, WithdrawalSettled):
        return _withdrawal(event, HELD, OUTSIDE, WITHDRAWAL_SETTLE)
    if isinstance(event, WithdrawalReleased):
        return _withdrawal(event, HELD, AVAILABLE, WITHDRAWAL_RELEASE)
    return []


def entries_max_of(outcome: CommandOutcome) -> int:
    """No fewer entries than the outcome's events can have together; cheap, for cutting batches."""
    several = sum(isinstance(recorded.event, _OF_SEVERAL_MOVES) for recorded in outcome.events)
    others = len(outcome.events) - several
    return several * ENTRIES_PER_TRADE_MAX + others * ENTRIES_PER_ORDER_EVENT_MAX


def _market(market_id: int, markets: Mapping[int, MarketAssets]) -> MarketAssets:
    try:
        return markets[market_id]
    except KeyError:
        raise UnknownMarketError(f"market {market_id} was never registered") from None


def _hold_asset(side: int, market: MarketAssets) -> int:
    return market.quote_asset_id if side == BUY else market.base_asset_id


def _move(
    user_id: int, asset_id: int, source: int, target: int, amount_atoms: int, kind: str, reference: str
) -> list[Entry]:
    if amount_atoms == 0:
        return []
    source_user = EXCHANGE_USER_ID if source in (FEES, OUTSIDE) else user_id
    target_user = EXCHANGE_USER_ID if target in (FEES, OUTSIDE) else user_id
    return [
        Entry(source_user, asset_id, source, -amount_atoms, kind, reference),
        Entry(target_user, asset_id, target, amount_atoms, kind, reference),
    ]


def _of_order(
    order_id: int,
    event: OrderWithTermsAccepted | PendingOrderPlaced | PendingOrderFunded | OrderTriggered | OrderAmended,
    markets: Mapping[int, MarketAssets],
    held_atoms: int,
) -> list[Entry]:
    """What an order holds from now on; negative: what it gives back."""
    asset_id = _hold_asset(event.side, _market(event.market_id, markets))
    reference = f"order:{order_id}"
    if held_atoms < 0:
        return _move(event.user_id, asset_id, HELD, AVAILABLE, -held_atoms, ORDER_RELEASE, reference)
    return _move(event.user_id, asset_id, AVAILABLE, HELD, held_atoms, ORDER_HOLD, reference)


def _decrement(event: SelfTradeDecremented, market: MarketAssets) -> list[Entry]:
    taker_asset = _hold_asset(event.taker_side, market)
    maker_asset = market.base_asset_id if event.taker_side == BUY else market.quote_asset_id
    entries = []
    for asset_id, order_id, released_atoms in (
        (taker_asset, event.taker_order_id, event.taker_released_atoms),
        (maker_asset, event.maker_order_id, event.maker_released_atoms),
    ):
        reference = f"order:{order_id}"
        entries += _move(event.user_id, asset_id, HELD, AVAILABLE, released_atoms, ORDER_RELEASE, reference)
    return entries


def _withdrawal(
    event: WithdrawalReserved | WithdrawalSettled | WithdrawalReleased, source: int, target: int, kind: str
) -> list[Entry]:
    reference = f"withdrawal:{event.withdrawal_id}"
    return _move(event.user_id, event.asset_id, source, target, event.amount_atoms, kind, reference)


def _trade(event: TradeExecuted, market: MarketAssets) -> list[Entry]:
    base, quote = market
    buyer, seller = event.buyer_user_id, event.seller_user_id
    reference = f"trade:{event.market_id}:{event.trade_id}"
    entries = [
        Entry(buyer, quote, HELD, -event.quote_atoms, TRADE, reference),
        Entry(seller, quote, AVAILABLE, event.quote_atoms, TRADE, reference),
        Entry(seller, base, HELD, -event.base_atoms, TRADE, reference),
        Entry(buyer, base, AVAILABLE, event.base_atoms, TRADE, reference),
    ]
    # Fees are lines of their own, so that a statement shows what was traded and what it cost.
    entries += _move(buyer, base, AVAILABLE, FEES, event.buyer_fee_atoms, FEE, reference)
    entries += _move(seller, quote, AVAILABLE, FEES, event.seller_fee_atoms, FEE, reference)
    if isinstance(event, TradeExecutedWithDiscount):
        asset_id = event.discount_asset_id
        entries += _move(buyer, asset_id, AVAILABLE, FEES, event.buyer_discount_fee_atoms, FEE, reference)
        entries += _move(seller, asset_id, AVAILABLE, FEES, event.seller_discount_fee_atoms, FEE, reference)
    entries += _move(buyer, quote, HELD, AVAILABLE, event.buyer_released_atoms, ORDER_RELEASE, reference)
    return entries
