"""Orders that meet: trades, self-trade prevention, and how orders end. Every movement stands in an event."""

from mypy_extensions import i64

from exchange.contracts import codes
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.events import OrderClosed, Outcome, TradeExecuted
from exchange.contracts.order_events import IcebergRefilled, OrderListDone, SelfTradeDecremented
from matching_engine.core.charging import charge
from matching_engine.core.engine_state import EngineState
from matching_engine.core.funding import fund_pending
from matching_engine.core.market import Market, within_limit
from matching_engine.core.order import Order, OrderList, Terms, plain_terms
from matching_engine.core.position import count_buy
from matching_engine.core.rules import fee_atoms


def match(state: EngineState, market: Market, taker: Order, left: int, events: Outcome) -> bool:
    """Trade while prices cross, with `left` resting orders at most. False when the taker was closed.

    That is: by self-trade prevention, or because it has met as many orders as one may. What is left of it
    then expires whatever its time in force says, for it must not rest where it would trade.
    """
    book = market.book
    limit_ticks = taker.price_ticks  # 0, and so no limit, for a MARKET order
    other_side = SELL if taker.side == BUY else BUY
    while taker.open_lots:
        maker = book.best(other_side)
        if maker is None or not within_limit(taker.side, limit_ticks, maker.price_ticks):
            return True
        if left == 0:
            close(state, market, taker, codes.EXPIRED, codes.CLOSED_TOO_MANY_FILLS, "", 0, events)
            return False
        left -= 1
        state.fills_used += 1
        if maker.trader is taker.trader and taker.stp_mode != codes.STP_NONE:
            if not _prevent(state, market, taker, maker, events):
                return False
        else:
            _trade(state, market, taker, maker, events)
    return True


def _prevent(state: EngineState, market: Market, taker: Order, maker: Order, events: Outcome) -> bool:
    """Keep a user from trading with itself (binance-spot-api 2.8). False when the taker ended."""
    mode = taker.stp_mode
    if mode >= codes.STP_DECREMENT:
        return _decrement(state, market, taker, maker, events)
    status, reason = codes.EXPIRED_IN_MATCH, codes.CLOSED_SELF_TRADE
    if mode in (codes.STP_EXPIRE_MAKER, codes.STP_EXPIRE_BOTH):
        close(state, market, maker, status, reason, "", taker.order_id, events)
    if mode in (codes.STP_EXPIRE_TAKER, codes.STP_EXPIRE_BOTH):
        close(state, market, taker, status, reason, "", maker.order_id, events)
        return False
    return True


def _decrement(state: EngineState, market: Market, taker: Order, maker: Order, events: Outcome) -> bool:
    """Make both orders smaller by what they would have traded. False when nothing of the taker is left."""
    lots = min(taker.open_lots, maker.open_lots)
    market.book.reduce(maker, lots)
    taker.open_lots -= lots
    taker_released = _lose(market, taker, False, lots)
    maker_released = _lose(market, maker, True, lots)
    events.append(
        SelfTradeDecremented(
            market.rules.market_id,
            taker.user_id,
            taker.side,
            maker.price_ticks,
            lots,
            taker.order_id,
            taker_released,
            maker.order_id,
            maker_released,
        )
    )
    assert maker.terms is not None, "it has lost lots, which its terms count"
    refill(market, maker, maker.terms, events)
    if maker.open_lots == 0:
        state.forget(maker)
        _end(state, market, maker, taker.order_id, events)
    else:
        list_works(state, market, maker, events)
    if taker.open_lots:
        return True
    terms = taker.terms
    if terms is not None and terms.is_known:
        state.forget(taker)
    _end(state, market, taker, maker.order_id, events)
    return False


def _lose(market: Market, order: Order, is_known: bool, lots: int) -> int:
    """Give back what an order held for lots that trade with nobody. The lots are gone already."""
    terms = order.terms
    if terms is None:
        terms = plain_terms(is_known, order.open_lots + lots if is_known and order.side == BUY else 0)
        order.terms = terms
    terms.prevented_lots += lots
    count_buy(order, terms)
    if order.side == SELL:
        released = lots * market.rules.lot_atoms
    else:
        released = order.price_ticks * (
            lots * market.unit_atoms
        )  # 0: a MARKET buyer held for its trades alone
    order.held_atoms -= released
    order.trader.pays(order.side).release(released)
    return released


