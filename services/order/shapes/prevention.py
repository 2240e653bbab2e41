"""Self-trades that were prevented (binance-spot-api 2.8): a match of two orders of one account that was none.

Of a match that ended an order everything follows from the orders themselves. The newer of the two is the
taker, and its mode says which of them has ended. A match that made both orders smaller (DECREMENT) is an
event of its own.

Each is named by the seq of the event that first told of it, so ids rise in time, and are the same on every
replica and in the ledger.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.events import OrderAccepted, OrderClosed
from exchange.contracts.order_events import OrderWithTermsAccepted, SelfTradeDecremented
from services.order.view.model import AccountView, Market, OrderRecord

__all__ = [
    "NO_TRADE_GROUP",
    "PreventedMatch",
    "add_prevention",
    "decrement",
    "decrement_match",
    "match_row",
    "matches_of_orders",
    "prevented_match",
    "prevented_matches_of_taker",
    "prevented_quantities",
]

# No account here belongs to a group of accounts that may not trade with each other.
NO_TRADE_GROUP: Final = -1
_STP_MODES: Final = codes.STP_NAMES | codes.STP_DECREMENTING_NAMES
_ENDS_MAKER: Final = (codes.STP_EXPIRE_MAKER, codes.STP_EXPIRE_BOTH)
_ENDS_TAKER: Final = (codes.STP_EXPIRE_TAKER, codes.STP_EXPIRE_BOTH)


class PreventedMatch(NamedTuple):
    """One prevented match. `stp_mode`: the taker's. `price_ticks`: the maker's, at which it would have been.

    `match_lots` is what would have been traded; `taker_lots` and `maker_lots` are what ended of each, 0 where
    nothing did.
    """

    match_id: int
    taker_order_id: int
    maker_order_id: int
    stp_mode: int
    price_ticks: int
    match_lots: int
    taker_lots: int
    maker_lots: int
    time_ms: int


def _match(closed: OrderRecord, counter: OrderRecord) -> PreventedMatch:
    taker, maker = (closed, counter) if closed.order_id > counter.order_id else (counter, closed)
    taker_lots, maker_lots = (order.open_lots for order in (taker, maker))
    mode = taker.stp_mode
    return PreventedMatch(
        closed.prevented_match_id,
        taker.order_id,
        maker.order_id,
        mode,
        maker.price_ticks,
        min(taker_lots, maker_lots),
        taker_lots if mode in _ENDS_TAKER else 0,
        maker_lots if mode in _ENDS_MAKER else 0,
        closed.updated_ms,
    )


def prevented_match(view: AccountView, event: OrderClosed) -> PreventedMatch | None:
    """The match whose prevention this event tells of, None if of none; the view is as right after it."""
    if event.reason != codes.CLOSED_SELF_TRADE or not event.counter_order_id:
        return None
    closed, counter = view.order(event.order_id), view.order(event.counter_order_id)
    assert closed is not None, "the view has just taken its event"
    assert counter is not None, "it ended not earlier than in the same outcome"
    # An order of which nothing was left has ended by decrements, and those have been told.
    return _match(closed, counter) if closed.open_lots else None


def decrement(event: SelfTradeDecremented, seq: int, time_ms: int) -> PreventedMatch:
    """The match that made both its orders smaller."""
    lots = event.prevented_lots
    return decrement_match(seq, event.taker_order_id, event.maker_order_id, event.price_ticks, lots, time_ms)


def decrement_match(
    seq: int, taker_order_id: int, maker_order_id: int, price_ticks: int, lots: int, time_ms: int
) -> PreventedMatch:
    """The same, from what the ledger keeps of it."""
    return PreventedMatch(
        seq,
        taker_order_id,
        maker_order_id,
        codes.STP_DECREMENT,
        price_ticks,
        lots,
        lots,
        lots,
        time_ms,
    )


def matches_of_orders(closed: Iterable[OrderRecord], counters: Iterable[OrderRecord]) -> list[PreventedMatch]:
    """The matches that have ended these orders, ascending by id; what ended both orders is one match."""
    by_id = {order.order_id: order for order in counters}
    found = {
        order.prevented_match_id: _match(order, by_id[order.counter_order_id])
        for order in closed
        if order.counter_order_id in by_id and order.open_lots
    }
    return [found[match_id] for match_id in sorted(found)]


def prevented_matches_of_taker(
    view: AccountView,
    outcome: CommandOutcome,
    accepted: OrderAccepted | OrderWithTermsAccepted,
    executed_lots: int,
) -> list[PreventedMatch]:
    """What was prevented while an order was placed, in the order in which it was.

    `executed_lots`: of the order, in this outcome.
    """
    mode, taker_id = accepted.stp_mode, accepted.order_id
    taker_lots = accepted.quantity_lots - executed_lots if mode in _ENDS_TAKER else 0
    found: list[PreventedMatch] = []
    for recorded in outcome.events:
        event = recorded.event
        if isinstance(event, SelfTradeDecremented) and event.taker_order_id == taker_id:
            found.append(decrement(event, recorded.seq, outcome.time_ms))
            continue
        if not isinstance(event, OrderClosed) or event.reason != codes.CLOSED_SELF_TRADE:
            continue
        # The outcome may tell of other takers, too: orders that this one has triggered. Who ended because
        # nothing was left of it has been told of by its decrement.
        if taker_id not in (event.order_id, event.counter_order_id) or mode in codes.STP_DECREMENTING_NAMES:
            continue
        if event.order_id != taker_id:
            # What it had left has left the book. `match_lots` is for the streams alone.
            price_ticks, maker_lots = event.price_ticks, event.unbooked_lots
        elif mode == codes.STP_EXPIRE_TAKER:
            maker = view.order(event.counter_order_id)
            price_ticks, maker_lots = maker.price_ticks if maker else 0, 0
        else:
            continue
        maker_id = event.counter_order_id if event.order_id == taker_id else event.order_id
        found.append(
            PreventedMatch(
                recorded.seq,
                taker_id,
                maker_id,
                mode,
                price_ticks,
                0,
                taker_lots,
                maker_lots,
                outcome.time_ms,
            )
        )
    return found


def add_prevention(shape: dict[str, object], market: Market, order: OrderRecord) -> None:
    """What the answer about an order tells of the prevention that has ended it; nothing if none has."""
    if order.counter_order_id and order.open_lots:
        shape["preventedMatchId"] = order.prevented_match_id
        shape["preventedQuantity"] = market.quantity_text(order.quantity_lots - order.executed_lots)
    elif order.prevented_lots:
        shape["preventedMatchId"] = order.decrement_seq
        shape["preventedQuantity"] = market.quantity_text(order.prevented_lots)


def match_row(market: Market, match: PreventedMatch, unit: int) -> dict[str, object]:
    """An element of /myPreventedMatches."""
    return {
        "symbol": market.rules.symbol,
        "preventedMatchId": match.match_id,
        "takerOrderId": match.taker_order_id,
        "makerSymbol": market.rules.symbol,
        "makerOrderId": match.maker_order_id,
        "tradeGroupId": NO_TRADE_GROUP,
        "selfTradePreventionMode": _STP_MODES[match.stp_mode],
        "price": market.price_text(match.price_ticks),
        **prevented_quantities(market, match),
        "transactTime": match.time_ms * unit,
    }


def prevented_quantities(market: Market, match: PreventedMatch) -> dict[str, str]:
    """What ended of each order, where something did."""
    shape = {}
    if match.taker_lots:
        shape["takerPreventedQuantity"] = market.quantity_text(match.taker_lots)
    if match.maker_lots:
        shape["makerPreventedQuantity"] = market.quantity_text(match.maker_lots)
    return shape
