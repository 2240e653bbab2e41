"""Orders: placing, matching, cancelling. Every movement of money and lots is written out in an event."""

from exchange.contracts import codes
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.commands import CancelAllOrders, CancelOrder, PlaceOrder
from exchange.contracts.events import CommandRejected, Event, OrderAccepted, OrderClosed, TradeExecuted
from matching_engine.core.engine_limits import UNBOUNDED
from matching_engine.core.engine_state import EngineState
from matching_engine.core.market import Market, within_limit
from matching_engine.core.order import Order, Trader
from matching_engine.core.rules import (
    fee_atoms,
    is_well_formed,
    limit_order_rejection,
    market_order_rejection,
)
from matching_engine.core.rules_version import bounds_work


def place(state: EngineState, command: PlaceOrder, events: list[Event]) -> None:
    """Check an order, hold its money, trade what crosses, rest or expire the remainder."""
    user_id = command.user_id
    market = state.markets.get(command.market_id)
    if market is None:
        _reject(command, codes.REJECT_UNKNOWN_MARKET, events)
        return
    trader = state.trader(market, user_id)
    reason = _placement_rejection(state, market, trader, command)
    if reason:
        _reject(command, reason, events)
        return
    side = command.side
    pays = trader.pays(side)
    if pays.available == 0 and bounds_work(state.rules_version):
        _reject(command, codes.REJECT_INSUFFICIENT_BALANCE, events)
        return
    has_own = trader.open_orders > 0
    quantity, hold = _quantity_and_hold(state, market, command, pays.available, has_own)
    if quantity < market.rules.quantity_lots_min and (
        hold <= pays.available or not bounds_work(state.rules_version)
    ):
        _reject(command, codes.REJECT_QUOTE_BUYS_LESS_THAN_A_LOT, events)
        return
    if hold > pays.available:
        _reject(command, codes.REJECT_INSUFFICIENT_BALANCE, events)
        return
    unfillable = _is_unfillable(state, market, command, quantity, has_own)
    state.admit(market, trader)
    pays.hold(hold)
    order = Order(
        state.next_order_id,
        user_id,
        command.market_id,
        command.client_order_id,
        side,
        command.price_ticks,
        quantity,
        quantity,
        command.stp_mode,
        hold,
        trader,
    )
    state.next_order_id += 1
    accepted = _accepted(order, command)
    events.append(accepted)
    if unfillable:
        _close(state, market, order, codes.EXPIRED, codes.CLOSED_FOK_UNFILLABLE, "", 0, events)
        return
    if not _match(state, market, order, events):
        return
    if order.open_lots == 0:
        assert order.held_atoms == 0, "a filled order holds nothing"
    elif command.order_type == codes.MARKET:
        _close(state, market, order, codes.EXPIRED, codes.CLOSED_NO_LIQUIDITY, "", 0, events)
    elif command.time_in_force == codes.GTC:
        accepted.resting_lots = order.open_lots
        state.rest(market, order)
    else:
        _close(state, market, order, codes.EXPIRED, codes.CLOSED_IOC_REMAINDER, "", 0, events)


def _reject(command: PlaceOrder, reason: int, events: list[Event]) -> None:
    events.append(CommandRejected(command.user_id, command.market_id, reason, command.client_order_id, ""))


def _is_unfillable(
    state: EngineState, market: Market, command: PlaceOrder, quantity: int, has_own: bool
) -> bool:
    """Whether a fill-or-kill order would not be filled whole, the bound on matching included."""
    if command.time_in_force != codes.FOK or command.order_type == codes.MARKET:
        return False
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


def _quantity_and_hold(
    state: EngineState, market: Market, command: PlaceOrder, available: int, has_own: bool
) -> tuple[int, int]:
    """Return (lots, atoms to hold). A MARKET order holds exactly what the book will cost it.

    The book is looked at no further than matching goes, and than `available` atoms pay: beyond that the
    result is only known to be too much. By quote quantity the lots include those that matching will not
    come to, so that the order ends as expired, not as filled.
    """
    side, quantity = command.side, command.quantity_lots
    makers_max = state.fills_max()
    bounded = bounds_work(state.rules_version)
    if command.quote_quantity_atoms:
        budget = command.quote_quantity_atoms // market.unit_atoms
        buys = side == BUY
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
        cost_max = available // market.unit_atoms if bounded else UNBOUNDED
        _, cost = market.fillable(
            side, 0, quantity, command.user_id, command.stp_mode, makers_max, cost_max, has_own
        )
        return quantity, cost * market.unit_atoms
    return quantity, command.price_ticks * (quantity * market.unit_atoms)


