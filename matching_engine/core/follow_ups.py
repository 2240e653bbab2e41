"""What trades set off: pending orders take their place, waiting ones go to work (ADR 0037).

In this order: pending orders whose working order was filled, first come first served; then orders whose
price has been reached (`Waiting.due_order`); then orders that begin to follow the price. Each may trade,
and so make others due. How many of them one command sends to work is bounded; what stays due waits for the
next placement in the market, or for the leader's next word.
"""

from exchange.contracts import codes
from exchange.contracts.codes import BUY
from exchange.contracts.events import Outcome
from exchange.contracts.order_events import (
    OrderListDone,
    OrderTriggered,
    PendingOrderFunded,
    PendingOrderPlaced,
    TrailingStarted,
)
from matching_engine.core.engine_limits import UNBOUNDED
from matching_engine.core.engine_state import EngineState
from matching_engine.core.funding import funded_lots, pays_pending
from matching_engine.core.market import Market
from matching_engine.core.matching import close, end_list, leave_list
from matching_engine.core.order import Order, OrderList, Terms
from matching_engine.core.rules_version import ends_unpriced
from matching_engine.core.survey import MONEY_ENDS, Survey
from matching_engine.core.terms_rules import (
    filter_rejection,
    hold_ticks,
    leg_of,
    need_atoms,
    pegged_ticks,
    plain_of,
    price_rejection,
)
from matching_engine.core.waiting import Waiting
from matching_engine.core.working import set_hold, work


def follow_up(state: EngineState, market: Market, events: Outcome) -> None:
    """Send to work what is due in a market that trades, as far as the command's bounds go."""
    waiting = market.waits()
    while waiting.is_due():
        if market.mode != codes.MODE_TRADING or not _may_go_on(state):
            state.backlog.setdefault(market.rules.market_id, True)
            return
        state.follow_ups_used += 1
        order_list = waiting.due_list()
        order = None if order_list is not None else waiting.due_order()
        if order_list is not None:
            waiting.due_lists.popleft()
            _place_pending(state, market, order_list, events)
        elif order is not None:
            _trigger(state, market, waiting, order, events)
        else:
            _start(market, waiting, events)
    state.backlog.pop(market.rules.market_id, None)


def follow_up_backlog(state: EngineState, events: Outcome) -> None:
    """Send to work what other commands have left over, market after market; each has its turn."""
    for market_id in list(state.backlog):
        if not _may_go_on(state):
            return
        del state.backlog[market_id]  # What is left over again stands behind the others.
        follow_up(state, state.markets[market_id], events)


def _may_go_on(state: EngineState) -> bool:
    """Whether the command may send one more order to work."""
    limits = state.limits
    fills_max = limits.fills_per_command_max - limits.fills_per_follow_up_max()
    return state.follow_ups_used < limits.follow_ups_per_command_max and state.fills_used <= fills_max


def _start(market: Market, waiting: Waiting, events: Outcome) -> None:
    order = waiting.due_start()
    assert order is not None, "something is due"
    last = market.reference.last_ticks
    waiting.start(order, terms_of(order), last)
    events.append(TrailingStarted(order.order_id, order.user_id, market.rules.market_id, last))


