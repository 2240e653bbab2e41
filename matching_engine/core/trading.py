"""Placing plain orders: what may be refused, what is held, and where the order goes."""

from mypy_extensions import u8

from exchange.contracts import codes
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.commands import PlaceOrder
from exchange.contracts.events import CommandRejected, OrderAccepted, Outcome
from matching_engine.core.engine_limits import UNBOUNDED
from matching_engine.core.engine_state import EngineState
from matching_engine.core.filtering import (
    account_rejection,
    amount_rejection,
    own_rejection,
    reference_notional,
    step_rejection,
)
from matching_engine.core.follow_ups import follow_up
from matching_engine.core.market import Market
from matching_engine.core.matching import close, match
from matching_engine.core.order import Order, Trader
from matching_engine.core.rules import (
    is_well_formed,
    limit_order_rejection,
    market_order_rejection,
)
from matching_engine.core.rules_version import bounds_work, has_terms
from matching_engine.core.survey import Survey


def place(state: EngineState, command: PlaceOrder, events: Outcome) -> None:
    """Check an order, hold its money, trade what crosses, rest or expire the remainder; then what follows."""
    market = state.market(command.market_id)
    if market is None:
        _reject(command, codes.REJECT_UNKNOWN_MARKET, events)
        return
    _place(state, market, command, events)
    waiting = market.waiting
    if waiting is None or not (waiting.is_due() or state.backlog):
        return
    if not isinstance(events.at(0), CommandRejected):
        # What was refused changes nothing, not even for orders that are due.
        follow_up(state, market, events)


def _place(state: EngineState, market: Market, command: PlaceOrder, events: Outcome) -> None:
    user_id = command.user_id
    trader = state.trader(market, user_id)
    reason = placement_rejection(state, market, trader, command)
    if reason:
        _reject(command, reason, events)
        return
    side = command.side
    pays = trader.pays(side)
    if pays.available == 0 and bounds_work(state.rules_version):
        _reject(command, codes.REJECT_INSUFFICIENT_BALANCE, events)
        return
    has_own = trader.open_orders > 0
    quantity, hold = quantity_and_hold(state, market, command, pays.available, has_own)
    if market.is_filtered and command.quote_quantity_atoms:
        reason = amount_rejection(market, trader, quantity, quantity if side == BUY else 0)
        if reason:
            _reject(command, reason, events)
            return
    if quantity < market.rules.quantity_lots_min and (
        hold <= pays.available or not bounds_work(state.rules_version)
    ):
        _reject(command, codes.REJECT_QUOTE_BUYS_LESS_THAN_A_LOT, events)
        return
    if hold > pays.available:
        _reject(command, codes.REJECT_INSUFFICIENT_BALANCE, events)
        return
    unfillable = is_unfillable(state, market, command, quantity, has_own)
    state.admit(market, trader)
    pays.hold(hold)
    order = Order(
        state.next_order_id,
        command.client_order_id,
        u8(side),
        command.price_ticks,
        quantity,
        quantity,
        u8(command.stp_mode),
        hold,
        trader,
    )
    state.next_order_id += 1
    accepted = _accepted(order, command)
    events.append(accepted)
    if unfillable:
        close(state, market, order, codes.EXPIRED, codes.CLOSED_FOK_UNFILLABLE, "", 0, events)
        return
    if not match(state, market, order, state.fills_max(), events):
        return
    if order.open_lots == 0:
        assert order.held_atoms == 0, "a filled order holds nothing"
    elif command.order_type == codes.MARKET:
        close(state, market, order, codes.EXPIRED, codes.CLOSED_NO_LIQUIDITY, "", 0, events)
    elif command.time_in_force == codes.GTC:
        accepted.resting_lots = order.open_lots
        state.rest(market, order)
    else:
        close(state, market, order, codes.EXPIRED, codes.CLOSED_IOC_REMAINDER, "", 0, events)


def _reject(command: PlaceOrder, reason: int, events: Outcome) -> None:
    events.append(CommandRejected(command.user_id, command.market_id, reason, command.client_order_id, ""))


def is_unfillable(
    state: EngineState, market: Market, command: PlaceOrder, quantity: int, has_own: bool
) -> bool:
    """Whether a fill-or-kill order would not be filled whole, the bound on matching included."""
    if command.time_in_force != codes.FOK or command.order_type == codes.MARKET:
        return False
    if _needs_survey(market, command.stp_mode, has_own):
        survey = Survey(command.side, command.user_id, command.stp_mode)
        survey.walk(market.book, command.price_ticks, quantity, UNBOUNDED, state.fills_max())
        return survey.filled < quantity
    filled, _ = market.fillable(
        command.side,
        command.price_ticks,
        quantity,
        command.user_id,
        command.stp_mode,
        state.fills_max(),
        UNBOUNDED,
        has_own,
    )
    return filled < quantity


