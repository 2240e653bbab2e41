"""The rows of what only rules version 4 knows (format 5): terms, waiting orders, lists, what is due."""

from typing import Any

from exchange.contracts.codes import BUY, SELL
from matching_engine.core.engine import Engine
from matching_engine.core.market import Market
from matching_engine.core.order import Order, OrderList, Terms, Trader
from matching_engine.core.position import count_buy
from matching_engine.core.trailing import Trail, orders_of
from matching_engine.core.waiting import Reach, Stops, Waiting

ORDER_FIELDS = (
    "order_id",
    "user_id",
    "market_id",
    "client_order_id",
    "side",
    "price_ticks",
    "quantity_lots",
    "open_lots",
    "stp_mode",
    "held_atoms",
)
_TERMS_FIELDS = (
    "order_type",
    "time_in_force",
    "stop_price_ticks",
    "trailing_bips",
    "iceberg_lots",
    "peg_price_type",
    "peg_offset_levels",
    "state",
    "hold_ticks",
    "hidden_lots",
    "prevented_lots",
    "amends",
)


def order_from(row: list[Any], trader: Trader) -> Order:
    """The order that a row tells of its trader, on no book yet."""
    order_id, _, _, name, side, price_ticks, quantity_lots, open_lots, stp_mode, held_atoms = row
    return Order(order_id, name, side, price_ticks, quantity_lots, open_lots, stp_mode, held_atoms, trader)


def terms_row(terms: Terms) -> list[int]:
    """The terms of one order."""
    return [getattr(terms, name) for name in _TERMS_FIELDS]


def terms_from(row: list[int]) -> Terms:
    """The terms that a row tells."""
    return Terms(*row)


def waiting_row(market: Market, orders: list[Order]) -> list[Any]:
    """What waits in a market, [] if nothing ever did. `orders`: those of its lists that are pending."""
    waiting = market.waiting
    if waiting is None:
        return []
    return [
        [waiting.reach.low, waiting.reach.high, waiting.start_reach.low, waiting.start_reach.high],
        [[_order_row(order) for order in stops.orders()] for stops in _all_stops(waiting)],
        [_trail_row(waiting.trails.of(side)) for side in (BUY, SELL)],
        [order_list.order_list_id for order_list in waiting.due_lists if not order_list.is_done],
        [_order_row(order) for order in orders],
    ]


def _all_stops(waiting: Waiting) -> tuple[Stops, Stops, Stops, Stops]:
    return waiting.rising, waiting.falling, waiting.starts_rising, waiting.starts_falling


def _order_row(order: Order) -> list[Any]:
    assert order.terms is not None, "who waits has terms"
    return [[getattr(order, name) for name in ORDER_FIELDS], terms_row(order.terms)]


def _trail_row(trail: Trail) -> list[Any]:
    return [
        trail.next_number,
        [
            [
                segment.extreme_ticks,
                segment.number,
                int(segment.is_due),
                [_order_row(order) for order in orders_of(segment)],
            ]
            for segment in trail.segments()
        ],
    ]


def lists_row(engine: Engine) -> list[Any]:
    """The open lists, by id."""
    return [
        [
            order_list.order_list_id,
            order_list.user_id,
            order_list.market_id,
            order_list.list_client_order_id,
            order_list.contingency,
            0 if order_list.working is None else order_list.working.order_id,
            int(order_list.is_due),
            [order.order_id for order in order_list.orders],
        ]
        for _, order_list in sorted(engine.order_lists.items())
    ]


def pending_orders(engine: Engine) -> dict[int, list[Order]]:
    """market id -> the orders that are pending there, by id."""
    found: dict[int, list[Order]] = {}
    for _, order_list in sorted(engine.order_lists.items()):
        for order in order_list.orders:
            if order.level is None:
                found.setdefault(order.market_id, []).append(order)
    return found


def restore_waiting(engine: Engine, market: Market, row: list[Any]) -> None:
    """Put back what waited in a market."""
    if not row:
        return
    reaches, stops_rows, trail_rows, _, pending = row
    waiting = market.waits()
    _restore_reach(waiting.reach, reaches[0], reaches[1])
    _restore_reach(waiting.start_reach, reaches[2], reaches[3])
    for stops, order_rows in zip(_all_stops(waiting), stops_rows, strict=True):
        for order_row in order_rows:
            order = _restored(engine, market, order_row)
            assert order.terms is not None, "who waits has terms"
            stops.add(order, order.terms.stop_price_ticks)
    for side, trail_row in zip((BUY, SELL), trail_rows, strict=True):
        trail = waiting.trails.of(side)
        for extreme_ticks, number, is_due, order_rows in trail_row[1]:
            orders = [_restored(engine, market, order_row) for order_row in order_rows]
            trail.restore(extreme_ticks, number, bool(is_due), orders)
        trail.next_number = trail_row[0]
    for order_row in pending:
        _restored(engine, market, order_row)


def _restore_reach(reach: Reach, low: int, high: int) -> None:
    reach.low, reach.high = low, high


def _restored(engine: Engine, market: Market, row: list[Any]) -> Order:
    order_row, of_terms = row
    trader = engine.trader(market, order_row[1])
    engine.admit(market, trader)
    order = order_from(order_row, trader)
    terms = terms_from(of_terms)
    order.terms = terms
    engine.know(order, terms)
    return order


def restore_lists(engine: Engine, rows: list[Any], due: dict[int, list[int]]) -> None:
    """Put back the lists; their orders are there. `due`.

    Market id -> ids of lists in the order of their turns.
    """
    for list_id, user_id, market_id, name, contingency, working_id, is_due, order_ids in rows:
        order_list = OrderList(list_id, user_id, market_id, name, contingency)
        order_list.is_due = bool(is_due)
        for order_id in order_ids:
            order = engine.orders.get(order_id)
            assert order is not None, "an open list has open orders"
            assert order.terms is not None, "an order of a list has terms"
            order.terms.order_list = order_list
            order_list.orders.append(order)
            if order_id == working_id:
                order_list.working = order
        for order in order_list.orders:
            assert order.terms is not None, "an order of a list has terms"
            count_buy(order, order.terms)
        engine.know_list(order_list, engine.markets[market_id])
    for market_id, ids in due.items():
        waiting = engine.markets[market_id].waits()
        for list_id in ids:
            waiting.due_lists.append(engine.order_lists[list_id])
