"""Making an open order smaller while it keeps its place in the queue (binance-spot-api 2.5, ADR 0037)."""

from exchange.contracts import codes
from exchange.contracts.codes import SELL
from exchange.contracts.events import CommandRejected, Outcome
from exchange.contracts.order_commands import AmendOrder
from exchange.contracts.order_events import OrderAmended
from matching_engine.core.cancelling import found_order, order_rejection
from matching_engine.core.engine_state import EngineState
from matching_engine.core.follow_ups import shared_holds, terms_of
from matching_engine.core.funding import pays_pending
from matching_engine.core.market import Market
from matching_engine.core.order import Order, Terms, plain_terms
from matching_engine.core.position import count_buy
from matching_engine.core.terms_rules import need_atoms


def amend(state: EngineState, command: AmendOrder, events: Outcome) -> None:
    """Change an open order's quantity, and its name; the legs of an OCO change together."""
    market = state.market(command.market_id)
    order = found_order(state, command.user_id, command.order_id, command.client_order_id)
    reason = order_rejection(market, order, command.user_id, command.market_id, command.client_order_id)
    if not reason and market is not None and order is not None:
        reason = _rejection(state, market, order, command)
    if reason or market is None or order is None:
        events.append(
            CommandRejected(command.user_id, command.market_id, reason, command.client_order_id, "")
        )
        return
    if order.terms is None:
        order.terms = plain_terms(True, 0 if order.side == SELL else order.open_lots)
    orders = _changing_together(order, order.terms)
    cut = order.quantity_lots - command.quantity_lots
    holds = _holds_after(market, orders, cut)
    named = order.trader.named
    del named[order.client_order_id]
    order.client_order_id = command.new_client_order_id
    named[order.client_order_id] = order
    for at, changed in enumerate(orders):
        _shrink(market, changed, terms_of(changed), cut, holds[at], events)


def _rejection(state: EngineState, market: Market, order: Order, command: AmendOrder) -> int:
    quantity, name = command.quantity_lots, command.new_client_order_id
    terms = order.terms
    if quantity <= 0 or not name:
        return codes.REJECT_MALFORMED
    if command.valid_until_ms and state.now_ms > command.valid_until_ms:
        return codes.REJECT_STALE
    if terms is not None and _is_unfunded(terms):
        return codes.REJECT_AMEND_UNFUNDED
    if quantity > order.quantity_lots:
        return codes.REJECT_AMEND_INCREASES
    gone = order.quantity_lots - order.lots_left()
    if quantity == order.quantity_lots or quantity <= gone:
        return codes.REJECT_NO_CHANGE
    if name != order.client_order_id and name in order.trader.named:
        return codes.REJECT_DUPLICATE_CLIENT_ORDER_ID
    if quantity < market.rules.quantity_lots_min:
        return codes.REJECT_LOT_SIZE
    filters = market.filters
    if quantity % filters.quantity_step_lots:
        return codes.REJECT_LOT_SIZE
    if order.price_ticks:
        notional = order.price_ticks * (quantity * market.unit_atoms)
        if notional < market.rules.notional_atoms_min:
            return codes.REJECT_NOTIONAL
        if notional < filters.min_notional_atoms:
            return codes.REJECT_MIN_NOTIONAL
    if terms is not None and terms.amends >= min(state.limits.order_amends_max, filters.order_amends_max):
        return codes.REJECT_MAX_NUM_ORDER_AMENDS
    return 0


def _is_unfunded(terms: Terms) -> bool:
    """Whether the order's quantity is still to be bought by the working order of its list (ADR 0046)."""
    order_list = terms.order_list
    return (
        terms.state == codes.STATE_PENDING and order_list is not None and pays_pending(order_list.contingency)
    )


def _changing_together(order: Order, terms: Terms) -> list[Order]:
    """The order, and the other one of its OCO, placed or pending."""
    order_list = terms.order_list
    if order_list is None or order is order_list.working:
        return [order]
    return [other for other in order_list.orders if other is not order_list.working]


def _holds_after(market: Market, orders: list[Order], cut: int) -> list[int]:
    """What each of them holds once it is smaller; together as much as the largest needs."""
    needs: list[int] = []
    terms: list[Terms] = []
    for order in orders:
        of_order = terms_of(order)
        terms.append(of_order)
        if of_order.state == codes.STATE_PENDING:
            needs.append(0)
            continue
        works = of_order.state == codes.STATE_WORKING and order.side != SELL
        ticks = order.price_ticks if works else of_order.hold_ticks
        needs.append(need_atoms(market, order.side, order.lots_left() - cut, ticks))
    return shared_holds(terms, needs)


def _shrink(market: Market, order: Order, terms: Terms, cut: int, hold: int, events: Outcome) -> None:
    """Take lots from an order, the hidden ones first, and give back what it need not hold any more."""
    hidden = min(terms.hidden_lots, cut)
    terms.hidden_lots -= hidden
    shown = cut - hidden
    unbooked = 0
    if order.level is not None and terms.state == codes.STATE_WORKING:
        unbooked = shown
        if shown:
            market.book.reduce(order, shown)
    else:
        order.open_lots -= shown
        if order.level is not None:
            order.level.lots -= shown
    order.quantity_lots -= cut
    terms.amends += 1
    count_buy(order, terms)
    released = order.held_atoms - hold
    order.held_atoms = hold
    order.trader.pays(order.side).release(released)
    events.append(
        OrderAmended(
            order.order_id,
            order.user_id,
            market.rules.market_id,
            order.client_order_id,
            order.side,
            order.price_ticks,
            order.quantity_lots,
            released,
            unbooked,
        )
    )