def quantity_and_hold(
    state: EngineState, market: Market, command: PlaceOrder, available: int, has_own: bool
) -> tuple[int, int]:
    """Return (lots, atoms to hold). A MARKET order holds exactly what the book will cost it.

    The book is looked at no further than matching goes, and than `available` atoms pay: beyond that the
    result is only known to be too much. By quote quantity the lots include those that matching will not
    come to, so that the order ends as expired, not as filled.
    """
    side = command.side
    # Products of what somebody has sent may pass 63 bits.
    quantity: int = command.quantity_lots
    price: int = command.price_ticks
    makers_max = state.fills_max()
    bounded = bounds_work(state.rules_version)
    if command.quote_quantity_atoms:
        budget = command.quote_quantity_atoms // market.unit_atoms
        buys = side == BUY
        if has_terms(state.rules_version):
            return _for_quote(market, command, budget, makers_max)
        quantity, cost, beyond = market.fillable_for_quote(
            side,
            budget,
            command.user_id,
            command.stp_mode,
            makers_max,
            available // market.unit_atoms if bounded and buys else UNBOUNDED,
            available // market.rules.lot_atoms if bounded and not buys else UNBOUNDED,
            has_own,
        )
        quantity += beyond
        return quantity, cost * market.unit_atoms if buys else quantity * market.rules.lot_atoms
    if side == SELL:
        return quantity, quantity * market.rules.lot_atoms
    if command.order_type == codes.MARKET:
        if _needs_survey(market, command.stp_mode, has_own):
            survey = Survey(side, command.user_id, command.stp_mode)
            survey.walk(market.book, 0, quantity, UNBOUNDED, makers_max)
            return quantity, survey.cost * market.unit_atoms
        cost_max = available // market.unit_atoms if bounded else UNBOUNDED
        _, cost = market.fillable(
            side, 0, quantity, command.user_id, command.stp_mode, makers_max, cost_max, has_own
        )
        return quantity, cost * market.unit_atoms
    return quantity, price * (quantity * market.unit_atoms)


def _needs_survey(market: Market, stp_mode: int, has_own: bool) -> bool:
    """Whether the quick walks over the book do not tell what matching will meet."""
    return market.book.icebergs > 0 or (has_own and stp_mode >= codes.STP_DECREMENT)


def _for_quote(market: Market, command: PlaceOrder, tick_lots: int, makers_max: int) -> tuple[int, int]:
    """(lots, atoms to hold) for what is to be spent, or taken in; the lots include what the book lacks."""
    survey = Survey(command.side, command.user_id, command.stp_mode)
    survey.walk(market.book, 0, UNBOUNDED, tick_lots, makers_max)
    lots = survey.filled + survey.prevented
    excess = (lots + survey.beyond) % market.filters.quantity_step_lots
    if excess:
        # What is bought or sold is a multiple of the step, too; what the book lacks of it goes first.
        beyond = survey.beyond
        if excess <= beyond:
            survey.beyond = beyond - excess
        else:
            wanted = lots + beyond - excess
            survey = Survey(command.side, command.user_id, command.stp_mode)
            survey.walk(market.book, 0, wanted, UNBOUNDED, makers_max)
            lots, survey.beyond = survey.filled + survey.prevented, 0
    hold = survey.cost * market.unit_atoms if command.side == BUY else lots * market.rules.lot_atoms
    return lots + survey.beyond, hold


def placement_rejection(state: EngineState, market: Market, trader: Trader, command: PlaceOrder) -> int:
    """Everything that can be refused before the book and the money are looked at."""
    stp_mode_max = codes.STP_TRANSFER if has_terms(state.rules_version) else codes.STP_EXPIRE_BOTH
    if not is_well_formed(command, stp_mode_max):
        return codes.REJECT_MALFORMED
    if command.valid_until_ms and state.now_ms > command.valid_until_ms:
        return codes.REJECT_STALE
    is_maker_only = command.order_type == codes.LIMIT_MAKER
    if market.mode != codes.MODE_TRADING and not (market.mode == codes.MODE_POST_ONLY and is_maker_only):
        return codes.REJECT_MARKET_CLOSED
    if command.client_order_id in trader.named:
        return codes.REJECT_DUPLICATE_CLIENT_ORDER_ID
    reference = market.reference.fraction(state.now_ms)
    if command.order_type == codes.MARKET:
        reason = market_order_rejection(market.rules, market.filters, market.unit_atoms, command, reference)
    else:
        reason = limit_order_rejection(market.rules, market.unit_atoms, command, reference)
    if not reason and market.is_filtered:
        reason = _filter_rejection(state, market, trader, command, reference)
    if reason:
        return reason
    if trader.open_orders >= state.open_orders_max(market):
        return codes.REJECT_MAX_NUM_ORDERS
    if is_maker_only and market.crosses(command.side, command.price_ticks):
        return codes.REJECT_WOULD_TAKE
    return 0


def _filter_rejection(
    state: EngineState, market: Market, trader: Trader, command: PlaceOrder, reference: tuple[int, int]
) -> int:
    """What the filters refuse that the market has beside its rules; by quote amount, what is known by now."""
    price: int = command.price_ticks
    lots: int = command.quantity_lots
    reason = step_rejection(market, price, lots)
    if reason:
        return reason
    notional: int = command.quote_quantity_atoms
    if price:
        notional = price * (lots * market.unit_atoms)
    elif not notional:
        notional = reference_notional(market, lots, reference)
    at_any_price = command.order_type == codes.MARKET
    reason = own_rejection(market, at_any_price, price, lots, notional, reference)
    if reason:
        return reason
    reason = amount_rejection(market, trader, lots, lots if command.side == BUY else 0)
    return reason or account_rejection(state, trader, 1, 0, 0, 0)


def _accepted(order: Order, command: PlaceOrder) -> OrderAccepted:
    accepted = OrderAccepted(
        order.order_id,
        command.user_id,
        command.market_id,
        order.client_order_id,
        command.side,
        command.order_type,
        command.time_in_force,
        order.price_ticks,
        order.quantity_lots,
        command.quote_quantity_atoms,
        command.stp_mode,
        order.held_atoms,
        0,
    )
    if order.quantity_lots == command.quantity_lots:
        accepted.as_sent = command.as_sent
    return accepted
