"""Placing orders with terms, one by one or as a list (ADR 0037)."""

from mypy_extensions import u8

from exchange.contracts import codes
from exchange.contracts.codes import SELL
from exchange.contracts.commands import PlaceOrder
from exchange.contracts.events import CommandRejected, Outcome
from exchange.contracts.order_commands import OrderLeg, PlaceOrderList, PlaceOrderWithTerms
from exchange.contracts.order_events import OrderListPlaced, OrderWithTermsAccepted
from matching_engine.core.draft import Draft, count_rejection
from matching_engine.core.engine_state import EngineState
from matching_engine.core.filtering import amount_rejection, percent_rejection
from matching_engine.core.follow_ups import follow_up, shared_holds, terms_of
from matching_engine.core.funding import pays_pending
from matching_engine.core.list_rules import list_prices_fit, shape_rejection
from matching_engine.core.market import Market
from matching_engine.core.order import Order, OrderList, Trader
from matching_engine.core.position import count_buy
from matching_engine.core.rules_version import judges_list_prices_first
from matching_engine.core.terms_rules import (
    filter_rejection,
    hold_ticks,
    is_leg_well_formed,
    need_atoms,
    pegged_ticks,
    plain_of,
    price_range_rejection,
    price_rejection,
    waits_for_price,
)
from matching_engine.core.trading import quantity_and_hold
from matching_engine.core.working import work


def place_with_terms(state: EngineState, command: PlaceOrderWithTerms, events: Outcome) -> None:
    """Check an order, hold its money, and let it work or wait; then what follows from its trades."""
    market = state.market(command.market_id)
    draft = _draft_of(command)
    if market is None:
        _reject(draft.plain, codes.REJECT_UNKNOWN_MARKET, "", events)
        return
    trader = state.trader(market, command.user_id)
    reason = _rejection(state, market, trader, draft, command.user_id)
    if reason == 0:
        reason = count_rejection(state, market, trader, [draft], False)
    quantity, hold = 0, 0
    if reason == 0:
        quantity, hold, reason = _needs(state, market, trader, draft)
    if not reason and market.is_filtered and draft.plain.quote_quantity_atoms:
        reason = amount_rejection(market, trader, quantity, 0 if draft.leg.side == SELL else quantity)
    if reason:
        _reject(draft.plain, reason, "", events)
        return
    state.admit(market, trader)
    order, accepted = _accept(state, trader, draft, quantity, hold, 0, events)
    if draft.terms.state == codes.STATE_WAITING:
        state.know(order, draft.terms)
        market.waits().add(order, draft.terms, market.reference.last_ticks)
        return
    accepted.resting_lots = work(state, market, order, draft.terms, 0, state.fills_max(), events)
    if market.waiting is not None:
        follow_up(state, market, events)


def _draft_of(command: PlaceOrderWithTerms) -> Draft:
    leg = OrderLeg(
        command.client_order_id,
        command.side,
        command.order_type,
        command.time_in_force,
        command.price_ticks,
        command.quantity_lots,
        command.stop_price_ticks,
        command.trailing_bips,
        command.iceberg_lots,
        command.strategy_id,
        command.strategy_type,
        command.peg_price_type,
        command.peg_offset_levels,
    )
    waits = waits_for_price(command.order_type)
    stp_mode, valid_until_ms = command.stp_mode, command.valid_until_ms
    plain = plain_of(command.user_id, command.market_id, leg, stp_mode, valid_until_ms)
    plain.quote_quantity_atoms = command.quote_quantity_atoms
    return Draft(leg, plain, codes.STATE_WAITING if waits else codes.STATE_WORKING)


def _reject(command: PlaceOrder, reason: int, name: str, events: Outcome) -> None:
    name = name or command.client_order_id
    events.append(CommandRejected(command.user_id, command.market_id, reason, name, ""))