def _placement_rejection(state: EngineState, market: Market, trader: Trader, command: PlaceOrder) -> int:
    """Everything that can be refused before the book and the money are looked at."""
    if not is_well_formed(command):
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
        reason = market_order_rejection(market.rules, market.unit_atoms, command, reference)
    else:
        reason = limit_order_rejection(market.rules, market.unit_atoms, command, reference)
    if reason:
        return reason
    if trader.open_orders >= state.open_orders_max(market):
        return codes.REJECT_MAX_NUM_ORDERS
    if is_maker_only and market.crosses(command.side, command.price_ticks):
        return codes.REJECT_WOULD_TAKE
    return 0


def _match(state: EngineState, market: Market, taker: Order, events: list[Event]) -> bool:
    """Trade while prices cross. False when the taker was closed.

    That is: by self-trade prevention, or because it has met as many orders as one may. What is left of it
    then expires whatever its time in force says, for it must not rest where it would trade.
    """
    book = market.book
    left = state.fills_max()
    limit_ticks = taker.price_ticks  # 0, and so no limit, for a MARKET order
    other_side = SELL if taker.side == BUY else BUY
    while taker.open_lots:
        maker = book.best(other_side)
        if maker is None or not within_limit(taker.side, limit_ticks, maker.price_ticks):
            return True
        if left == 0:
            _close(state, market, taker, codes.EXPIRED, codes.CLOSED_TOO_MANY_FILLS, "", 0, events)
            return False
        left -= 1
        if maker.user_id == taker.user_id and taker.stp_mode != codes.STP_NONE:
            if not _prevent(state, market, taker, maker, events):
                return False
        else:
            _trade(state, market, taker, maker, events)
    return True


def _prevent(state: EngineState, market: Market, taker: Order, maker: Order, events: list[Event]) -> bool:
    """Keep a user from trading with itself (binance-spot-api 2.8). False when the taker ended."""
    mode = taker.stp_mode
    status, reason = codes.EXPIRED_IN_MATCH, codes.CLOSED_SELF_TRADE
    if mode in (codes.STP_EXPIRE_MAKER, codes.STP_EXPIRE_BOTH):
        _close(state, market, maker, status, reason, "", taker.order_id, events)
    if mode in (codes.STP_EXPIRE_TAKER, codes.STP_EXPIRE_BOTH):
        _close(state, market, taker, status, reason, "", maker.order_id, events)
        return False
    return True


def _trade(state: EngineState, market: Market, taker: Order, maker: Order, events: list[Event]) -> None:
    """One trade at the maker's price: move lots on the book and money in the accounts."""
    rules = market.rules
    price = maker.price_ticks
    lots = min(taker.open_lots, maker.open_lots)
    atoms_per_tick = lots * market.unit_atoms
    base, quote = lots * rules.lot_atoms, price * atoms_per_tick
    taker_buys = taker.side == BUY
    buyer, seller = (taker, maker) if taker_buys else (maker, taker)
    buyer_ppm, seller_ppm = rules.taker_fee_ppm, rules.maker_fee_ppm
    if not taker_buys:
        buyer_ppm, seller_ppm = seller_ppm, buyer_ppm
    buyer_fee, seller_fee = fee_atoms(base, buyer_ppm), fee_atoms(quote, seller_ppm)
    market.book.reduce(maker, lots)
    taker.open_lots -= lots
    # A limit buyer held its own price; what the better price saves goes back at once. A market
    # buyer (price 0) held exactly the cost.
    released = (buyer.price_ticks - price) * atoms_per_tick if buyer.price_ticks else 0
    buyer.held_atoms -= quote + released
    seller.held_atoms -= base
    buyer.trader.quote.pay(quote)
    market.quote.receive(seller.trader.quote, quote, seller_fee)
    seller.trader.base.pay(base)
    market.base.receive(buyer.trader.base, base, buyer_fee)
    if released:
        buyer.trader.quote.release(released)
    market.reference.record(state.now_ms, price, lots)
    events.append(
        TradeExecuted(
            rules.market_id,
            market.next_trade_id,
            taker.side,
            price,
            lots,
            base,
            quote,
            buyer.order_id,
            buyer.user_id,
            buyer_fee,
            released,
            seller.order_id,
            seller.user_id,
            seller_fee,
        )
    )
    market.next_trade_id += 1
    if maker.open_lots == 0:
        state.forget(maker)