def _end(state: EngineState, market: Market, order: Order, counter_order_id: int, events: Outcome) -> None:
    """Close an order of which self-trade prevention has left nothing."""
    assert order.held_atoms == 0, "nothing is left of it"
    order_list = leave_list(order)
    status, reason = codes.EXPIRED_IN_MATCH, codes.CLOSED_SELF_TRADE
    _tell_closed(market, order, status, reason, 0, 0, "", counter_order_id, events)
    if order_list is not None:
        end_list(state, market, order_list, codes.EXPIRED, _reason_of(order_list), "", events)


def refill(market: Market, maker: Order, terms: Terms, events: Outcome) -> None:
    """Show the next slice of an iceberg whose shown part is used up: behind all others of its price."""
    if maker.open_lots or not terms.hidden_lots:
        return
    lots = min(terms.iceberg_lots, terms.hidden_lots)
    terms.hidden_lots -= lots
    maker.open_lots = lots
    market.book.add(maker)
    events.append(
        IcebergRefilled(
            maker.order_id, maker.user_id, market.rules.market_id, maker.side, maker.price_ticks, lots
        )
    )


def _trade(state: EngineState, market: Market, taker: Order, maker: Order, events: Outcome) -> None:
    """One trade at the maker's price: move lots on the book and money in the accounts."""
    rules = market.rules
    price = maker.price_ticks
    lots = min(taker.open_lots, maker.open_lots)
    atoms_per_tick = lots * market.unit_atoms
    base, quote = lots * rules.lot_atoms, price * atoms_per_tick
    taker_buys = taker.side == BUY
    buyer, seller = (taker, maker) if taker_buys else (maker, taker)
    market.book.reduce(maker, lots)
    taker.open_lots -= lots
    # A limit buyer held its own price; what the better price saves goes back at once. A market
    # buyer (price 0) held exactly the cost.
    released = (buyer.price_ticks - price) * atoms_per_tick if buyer.price_ticks else 0
    buyer.held_atoms -= quote + released
    seller.held_atoms -= base
    buyer.trader.quote.pay(quote)
    seller.trader.base.pay(base)
    if released:
        buyer.trader.quote.release(released)
    market.reference.record(state.now_ms, price, lots)
    if market.waiting is not None:
        market.waiting.record(price)
    events.append(_settled(state, market, taker, lots, price, base, quote, buyer, released, seller))
    market.next_trade_id += 1
    if maker.terms is not None:
        _after_trade(state, market, maker, maker.terms, events)
        return
    if not taker_buys:
        maker.trader.open_buy_lots -= lots
    if maker.open_lots == 0:
        state.forget(maker)


def _settled(
    state: EngineState,
    market: Market,
    taker: Order,
    lots: int,
    price: int,
    base: int,
    quote: int,
    buyer: Order,
    released: int,
    seller: Order,
) -> TradeExecuted:
    """Both receive what the other has paid, less their fees; what is to be told of the trade."""
    rules = market.rules
    if taker.side == BUY:
        buyer_fee, seller_fee = fee_atoms(base, rules.taker_fee_ppm), fee_atoms(quote, rules.maker_fee_ppm)
    else:
        buyer_fee, seller_fee = fee_atoms(base, rules.maker_fee_ppm), fee_atoms(quote, rules.taker_fee_ppm)
    trade = TradeExecuted(
        rules.market_id,
        market.next_trade_id,
        i64(taker.side),
        price,
        lots,
        base,
        quote,
        buyer.order_id,
        buyer.trader.user_id,
        buyer_fee,
        released,
        seller.order_id,
        seller.trader.user_id,
        seller_fee,
    )
    if buyer.trader.standing is not None or seller.trader.standing is not None:
        return charge(state, market, trade, buyer, seller)
    market.quote.receive(seller.trader.quote, quote, seller_fee)
    market.base.receive(buyer.trader.base, base, buyer_fee)
    return trade