def _trigger(state: EngineState, market: Market, waiting: Waiting, order: Order, events: Outcome) -> None:
    """A price that an order waited for has been there."""
    terms = terms_of(order)
    trigger = waiting.trigger_of(order, terms)
    waiting.remove(order, terms)
    terms.state = codes.STATE_WORKING
    order_list = leave_list(order)
    if order_list is not None:
        end_list(state, market, order_list, codes.EXPIRED, codes.CLOSED_OCO_TRIGGER, "", events)
    budget = need_atoms(market, order.side, order.open_lots, terms.hold_ticks)
    makers_max = state.limits.fills_per_follow_up_max()
    wanted, unpaid = budget, 0
    if terms.peg_price_type:
        order.price_ticks = pegged_ticks(market, order.side, terms.peg_price_type, terms.peg_offset_levels)
        wanted = need_atoms(market, order.side, order.open_lots, order.price_ticks)
        if order.price_ticks == 0 or wanted > budget:
            reason = codes.CLOSED_HOLD_SPENT if order.price_ticks else codes.CLOSED_NO_LIQUIDITY
            _take_price_back(state, order, terms)
            close(state, market, order, codes.EXPIRED, reason, "", 0, events)
            return
    elif terms.is_market() and order.side == BUY:
        survey = Survey(BUY, order.user_id, order.stp_mode)
        survey.walk(market.book, 0, order.open_lots, budget // market.unit_atoms, makers_max)
        wanted = survey.cost * market.unit_atoms
        if survey.ended == MONEY_ENDS:
            unpaid = order.open_lots - survey.filled - survey.prevented
    held, released = set_hold(order, wanted)
    triggered = OrderTriggered(
        order.order_id,
        order.user_id,
        market.rules.market_id,
        order.side,
        order.price_ticks,
        trigger,
        held,
        released,
        0,
    )
    events.append(triggered)
    order.open_lots -= unpaid
    triggered.resting_lots = work(state, market, order, terms, unpaid, makers_max, events)


def _take_price_back(state: EngineState, order: Order, terms: Terms) -> None:
    """A pegged order ends in its turn: nobody was told of the price that it would have had."""
    if terms.peg_price_type and ends_unpriced(state.rules_version):
        order.price_ticks = 0


def _place_pending(state: EngineState, market: Market, order_list: OrderList, events: Outcome) -> None:
    """The working order of a list is filled: its pending orders take their place, both or none."""
    order_list.is_due = False
    orders = list(order_list.orders)
    makers_max = state.limits.fills_per_follow_up_max()
    is_funded = pays_pending(order_list.contingency)
    if is_funded:
        lots = funded_lots(market, orders)
        for order in orders:
            order.quantity_lots = order.open_lots = lots
    needs = [_turn_needs(market, order, makers_max) for order in orders]
    available = orders[0].trader.pays(orders[0].side).available + orders[0].held_atoms
    is_refused = min(needs) < 0 or max(needs) > available
    if is_refused or (is_funded and not _pass_filters(state, market, orders)):
        status, reason = codes.EXPIRED, codes.CLOSED_PENDING_REFUSED
        for order in orders:
            _take_price_back(state, order, terms_of(order))
        end_list(state, market, order_list, status, reason, "", events)
        return
    if is_funded:
        for at, order in enumerate(orders):
            _tell_funded(order, needs[at] if at == 0 else 0, events)
    is_oco = len(orders) > 1
    if not is_oco:
        order_list.orders.clear()
        terms_of(orders[0]).order_list = None
        state.forget_list(order_list, market)
    terms = [terms_of(order) for order in orders]
    for at, hold in enumerate(shared_holds(terms, needs)):
        _place_one(state, market, orders[at], terms[at], hold, events)
    if not is_oco:
        events.append(OrderListDone(order_list.order_list_id, order_list.user_id, order_list.market_id))


def _pass_filters(state: EngineState, market: Market, orders: list[Order]) -> bool:
    """Whether pending orders whose quantity is known only now may be placed with it."""
    reference = market.reference.fraction(state.now_ms)
    for order in orders:
        leg = leg_of(order, terms_of(order))
        plain = plain_of(order.user_id, order.market_id, leg, order.stp_mode, 0)
        plain.price_ticks = order.price_ticks
        if filter_rejection(market, leg, plain, reference, True):
            return False
    return True


def _tell_funded(order: Order, hold: int, events: Outcome) -> None:
    """A pending order has its quantity, and holds no more than that needs."""
    _, released = set_hold(order, hold)
    lots = order.quantity_lots
    events.append(
        PendingOrderFunded(order.order_id, order.user_id, order.market_id, order.side, lots, 0, released)
    )


def terms_of(order: Order) -> Terms:
    """The terms of an order that waits, or stands in a list: it has some."""
    terms = order.terms
    assert terms is not None, "who waits has terms"
    return terms


def shared_holds(terms: list[Terms], needs: list[int]) -> list[int]:
    """What each order of an OCO holds, so that they hold the largest need together: who rests comes first."""
    holds = [0] * len(needs)
    held = 0
    for waits in (False, True):
        for at, of_order in enumerate(terms):
            if of_order.waits_for_price() == waits and needs[at] > held:
                holds[at] = needs[at] - held
                held = needs[at]
    return holds


def _turn_needs(market: Market, order: Order, makers_max: int) -> int:
    """What a pending order has to hold now that its turn has come; -1 if it cannot be placed."""
    terms = terms_of(order)
    if terms.waits_for_price():
        if price_rejection(market, order.side, terms):
            return -1
        terms.hold_ticks = hold_ticks(market, order.side, order.price_ticks, terms)
        return need_atoms(market, order.side, order.open_lots, terms.hold_ticks)
    if terms.peg_price_type:
        order.price_ticks = pegged_ticks(market, order.side, terms.peg_price_type, terms.peg_offset_levels)
        if order.price_ticks == 0:
            return -1
    if terms.order_type == codes.LIMIT_MAKER and market.crosses(order.side, order.price_ticks):
        return -1
    if terms.order_type == codes.MARKET and order.side == BUY:
        survey = Survey(BUY, order.user_id, order.stp_mode)
        survey.walk(market.book, 0, order.open_lots, UNBOUNDED, makers_max)
        return survey.cost * market.unit_atoms
    terms.hold_ticks = order.price_ticks
    return need_atoms(market, order.side, order.open_lots, order.price_ticks)


def _place_one(
    state: EngineState, market: Market, order: Order, terms: Terms, hold: int, events: Outcome
) -> None:
    """A pending order holds its money, and waits or works."""
    waits = terms.waits_for_price()
    terms.state = codes.STATE_WAITING if waits else codes.STATE_WORKING
    held, _ = set_hold(order, hold)
    placed = PendingOrderPlaced(
        order.order_id,
        order.user_id,
        market.rules.market_id,
        order.side,
        order.price_ticks,
        terms.state,
        held,
        0,
    )
    events.append(placed)
    if waits:
        market.waits().add(order, terms, market.reference.last_ticks)
    else:
        makers_max = state.limits.fills_per_follow_up_max()
        placed.resting_lots = work(state, market, order, terms, 0, makers_max, events)