def _rejection(state: EngineState, market: Market, trader: Trader, draft: Draft, user_id: int) -> int:
    """Everything that can be refused before the money is looked at; takes a pegged order's price."""
    leg, plain, terms = draft.leg, draft.plain, draft.terms
    if user_id <= 0 or not codes.STP_NONE <= plain.stp_mode <= codes.STP_TRANSFER:
        return codes.REJECT_MALFORMED
    if not is_leg_well_formed(leg, plain.quote_quantity_atoms, draft.is_funded):
        return codes.REJECT_MALFORMED
    if plain.valid_until_ms and state.now_ms > plain.valid_until_ms:
        return codes.REJECT_STALE
    is_maker_only = leg.order_type == codes.LIMIT_MAKER
    if market.mode != codes.MODE_TRADING and not (market.mode == codes.MODE_POST_ONLY and is_maker_only):
        return codes.REJECT_MARKET_CLOSED
    if leg.client_order_id in trader.named:
        return codes.REJECT_DUPLICATE_CLIENT_ORDER_ID
    works_now = terms.state == codes.STATE_WORKING
    if leg.peg_price_type and works_now:
        plain.price_ticks = pegged_ticks(market, leg.side, leg.peg_price_type, leg.peg_offset_levels)
        if plain.price_ticks == 0:
            return codes.REJECT_NO_PEG_PRICE
    reference = market.reference.fraction(state.now_ms)
    if draft.is_funded:
        reason = price_range_rejection(market, leg)
        reason = reason or percent_rejection(market, leg.price_ticks, reference)
    else:
        reason = filter_rejection(market, leg, plain, reference, works_now)
    if reason:
        return reason
    if terms.state == codes.STATE_WAITING:
        return price_rejection(market, leg.side, terms)
    if works_now and is_maker_only and market.crosses(leg.side, plain.price_ticks):
        return codes.REJECT_WOULD_TAKE
    return 0


def _needs(state: EngineState, market: Market, trader: Trader, draft: Draft) -> tuple[int, int, int]:
    """(lots, atoms to hold, why it is refused or 0) of an order that works or waits at once."""
    leg, plain, terms = draft.leg, draft.plain, draft.terms
    available = trader.pays(leg.side).available
    quantity = leg.quantity_lots
    if terms.state == codes.STATE_WAITING:
        terms.hold_ticks = hold_ticks(market, leg.side, leg.price_ticks, terms)
        hold = need_atoms(market, leg.side, quantity, terms.hold_ticks)
    else:
        has_own = trader.open_orders > 0
        quantity, hold = quantity_and_hold(state, market, plain, available, has_own)
        terms.hold_ticks = plain.price_ticks if leg.side != SELL else 0
    if available == 0 or hold > available:
        return quantity, hold, codes.REJECT_INSUFFICIENT_BALANCE
    if quantity < market.rules.quantity_lots_min:
        return quantity, hold, codes.REJECT_QUOTE_BUYS_LESS_THAN_A_LOT
    return quantity, hold, 0


def _accept(
    state: EngineState,
    trader: Trader,
    draft: Draft,
    quantity: int,
    hold: int,
    order_list_id: int,
    events: Outcome,
) -> tuple[Order, OrderWithTermsAccepted]:
    """Make the order, hold its money, and say so."""
    leg, plain = draft.leg, draft.plain
    trader.pays(leg.side).hold(hold)
    order = Order(
        state.next_order_id,
        leg.client_order_id,
        leg.side,
        plain.price_ticks,
        quantity,
        quantity,
        u8(plain.stp_mode),
        hold,
        trader,
    )
    order.terms = draft.terms
    state.next_order_id += 1
    accepted = OrderWithTermsAccepted(
        order.order_id,
        plain.user_id,
        plain.market_id,
        order.client_order_id,
        order.side,
        leg.order_type,
        leg.time_in_force,
        order.price_ticks,
        quantity,
        plain.quote_quantity_atoms,
        order.stp_mode,
        hold,
        0,
        order_list_id,
        draft.terms.state,
        leg.stop_price_ticks,
        leg.trailing_bips,
        leg.iceberg_lots,
        leg.strategy_id,
        leg.strategy_type,
        leg.peg_price_type,
        leg.peg_offset_levels,
    )
    events.append(accepted)
    return order, accepted


