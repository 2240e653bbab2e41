"""The rows of orders, order lists, amendments and decrements that a batch writes.

A plain order writes the columns that it has always had; what orders with terms have beside them
(services/migrations/0017_orders_with_terms.sql) is written for those alone.
"""

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from exchange.contracts.codes import FILLED, PARTIALLY_FILLED, STATE_WAITING, STATE_WORKING
from exchange.contracts.events import OrderAccepted
from exchange.contracts.order_events import OrderWithTermsAccepted
from exchange.trading.trailing import follows_at_once
from services.projections.ledger.batch import LedgerBatch, OrderChange
from services.projections.ledger.statements import columns, copy, expect, text

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

__all__ = ["LEVELS_OF_OPEN_ORDERS", "write_orders"]

ORDER_COLUMNS: Final = columns(
    "order_id user_id market_id client_order_id side order_type time_in_force price_ticks quantity_lots "
    "quote_quantity_atoms stp_mode executed_lots executed_quote_atoms held_atoms status close_reason "
    "created_ms updated_ms working_ms counter_order_id prevented_lots decrement_seq"
)
TERM_COLUMNS: Final = columns(
    "order_list_id state stop_price_ticks trailing_bips trailing_ms iceberg_lots strategy_id strategy_type "
    "peg_price_type peg_offset_levels displayed_lots"
)
LIST_COLUMNS: Final = columns(
    "order_list_id user_id market_id list_client_order_id contingency created_ms done_ms"
)
AMENDMENT_COLUMNS: Final = columns(
    "order_id execution_id old_client_order_id new_client_order_id old_quantity_lots new_quantity_lots "
    "time_ms"
)
DECREMENT_COLUMNS: Final = columns(
    "seq user_id market_id taker_order_id maker_order_id price_ticks prevented_lots time_ms"
)
PREVENTED_COLUMNS: Final = columns("order_id counter_order_id match_id")
NOT_YET_MS: Final = -1

# What the book shows: all that is open of a plain order, an iceberg's slice, nothing of an order that waits.
LEVELS_OF_OPEN_ORDERS: Final = """
SELECT market_id, side, price_ticks,
       sum(coalesce(displayed_lots, quantity_lots - executed_lots - prevented_lots))::bigint AS lots
FROM orders WHERE status IN (1, 2) GROUP BY market_id, side, price_ticks
HAVING sum(coalesce(displayed_lots, quantity_lots - executed_lots - prevented_lots)) > 0
"""
_CHANGE_ORDERS: Final = f"""
UPDATE orders AS o SET
    executed_lots = o.executed_lots + c.executed_lots,
    executed_quote_atoms = o.executed_quote_atoms + c.executed_quote_atoms,
    held_atoms = o.held_atoms + c.held_atoms,
    status = CASE
        WHEN c.close_status > 0 THEN c.close_status
        WHEN o.executed_lots + c.executed_lots + o.prevented_lots = o.quantity_lots
            AND o.quantity_lots > 0 THEN {FILLED}
        WHEN o.executed_lots + c.executed_lots > 0 THEN {PARTIALLY_FILLED}
        ELSE o.status
    END,
    close_reason = c.close_reason,
    counter_order_id = c.counter_order_id,
    displayed_lots = o.displayed_lots + c.displayed_lots,
    updated_ms = c.time_ms
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::smallint[],
            $7::bigint[], $8::bigint[], $9::bigint[])
    AS c(order_id, executed_lots, executed_quote_atoms, held_atoms, close_status, close_reason,
         counter_order_id, displayed_lots, time_ms)
WHERE o.order_id = c.order_id
"""
# NULL of a difference: as it was.
_CHANGE_TERMS: Final = """
UPDATE orders AS o SET
    prevented_lots = o.prevented_lots + c.prevented_lots,
    decrement_seq = greatest(o.decrement_seq, c.decrement_seq),
    price_ticks = coalesce(c.price_ticks, o.price_ticks),
    state = coalesce(c.state, o.state),
    working_ms = coalesce(c.working_ms, o.working_ms),
    trailing_ms = CASE
        WHEN c.trailing_ms IS NULL AND o.trailing_bips > 0 AND o.stop_price_ticks = 0
            THEN coalesce(c.waits_since_ms, o.trailing_ms)
        ELSE coalesce(c.trailing_ms, o.trailing_ms)
    END,
    client_order_id = coalesce(c.client_order_id, o.client_order_id),
    quantity_lots = coalesce(c.quantity_lots, o.quantity_lots)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::bigint[],
            $7::bigint[], $8::text[], $9::bigint[], $10::bigint[])
    AS c(order_id, prevented_lots, decrement_seq, price_ticks, state, working_ms, trailing_ms,
         client_order_id, quantity_lots, waits_since_ms)
WHERE o.order_id = c.order_id
"""
_CHANGE_LISTS: Final = """
UPDATE order_lists AS l SET done_ms = c.done_ms
FROM unnest($1::bigint[], $2::bigint[]) AS c(order_list_id, done_ms)
WHERE l.order_list_id = c.order_list_id AND l.done_ms = 0
"""
_BEFORE_AMENDMENT: Final = """
SELECT order_id, client_order_id, quantity_lots FROM orders WHERE order_id = ANY($1::bigint[])
"""