def _after_trade(state: EngineState, market: Market, maker: Order, terms: Terms, events: Outcome) -> None:
    """What a trade means for a resting order with terms: its next slice, its end, and its list."""
    traded = events.count - 1
    refill(market, maker, terms, events)
    count_buy(maker, terms)
    if maker.open_lots == 0:
        state.forget(maker)
    if terms.order_list is not None:
        fund_pending(market, maker, terms.order_list, traded, events)
    list_works(state, market, maker, events)


def list_works(state: EngineState, market: Market, order: Order, events: Outcome) -> None:
    """An order has traded (or lost lots): the others of its OCO end; what an OTO has pending may be due."""
    terms = order.terms
    order_list = None if terms is None else terms.order_list
    if terms is None or order_list is None:
        return
    if order_list.working is None:
        leave_list(order)
        end_list(state, market, order_list, codes.EXPIRED, codes.CLOSED_OCO_TRIGGER, "", events)
    elif order.lots_left() == 0:
        leave_list(order)
        order_list.working = None
        order_list.is_due = True
        market.waits().due_lists.append(order_list)


def leave_list(order: Order) -> OrderList | None:
    """Take an order out of its list; the list, None if it stood in none."""
    terms = order.terms
    if terms is None or terms.order_list is None:
        return None
    order_list = terms.order_list
    terms.order_list = None
    order_list.orders.remove(order)
    count_buy(order, terms)
    return order_list


def _reason_of(order_list: OrderList) -> int:
    """Why the others of a list end with one that nobody cancelled."""
    if order_list.working is None and not order_list.is_due:
        return codes.CLOSED_OCO_TRIGGER
    return codes.CLOSED_OTO_PHASE_ONE_EXPIRED


def end_list(
    state: EngineState,
    market: Market,
    order_list: OrderList,
    status: int,
    reason: int,
    cancel_client_order_id: str,
    events: Outcome,
) -> None:
    """A list decides nothing any more: close what still belongs to it."""
    state.forget_list(order_list, market)
    for order in list(order_list.orders):
        leave_list(order)
        close(state, market, order, status, reason, cancel_client_order_id, 0, events)
    events.append(OrderListDone(order_list.order_list_id, order_list.user_id, order_list.market_id))


def close(
    state: EngineState,
    market: Market,
    order: Order,
    status: int,
    reason: int,
    cancel_client_order_id: str,
    counter_order_id: int,
    events: Outcome,
) -> None:
    """End an order that is not filled, wherever it stands, and give its hold back; its list ends with it."""
    released, open_lots = order.held_atoms, order.open_lots
    order.held_atoms = 0
    order.trader.pays(order.side).release(released)
    terms = order.terms
    rested = order.level is not None
    if terms is not None and terms.state != codes.STATE_WORKING:
        rested = False
        if terms.state == codes.STATE_WAITING:
            market.waits().remove(order, terms)
        state.forget(order)
    elif rested:
        market.book.remove(order)
        state.forget(order)
    elif terms is not None and terms.is_known:
        state.forget(order)
    unbooked = open_lots if rested else 0
    _tell_closed(
        market, order, status, reason, released, unbooked, cancel_client_order_id, counter_order_id, events
    )
    if terms is None or terms.order_list is None:
        return
    order_list = terms.order_list
    if reason != codes.CLOSED_BY_USER:
        status, reason = codes.EXPIRED, _reason_of(order_list)
    leave_list(order)
    end_list(state, market, order_list, status, reason, cancel_client_order_id, events)


def _tell_closed(
    market: Market,
    order: Order,
    status: int,
    reason: int,
    released: int,
    unbooked_lots: int,
    cancel_client_order_id: str,
    counter_order_id: int,
    events: Outcome,
) -> None:
    events.append(
        OrderClosed(
            order.order_id,
            order.trader.user_id,
            market.rules.market_id,
            i64(order.side),
            order.price_ticks,
            status,
            reason,
            released,
            unbooked_lots,
            cancel_client_order_id,
            counter_order_id,
        )
    )