def _close(
    state: EngineState,
    market: Market,
    order: Order,
    status: int,
    reason: int,
    cancel_client_order_id: str,
    counter_order_id: int,
    events: list[Event],
) -> None:
    """End an order that is not filled, resting or not, and give its hold back."""
    rules = market.rules
    released, open_lots = order.held_atoms, order.open_lots
    order.held_atoms = 0
    order.trader.pays(order.side).release(released)
    rested = order.level is not None
    if rested:
        market.book.remove(order)
        state.forget(order)
    events.append(
        OrderClosed(
            order.order_id,
            order.user_id,
            rules.market_id,
            order.side,
            order.price_ticks,
            status,
            reason,
            released,
            open_lots if rested else 0,
            cancel_client_order_id,
            counter_order_id,
        )
    )


def cancel(state: EngineState, command: CancelOrder, events: list[Event]) -> None:
    """Close one open order of the user."""
    market = state.markets.get(command.market_id)
    order: Order | None
    if command.order_id:
        order = state.orders.get(command.order_id)
    else:
        named = state.orders_by_name.get(command.user_id)
        order = named.get(command.client_order_id) if named is not None else None
    reason = 0
    if market is None:
        reason = codes.REJECT_UNKNOWN_MARKET
    elif command.valid_until_ms and state.now_ms > command.valid_until_ms:
        reason = codes.REJECT_STALE
    elif market.mode == codes.MODE_HALTED:
        reason = codes.REJECT_MARKET_CLOSED
    elif order is None or order.user_id != command.user_id or order.market_id != command.market_id:
        reason = codes.REJECT_UNKNOWN_ORDER
    elif command.client_order_id and order.client_order_id != command.client_order_id:
        reason = codes.REJECT_CLIENT_ORDER_ID_MISMATCH
    elif _is_restricted(order, command.restriction):
        reason = codes.REJECT_CANCEL_RESTRICTED
    if reason or market is None or order is None:
        events.append(
            CommandRejected(command.user_id, command.market_id, reason, command.client_order_id, "")
        )
        return
    _close(
        state,
        market,
        order,
        codes.CANCELED,
        codes.CLOSED_BY_USER,
        command.cancel_client_order_id,
        0,
        events,
    )


def cancel_all(state: EngineState, command: CancelAllOrders, events: list[Event]) -> None:
    """Close every open order of the user in one market, oldest first."""
    market = state.markets.get(command.market_id)
    reason = 0
    if market is None:
        reason = codes.REJECT_UNKNOWN_MARKET
    elif command.valid_until_ms and state.now_ms > command.valid_until_ms:
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
        _close(
            state,
            market,
            order,
            codes.CANCELED,
            codes.CLOSED_BY_USER,
            command.cancel_client_order_id,
            0,
            events,
        )


def _order_id(order: Order) -> int:
    return order.order_id


def _is_restricted(order: Order, restriction: int) -> bool:
    untouched = order.open_lots == order.quantity_lots
    if restriction == codes.CANCEL_ONLY_NEW:
        return not untouched
    return restriction == codes.CANCEL_ONLY_PARTIALLY_FILLED and untouched


def _accepted(order: Order, command: PlaceOrder) -> OrderAccepted:
    return OrderAccepted(
        order.order_id,
        order.user_id,
        order.market_id,
        order.client_order_id,
        order.side,
        command.order_type,
        command.time_in_force,
        order.price_ticks,
        order.quantity_lots,
        command.quote_quantity_atoms,
        order.stp_mode,
        order.held_atoms,
        0,
    )