async def write_orders(connection: "AnyConnection", batch: LedgerBatch) -> None:
    """Write all that the batch knows of orders. Raises LedgerError when a change finds no row."""
    # Before the orders themselves: it asks for what they were.
    await copy(connection, "order_amendments", AMENDMENT_COLUMNS, await _amendment_rows(connection, batch))
    plain, with_terms = [], []
    for order in batch.orders.values():
        if isinstance(order.accepted, OrderAccepted):
            plain.append(_plain_row(order))
        elif order.accepted is not None:
            with_terms.append(_row_with_terms(order))
    await copy(connection, "orders", ORDER_COLUMNS, plain)
    await copy(connection, "orders", (*ORDER_COLUMNS, *TERM_COLUMNS), with_terms)
    older = [(order_id, order) for order_id, order in batch.orders.items() if order.accepted is None]
    await _change_terms(connection, [(key, order) for key, order in older if not order.is_plain])
    if older:
        changed = await connection.execute(
            _CHANGE_ORDERS,
            [order_id for order_id, _ in older],
            [order.executed_lots for _, order in older],
            [order.executed_quote_atoms for _, order in older],
            [order.held_atoms for _, order in older],
            [order.close_status for _, order in older],
            [order.close_reason for _, order in older],
            [order.counter_order_id for _, order in older],
            [order.displayed_lots for _, order in older],
            [order.time_ms for _, order in older],
        )
        expect(changed, len(older), "orders that changed")
    await _write_lists(connection, batch)
    await copy(connection, "decrements", DECREMENT_COLUMNS, batch.decrements)
    ended = [(key, order.counter_order_id, order.match_id) for key, order in batch.orders.items()]
    await copy(connection, "prevented_ends", PREVENTED_COLUMNS, [row for row in ended if row[2]])


async def _change_terms(connection: "AnyConnection", older: list[tuple[int, OrderChange]]) -> None:
    """First: whether an order is filled follows from what it is then."""
    if not older:
        return
    changed = await connection.execute(
        _CHANGE_TERMS,
        [order_id for order_id, _ in older],
        [order.prevented_lots for _, order in older],
        [order.decrement_seq for _, order in older],
        [order.price_ticks for _, order in older],
        [order.state for _, order in older],
        [order.working_ms for _, order in older],
        [order.trailing_ms for _, order in older],
        [text(order.amended.client_order_id) if order.amended else None for _, order in older],
        [order.new_lots for _, order in older],
        [order.waits_since_ms for _, order in older],
    )
    expect(changed, len(older), "orders whose terms changed")


