"""Which filters an order breaks, told in the plainest way: every order looked at, fractions, no shortcuts.

The reference for `matching_engine.core.filtering` (binance-spot-api 2.2, ADR 0045). Of filters that a command
switched on; those that every market has are told by the rules alone.
"""

from fractions import Fraction

from exchange.contracts import codes
from exchange.contracts.codes import BUY
from exchange.contracts.commands import Command, PlaceOrder
from exchange.contracts.order_commands import OrderLeg, PlaceOrderList, PlaceOrderWithTerms
from matching_engine.core.engine import Engine
from matching_engine.core.order import Order

__all__ = ["TOLD", "broken_filters"]

# What this can tell: the reasons of the filters that nobody has unless a command sets them.
TOLD = frozenset(range(codes.REJECT_MIN_NOTIONAL, codes.REJECT_MAX_ASSET + 1))
STOPS = (codes.STOP_LOSS, codes.STOP_LOSS_LIMIT, codes.TAKE_PROFIT, codes.TAKE_PROFIT_LIMIT)
AT_ANY_PRICE = (codes.MARKET, codes.STOP_LOSS, codes.TAKE_PROFIT)


def broken_filters(engine: Engine, command: Command, lots: int = 0) -> set[int]:
    """codes.REJECT_* of every such filter that placing this breaks, as the state is before it.

    `lots`: what an order by quote amount comes to, 0 where that is not known.
    """
    if isinstance(command, PlaceOrder):
        legs = [_leg(command, 0)]
    elif isinstance(command, PlaceOrderWithTerms):
        legs = [_leg(command, command.iceberg_lots, command.stop_price_ticks, command.peg_price_type)]
    elif isinstance(command, PlaceOrderList):
        legs = command.legs
    else:
        return set()
    quote = 0 if isinstance(command, PlaceOrderList) else command.quote_quantity_atoms
    if lots:
        legs[0].quantity_lots = lots
    # What another order pays has no quantity yet: its price is looked at now, the rest later (ADR 0046).
    of_one = [_of_one(engine, command.market_id, leg, quote) for leg in legs]
    return set().union(
        *of_one, _of_account(engine, command.user_id, legs, command), _position(engine, command, legs)
    )


def _leg(command: PlaceOrder | PlaceOrderWithTerms, iceberg: int, stop: int = 0, peg: int = 0) -> OrderLeg:
    return OrderLeg(
        command.client_order_id, command.side, command.order_type, command.time_in_force,
        command.price_ticks, command.quantity_lots, stop, 0, iceberg, 0, 0, peg, 0,
    )  # fmt: skip


def _values(engine: Engine, kind: int, market_id: int = 0, asset_id: int = 0) -> tuple[int, int]:
    command = engine.filters.set_by.get((kind, market_id, asset_id))
    return (0, 0) if command is None else (command.first, command.second)


def _of_one(engine: Engine, market_id: int, leg: OrderLeg, quote_atoms: int) -> set[int]:
    market = engine.markets[market_id]
    broken: set[int] = set()
    any_price = leg.order_type in AT_ANY_PRICE
    numerator, denominator = market.reference.fraction(engine.now_ms)
    average = Fraction(numerator, denominator) if denominator else Fraction(0)
    if leg.peg_price_type:
        return broken | _too_large(engine, market_id, leg, None)
    if quote_atoms:
        notional: int | None = quote_atoms
    elif leg.order_type == codes.MARKET:
        notional = int(average * leg.quantity_lots * market.unit_atoms)
    else:
        price = leg.price_ticks or leg.stop_price_ticks or market.reference.last_ticks
        notional = price * leg.quantity_lots * market.unit_atoms
    least, to_market = _values(engine, codes.FILTER_MIN_NOTIONAL, market_id)
    if notional and notional < least and (to_market or not any_price):
        broken.add(codes.REJECT_MIN_NOTIONAL)
    up, down = _values(engine, codes.FILTER_PERCENT_PRICE, market_id)
    if up and average and leg.price_ticks:
        ratio = Fraction(leg.price_ticks) / average * 10**6
        if not down <= ratio <= up:
            broken.add(codes.REJECT_PERCENT_PRICE)
    return broken | _too_large(engine, market_id, leg, notional)