def place_list(state: EngineState, command: PlaceOrderList, events: Outcome) -> None:
    """Check all orders of a list, hold what they need together, and let them work, wait or be pending."""
    market = state.market(command.market_id)
    drafts = _drafts_of(command)
    user_id, name = command.user_id, command.list_client_order_id
    if market is None:
        _reject_list(command, codes.REJECT_UNKNOWN_MARKET, events)
        return
    trader = state.trader(market, user_id)
    reason = _list_rejection(state, market, trader, command, drafts)
    holds: list[int] = []
    if reason == 0:
        holds, reason = _list_holds(state, market, trader, drafts)
    if reason:
        _reject_list(command, reason, events)
        return
    state.admit(market, trader)
    order_list = OrderList(state.next_order_list_id, user_id, command.market_id, name, command.contingency)
    state.next_order_list_id += 1
    state.know_list(order_list, market)
    events.append(
        OrderListPlaced(order_list.order_list_id, user_id, command.market_id, name, command.contingency)
    )
    for draft, hold in zip(drafts, holds, strict=True):
        lots = draft.leg.quantity_lots
        order, accepted = _accept(state, trader, draft, lots, hold, order_list.order_list_id, events)
        terms = draft.terms
        terms.order_list = order_list
        order_list.orders.append(order)
        state.know(order, terms)
        draft.accepted, draft.order = accepted, order
        if terms.state == codes.STATE_WAITING:
            market.waits().add(order, terms, market.reference.last_ticks)
    if command.contingency != codes.CONTINGENCY_OCO:
        order_list.working = order_list.orders[0]
    for order in order_list.orders:
        count_buy(order, terms_of(order))
    for draft in drafts:
        placed, told = draft.order, draft.accepted
        if draft.terms.state == codes.STATE_WORKING and placed is not None and told is not None:
            told.resting_lots = work(state, market, placed, draft.terms, 0, state.fills_max(), events)
    follow_up(state, market, events)


def _reject_list(command: PlaceOrderList, reason: int, events: Outcome) -> None:
    name = command.list_client_order_id
    events.append(CommandRejected(command.user_id, command.market_id, reason, name, ""))


def _drafts_of(command: PlaceOrderList) -> list[Draft]:
    drafts: list[Draft] = []
    is_oco = command.contingency == codes.CONTINGENCY_OCO
    is_funded = pays_pending(command.contingency)
    for at, leg in enumerate(command.legs):
        stp_mode, valid_until_ms = command.stp_mode, command.valid_until_ms
        plain = plain_of(command.user_id, command.market_id, leg, stp_mode, valid_until_ms)
        if not is_oco and at > 0:
            leg_state = codes.STATE_PENDING
        elif waits_for_price(leg.order_type):
            leg_state = codes.STATE_WAITING
        else:
            leg_state = codes.STATE_WORKING
        draft = Draft(leg, plain, leg_state, is_funded and at > 0)
        of_oco = command.contingency not in (codes.CONTINGENCY_OTO, codes.CONTINGENCY_OPO)
        draft.is_of_oco = of_oco and at >= len(command.legs) - 2
        drafts.append(draft)
    return drafts


def _list_rejection(
    state: EngineState, market: Market, trader: Trader, command: PlaceOrderList, drafts: list[Draft]
) -> int:
    """Everything that can be refused before the money is looked at."""
    reason = shape_rejection(state.rules_version, command)
    if reason:
        return reason
    fits = list_prices_fit(command, market.reference.last_ticks)
    if not fits and judges_list_prices_first(state.rules_version):
        return codes.REJECT_LIST_PRICES
    named = state.lists_by_name.get(command.user_id)
    if named is not None and command.list_client_order_id in named:
        return codes.REJECT_DUPLICATE_CLIENT_ORDER_ID
    for at, draft in enumerate(drafts):
        reason = _rejection(state, market, trader, draft, command.user_id)
        if reason:
            return reason
        for other in drafts[:at]:
            if other.leg.client_order_id == draft.leg.client_order_id:
                return codes.REJECT_DUPLICATE_CLIENT_ORDER_ID
    if not fits:
        return codes.REJECT_LIST_PRICES
    if trader.order_lists >= min(state.limits.order_lists_max, market.filters.order_lists_max):
        return codes.REJECT_MAX_NUM_ORDER_LISTS
    return count_rejection(state, market, trader, drafts, True)


def _list_holds(
    state: EngineState, market: Market, trader: Trader, drafts: list[Draft]
) -> tuple[list[int], int]:
    """(what each order holds, why the list is refused or 0). Pending orders hold nothing."""
    needs: list[int] = []
    for draft in drafts:
        if draft.terms.state == codes.STATE_PENDING:
            needs.append(0)
            continue
        _, hold, reason = _needs(state, market, trader, draft)
        if reason:
            return [], reason
        needs.append(hold)
    holds = list(needs)
    if drafts[-1].terms.state != codes.STATE_PENDING:
        holds = shared_holds([draft.terms for draft in drafts], needs)
    return holds, 0
