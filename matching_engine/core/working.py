"""An order with terms goes to work: it trades, then rests, expires or is filled."""

from exchange.contracts import codes
from exchange.contracts.events import Outcome
from matching_engine.core.engine_limits import UNBOUNDED
from matching_engine.core.engine_state import EngineState
from matching_engine.core.funding import fund_pending
from matching_engine.core.market import Market
from matching_engine.core.matching import close, list_works, match
from matching_engine.core.order import Order, Terms
from matching_engine.core.survey import Survey


def work(
    state: EngineState,
    market: Market,
    order: Order,
    terms: Terms,
    unpaid_lots: int,
    makers_max: int,
    events: Outcome,
) -> int:
    """Let an order trade with `makers_max` others at most; returns the lots that the book shows of it then.

    `unpaid_lots`: of a MARKET order, what its hold does not pay; they are not among its open lots.
    """
    if terms.time_in_force == codes.FOK and not terms.is_market():
        survey = Survey(order.side, order.user_id, order.stp_mode)
        survey.walk(market.book, order.price_ticks, order.open_lots, UNBOUNDED, makers_max)
        if survey.filled < order.open_lots:
            close(state, market, order, codes.EXPIRED, codes.CLOSED_FOK_UNFILLABLE, "", 0, events)
            return 0
    told = events.count
    if not match(state, market, order, makers_max, events):
        return 0
    if terms.order_list is not None:
        fund_pending(market, order, terms.order_list, told, events)
    order.open_lots += unpaid_lots
    if order.open_lots == 0:
        assert order.held_atoms == 0, "a filled order holds nothing"
        if terms.is_known:
            state.forget(order)
        list_works(state, market, order, events)
        return 0
    if terms.is_market():
        reason = codes.CLOSED_HOLD_SPENT if unpaid_lots else codes.CLOSED_NO_LIQUIDITY
    elif terms.time_in_force == codes.GTC:
        return state.rest_with_terms(market, order, terms)
    else:
        reason = codes.CLOSED_IOC_REMAINDER
    close(state, market, order, codes.EXPIRED, reason, "", 0, events)
    return 0


def set_hold(order: Order, atoms: int) -> tuple[int, int]:
    """Let an order hold so much; returns what was (held, released) for that."""
    change = atoms - order.held_atoms
    order.held_atoms = atoms
    balance = order.trader.pays(order.side)
    if change >= 0:
        balance.hold(change)
        return change, 0
    balance.release(-change)
    return 0, -change
