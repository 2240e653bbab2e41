"""Cancellations: of one order, of all of a user's in a market, of a list."""

from exchange.contracts import codes
from exchange.contracts.commands import CancelAllOrders, CancelOrder
from exchange.contracts.events import CommandRejected, Outcome
from exchange.contracts.order_commands import CancelOrderList
from matching_engine.core.engine_state import EngineState
from matching_engine.core.market import Market
from matching_engine.core.matching import close, end_list
from matching_engine.core.order import Order, OrderList
from matching_engine.core.rules_version import bounds_work, refuses_stale_cancels


def found_order(state: EngineState, user_id: int, order_id: int, client_order_id: str) -> Order | None:
    """The open order that a command names by its id, or by its name; whose it is has to be checked."""
    if order_id:
        return state.orders.get(order_id)
    named = state.orders_by_name.get(user_id)
    return named.get(client_order_id) if named is not None else None


def order_rejection(
    market: Market | None, order: Order | None, user_id: int, market_id: int, client_order_id: str
) -> int:
    """Why a command about an open order cannot be done: codes.REJECT_*, or 0."""
    if market is None:
        return codes.REJECT_UNKNOWN_MARKET
    if market.mode == codes.MODE_HALTED:
        return codes.REJECT_MARKET_CLOSED
    if order is None or order.trader.user_id != user_id or order.trader.market_id != market_id:
        return codes.REJECT_UNKNOWN_ORDER
    if client_order_id and order.client_order_id != client_order_id:
        return codes.REJECT_CLIENT_ORDER_ID_MISMATCH
    return 0


def cancel(state: EngineState, command: CancelOrder, events: Outcome) -> None:
    """Close one open order of the user, and the list that it stands in."""
    market = state.market(command.market_id)
    order = found_order(state, command.user_id, command.order_id, command.client_order_id)
    if market is not None and _is_stale_cancel(state, command.valid_until_ms):
        reason = codes.REJECT_STALE
    else:
        reason = order_rejection(market, order, command.user_id, command.market_id, command.client_order_id)
        if not reason and order is not None and _is_restricted(order, command.restriction):
            reason = codes.REJECT_CANCEL_RESTRICTED
    if reason or market is None or order is None:
        events.append(
            CommandRejected(command.user_id, command.market_id, reason, command.client_order_id, "")
        )
        return
    _close_for_user(state, market, order, command.cancel_client_order_id, events)


def _close_for_user(state: EngineState, market: Market, order: Order, name: str, events: Outcome) -> None:
    """Its owner has cancelled the order; `name`: the cancellation's own."""
    close(state, market, order, codes.CANCELED, codes.CLOSED_BY_USER, name, 0, events)


def cancel_all(state: EngineState, command: CancelAllOrders, events: Outcome) -> None:
    """Close every open order of the user in one market, oldest first."""
    market = state.market(command.market_id)
    reason = 0
    if market is None:
        reason = codes.REJECT_UNKNOWN_MARKET
    elif _is_stale_cancel(state, command.valid_until_ms):
        reason = codes.REJECT_STALE
    elif market.mode == codes.MODE_HALTED:
        reason = codes.REJECT_MARKET_CLOSED
    named = state.orders_by_name.get(command.user_id)
    found: list[Order] = []
    if named is not None:
        found = [order for order in named.values() if order.market_id == command.market_id]
    if not reason and not found:
        reason = codes.REJECT_UNKNOWN_ORDER
    if reason or market is None:
        events.append(CommandRejected(command.user_id, command.market_id, reason, "", ""))
        return
    found.sort(key=_order_id)
    if bounds_work(state.rules_version):
        # More can be open only where a market allowed it under older rules; who asks again gets the rest.
        del found[state.limits.open_orders_max :]
    for order in found:
        if order.terms is not None and not order.terms.is_known:
            continue  # Its list has ended with one of the others.
        _close_for_user(state, market, order, command.cancel_client_order_id, events)


def cancel_list(state: EngineState, command: CancelOrderList, events: Outcome) -> None:
    """Close all orders of a list."""
    market = state.market(command.market_id)
    order_list = _found_list(state, command)
    reason = 0
    if market is None:
        reason = codes.REJECT_UNKNOWN_MARKET
    elif market.mode == codes.MODE_HALTED:
        reason = codes.REJECT_MARKET_CLOSED
    elif order_list is None:
        reason = codes.REJECT_UNKNOWN_ORDER
    if reason or market is None or order_list is None:
        name = command.list_client_order_id
        events.append(CommandRejected(command.user_id, command.market_id, reason, name, ""))
        return
    status, why = codes.CANCELED, codes.CLOSED_BY_USER
    end_list(state, market, order_list, status, why, command.cancel_client_order_id, events)


def _found_list(state: EngineState, command: CancelOrderList) -> OrderList | None:
    """The user's list that is named, in the market that is named; None if there is none."""
    named = state.lists_by_name.get(command.user_id)
    if named is None:
        return None
    name = command.list_client_order_id
    number = command.order_list_id
    order_list = state.order_lists.get(number) if number else named.get(name)
    if order_list is None or order_list.user_id != command.user_id:
        return None
    if order_list.market_id != command.market_id or (name and order_list.list_client_order_id != name):
        return None
    return order_list


def _is_stale_cancel(state: EngineState, valid_until_ms: int) -> bool:
    is_late = valid_until_ms != 0 and state.now_ms > valid_until_ms
    return is_late and refuses_stale_cancels(state.rules_version)


def _order_id(order: Order) -> int:
    return order.order_id


def _is_restricted(order: Order, restriction: int) -> bool:
    untouched = order.is_untouched()
    if restriction == codes.CANCEL_ONLY_NEW:
        return not untouched
    return restriction == codes.CANCEL_ONLY_PARTIALLY_FILLED and untouched