def _too_large(engine: Engine, market_id: int, leg: OrderLeg, notional: int | None) -> set[int]:
    rules = engine.markets[market_id].rules
    base, _ = _values(engine, codes.FILTER_MAX_ASSET, 0, rules.base_asset_id)
    quote, _ = _values(engine, codes.FILTER_MAX_ASSET, 0, rules.quote_asset_id)
    is_large = (base and leg.quantity_lots * rules.lot_atoms > base) or (
        quote and notional and notional > quote
    )
    return {codes.REJECT_MAX_ASSET} if is_large else set()


def _open_orders(engine: Engine, user_id: int) -> list[Order]:
    return list(engine.orders_by_name.get(user_id, {}).values())


def _of_account(engine: Engine, user_id: int, legs: list[OrderLeg], command: Command) -> set[int]:
    orders = _open_orders(engine, user_id)
    lists = [one for one in engine.order_lists.values() if one.user_id == user_id]
    waiting = [o for o in orders if o.terms is not None and o.terms.order_type in STOPS]
    icebergs = [o for o in orders if o.terms is not None and o.terms.iceberg_lots]
    adds_stops = sum(leg.order_type in STOPS for leg in legs)
    adds_icebergs = sum(leg.iceberg_lots > 0 for leg in legs)
    adds_lists = int(isinstance(command, PlaceOrderList))
    broken: set[int] = set()
    for kind, reason, there, more in (
        (codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, codes.REJECT_EXCHANGE_MAX_NUM_ORDERS, orders, len(legs)),
        (codes.FILTER_EXCHANGE_MAX_NUM_ALGO_ORDERS, codes.REJECT_EXCHANGE_MAX_NUM_ALGO_ORDERS, waiting,
         adds_stops),
        (codes.FILTER_EXCHANGE_MAX_NUM_ICEBERG_ORDERS, codes.REJECT_EXCHANGE_MAX_NUM_ICEBERG_ORDERS, icebergs,
         adds_icebergs),
        (codes.FILTER_EXCHANGE_MAX_NUM_ORDER_LISTS, codes.REJECT_EXCHANGE_MAX_NUM_ORDER_LISTS, lists,
         adds_lists),
    ):  # fmt: skip
        most, _ = _values(engine, kind)
        if most and more and len(there) + more > most:
            broken.add(reason)
    return broken


def _position(
    engine: Engine, command: PlaceOrder | PlaceOrderWithTerms | PlaceOrderList, legs: list[OrderLeg]
) -> set[int]:
    market_id, user_id = command.market_id, command.user_id
    most, _ = _values(engine, codes.FILTER_MAX_POSITION, market_id)
    bought = [leg.quantity_lots for leg in legs if leg.side == BUY]
    if not most or not sum(bought):
        return set()
    if isinstance(command, PlaceOrderList) and command.contingency != codes.CONTINGENCY_OTO:
        # Of the OCO at the end one leg is filled at most.
        bought = bought[:-1] if legs[-1].side == BUY else bought
    rules = engine.markets[market_id].rules
    of_user = engine.accounts.balances.get(user_id, {}).get(rules.base_asset_id)
    has = 0 if of_user is None else of_user.available + of_user.held
    in_ocos: dict[int, int] = {}
    lots = sum(bought)
    for order in _open_orders(engine, user_id):
        if order.market_id != market_id or order.side != BUY:
            continue
        order_list = None if order.terms is None else order.terms.order_list
        if (
            order_list is None
            or order_list.contingency == codes.CONTINGENCY_OTO
            or order is order_list.working
        ):
            lots += order.lots_left()
        else:
            number = order_list.order_list_id
            in_ocos[number] = max(in_ocos.get(number, 0), order.lots_left())
    position = has + (lots + sum(in_ocos.values())) * rules.lot_atoms
    return {codes.REJECT_MAX_POSITION} if position > most else set()