def _plain_row(order: OrderChange) -> tuple[Any, ...]:
    event = order.accepted
    assert event is not None
    return (
        event.order_id,
        event.user_id,
        event.market_id,
        text(order.amended.client_order_id if order.amended else event.client_order_id),
        event.side,
        event.order_type,
        event.time_in_force,
        event.price_ticks if order.price_ticks is None else order.price_ticks,
        order.quantity_lots(),
        event.quote_quantity_atoms,
        event.stp_mode,
        order.executed_lots,
        order.executed_quote_atoms,
        order.held_atoms,
        order.status(),
        order.close_reason,
        order.created_ms,
        order.time_ms,
        _working_ms(order),
        order.counter_order_id,
        order.prevented_lots,
        order.decrement_seq,
    )


def _working_ms(order: OrderChange) -> int:
    """When it went to work; NOT_YET_MS while it waits."""
    if order.working_ms is not None:
        return order.working_ms
    event = order.accepted
    has_waited = event is not None and not isinstance(event, OrderAccepted) and event.state != STATE_WORKING
    return NOT_YET_MS if has_waited else order.created_ms


def _trailing_ms(order: OrderChange, accepted: OrderWithTermsAccepted) -> int:
    """When it began to follow the price; NOT_YET_MS as long as it does not."""
    if order.trailing_ms is not None:
        return order.trailing_ms
    since_ms = order.created_ms if accepted.state == STATE_WAITING else order.waits_since_ms
    follows = follows_at_once(STATE_WAITING, accepted.trailing_bips, accepted.stop_price_ticks)
    return since_ms if follows and since_ms is not None else NOT_YET_MS


def _row_with_terms(order: OrderChange) -> tuple[Any, ...]:
    event = order.accepted
    assert event is not None
    assert not isinstance(event, OrderAccepted)
    return (
        *_plain_row(order),
        event.order_list_id,
        event.state if order.state is None else order.state,
        event.stop_price_ticks,
        event.trailing_bips,
        _trailing_ms(order, event),
        event.iceberg_lots,
        event.strategy_id,
        event.strategy_type,
        event.peg_price_type,
        event.peg_offset_levels,
        order.displayed_lots,
    )


async def _write_lists(connection: "AnyConnection", batch: LedgerBatch) -> None:
    rows = [
        (
            event.order_list_id,
            event.user_id,
            event.market_id,
            text(event.list_client_order_id),
            event.contingency,
            time_ms,
            batch.done_lists.get(event.order_list_id, 0),
        )
        for event, time_ms in batch.new_lists.values()
    ]
    await copy(connection, "order_lists", LIST_COLUMNS, rows)
    older = {key: time_ms for key, time_ms in batch.done_lists.items() if key not in batch.new_lists}
    if older:
        changed = await connection.execute(_CHANGE_LISTS, list(older), list(older.values()))
        expect(changed, len(older), "lists that ended")


async def _amendment_rows(connection: "AnyConnection", batch: LedgerBatch) -> list[tuple[Any, ...]]:
    """Each amendment with what the order was before it."""
    if not batch.amendments:
        return []
    before: dict[int, tuple[str, int]] = {}
    older = []
    for event, _, _ in batch.amendments:
        order = batch.orders[event.order_id]
        if order.accepted is None:
            older.append(event.order_id)
        else:
            # An order whose quantity was bought for it in this batch had that before it was amended.
            lots = order.funded_lots or order.accepted.quantity_lots
            before[event.order_id] = (text(order.accepted.client_order_id), lots)
    for row in await connection.fetch(_BEFORE_AMENDMENT, sorted(set(older))):
        lots = batch.orders[row["order_id"]].funded_lots or row["quantity_lots"]
        before[row["order_id"]] = (row["client_order_id"], lots)
    rows = []
    for event, seq, time_ms in batch.amendments:
        old_name, old_lots = before[event.order_id]
        name, lots = text(event.client_order_id), event.quantity_lots
        rows.append((event.order_id, seq, old_name, name, old_lots, lots, time_ms))
        before[event.order_id] = (name, lots)
    return rows
