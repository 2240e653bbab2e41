"""The invariants as code: what is true of the whole state after every command."""

from exchange.contracts import codes
from exchange.contracts.codes import BUY, SELL
from matching_engine.core.engine import Engine
from matching_engine.core.funding import pays_pending
from matching_engine.core.market import Market
from matching_engine.core.order import Order
from matching_engine.core.position import is_second_leg
from matching_engine.core.terms_rules import need_atoms
from matching_engine.core.trailing import orders_of
from matching_engine.core.waiting import Waiting


class InvariantError(Exception):
    """The state contradicts itself (invariants I1, I2, I3, I6, I8)."""


def check_invariants(engine: Engine) -> None:
    """Check I1, I2, I3, I6 and I8 on the whole state. Raises InvariantError."""
    held: dict[tuple[int, int], int] = {}
    orders = 0
    for market in engine.markets.values():
        found = _check_book(engine, market)
        if market.waiting is not None:
            found += _check_waiting(engine, market, market.waiting)
        orders += len(found)
        if found and market.mode == codes.MODE_RETIRED and market.rules.market_id not in engine.retiring:
            raise InvariantError(f"I8: {market.rules.symbol} has ended and keeps {len(found)} orders")
        _check_holds(market, found, held)
        _check_positions(engine, market)
    orders += sum(_pending_orders(engine, held))
    if orders != len(engine.orders):
        raise InvariantError(f"I8: {len(engine.orders)} orders are known, {orders} were found")
    for withdrawal in engine.withdrawals.values():
        key = (withdrawal.user_id, withdrawal.asset_id)
        held[key] = held.get(key, 0) + withdrawal.amount
    _check_money(engine, held)


def _check_money(engine: Engine, held: dict[tuple[int, int], int]) -> None:
    """Nothing is negative, held money is what orders and withdrawals need, and all of it came in."""
    totals: dict[int, int] = {}
    for user_id, of_user in engine.accounts.balances.items():
        for asset_id, balance in of_user.items():
            if balance.available < 0 or balance.held < 0:
                raise InvariantError(f"I2: user {user_id} has negative money in asset {asset_id}")
            if balance.held != held.pop((user_id, asset_id), 0):
                raise InvariantError(f"I3: user {user_id} holds what no order of asset {asset_id} needs")
            totals[asset_id] = totals.get(asset_id, 0) + balance.available + balance.held
    if any(held.values()):
        raise InvariantError(f"I3: orders without a hold: {sorted(held)}")
    for asset_id, of_exchange in engine.accounts.totals.items():
        inside = totals.get(asset_id, 0) + of_exchange.fees
        net = of_exchange.deposited - of_exchange.withdrawn
        if inside != net:
            raise InvariantError(f"I1: asset {asset_id} has {inside} atoms inside, {net} came in")


def _check_book(engine: Engine, market: Market) -> list[Order]:
    """One market's book: not crossed, every order legal and known; its orders."""
    rules = market.rules
    best_bid, best_ask = market.book.best(BUY), market.book.best(SELL)
    if best_bid is not None and best_ask is not None and best_bid.price_ticks >= best_ask.price_ticks:
        raise InvariantError(f"I6: {rules.symbol} is crossed")
    found = market.book.orders(BUY) + market.book.orders(SELL)
    for order in found:
        if order.open_lots <= 0 or order.lots_left() > order.quantity_lots:
            raise InvariantError(f"I8: order {order.order_id} rests with {order.open_lots} lots")
        if engine.orders.get(order.order_id) is not order:
            raise InvariantError(f"I8: order {order.order_id} rests but is not known")
        if order.terms is not None and order.terms.state != codes.STATE_WORKING:
            raise InvariantError(f"I8: order {order.order_id} rests but does not work")
    return found


def _check_waiting(engine: Engine, market: Market, waiting: Waiting) -> list[Order]:
    """What waits in one market is known, and what is due has its turn; its orders."""
    found: list[Order] = []
    for stops in (waiting.rising, waiting.falling, waiting.starts_rising, waiting.starts_falling):
        found += stops.orders()
    for side in (BUY, SELL):
        for segment in waiting.trails.of(side).segments():
            found += orders_of(segment)
    for order in found:
        if engine.orders.get(order.order_id) is not order:
            raise InvariantError(f"I8: order {order.order_id} waits but is not known")
        if order.terms is None or order.terms.state != codes.STATE_WAITING:
            raise InvariantError(f"I8: order {order.order_id} stands among those that wait")
    is_due = waiting.due_list() is not None or waiting.due_order() is not None
    if (is_due or waiting.due_start() is not None) and market.rules.market_id not in engine.backlog:
        raise InvariantError(f"I8: {market.rules.symbol} has orders that are due and have no turn")
    return found


def _pending_orders(engine: Engine, held: dict[tuple[int, int], int]) -> list[int]:
    """For each list how many of its orders are pending; adds up what they hold.

    Which is nothing, but for the first of those that a working order pays.
    """
    counts: list[int] = []
    for order_list in engine.order_lists.values():
        pending = 0
        for order in order_list.orders:
            if order.terms is None or order.terms.order_list is not order_list:
                raise InvariantError(f"I8: order {order.order_id} does not know its list")
            if order.terms.state == codes.STATE_PENDING:
                pending += 1
                is_paid = pays_pending(order_list.contingency) and pending == 1
                if order.held_atoms and not is_paid:
                    raise InvariantError(f"I3: order {order.order_id} is pending and holds")
                key = (order.user_id, engine.markets[order.market_id].rules.base_asset_id)
                held[key] = held.get(key, 0) + order.held_atoms
        counts.append(pending)
    return counts


def _check_positions(engine: Engine, market: Market) -> None:
    """What each trader's open BUY orders would bring is what its orders say one by one (MAX_POSITION)."""
    for trader in market.traders.values():
        lots = 0
        for order in trader.named.values():
            if order.trader is not trader or order.side != BUY:
                continue
            if order.terms is None or not is_second_leg(order, order.terms):
                lots += order.lots_left()
        if trader.open_buy_lots != lots:
            raise InvariantError(
                f"I8: user {trader.user_id} buys {lots} lots of {market.rules.symbol},"
                f" {trader.open_buy_lots} are counted"
            )


def _check_holds(market: Market, orders: list[Order], held: dict[tuple[int, int], int]) -> None:
    """Each order holds what it needs, an OCO what the largest of its legs needs; adds up the holds."""
    rules = market.rules
    of_lists: dict[int, list[int]] = {}
    for order in orders:
        asset_id = rules.quote_asset_id if order.side == BUY else rules.base_asset_id
        terms = order.terms
        waits = terms is not None and terms.state == codes.STATE_WAITING
        ticks = terms.hold_ticks if terms is not None and waits else order.price_ticks
        needed = need_atoms(market, order.side, order.lots_left(), ticks)
        order_list = None if terms is None else terms.order_list
        if order_list is not None and order_list.working is None:
            sums = of_lists.setdefault(order_list.order_list_id, [0, 0])
            sums[0] += order.held_atoms
            sums[1] = max(sums[1], needed)
        elif order.held_atoms != needed:
            raise InvariantError(f"I3: order {order.order_id} holds {order.held_atoms}, not {needed}")
        held[(order.user_id, asset_id)] = held.get((order.user_id, asset_id), 0) + order.held_atoms
    for number, (has, needs) in of_lists.items():
        if has != needs:
            raise InvariantError(f"I3: list {number} holds {has}, not {needs}")
