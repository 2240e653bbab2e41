"""The state as plain rows (for snapshots and the state hash), and the invariants as code.

Rows are lists of integers and text in a fixed order, so that equal states give equal bytes.
"""

from typing import Any

from exchange.contracts.codes import BUY, SELL
from exchange.contracts.commands import RegisterMarket
from exchange.contracts.limits import INTEGER_MAX
from matching_engine.core.accounts import AssetTotals, Balance
from matching_engine.core.engine import Engine
from matching_engine.core.engine_state import Withdrawal
from matching_engine.core.id_window import IdWindow
from matching_engine.core.market import Market
from matching_engine.core.order import Order
from matching_engine.core.rules_version import check_rules_version
from matching_engine.core.shard import Shard

# Format of the rows -> the rules version that brings it. A format is written from the command on that
# activates its rules, and not a record earlier: until then the version of the code before can go on with
# what this one has written. Every format in this table can be read.
FIRST_RULES_OF_FORMAT: dict[int, int] = {4: 1}
_RULE_FIELDS = (
    "command_id",
    "market_id",
    "symbol",
    "base_asset_id",
    "quote_asset_id",
    "tick_atoms",
    "lot_atoms",
    "price_ticks_min",
    "price_ticks_max",
    "quantity_lots_min",
    "quantity_lots_max",
    "market_quantity_lots_max",
    "notional_atoms_min",
    "notional_atoms_max",
    "bid_multiplier_up_ppm",
    "bid_multiplier_down_ppm",
    "ask_multiplier_up_ppm",
    "ask_multiplier_down_ppm",
    "open_orders_max",
    "maker_fee_ppm",
    "taker_fee_ppm",
)
_ORDER_FIELDS = (
    "order_id",
    "user_id",
    "market_id",
    "client_order_id",
    "side",
    "price_ticks",
    "quantity_lots",
    "open_lots",
    "stp_mode",
    "held_atoms",
)


class InvariantError(Exception):
    """The state contradicts itself (invariants I1, I2, I3, I6, I8)."""


def format_of(rules_version: int) -> int:
    """The format in which a state under these rules is written: equal states give equal bytes."""
    return max(form for form, first in FIRST_RULES_OF_FORMAT.items() if first <= rules_version)


def to_rows(shard: Shard) -> list[Any]:
    """Return the state as rows, the first of which is their format."""
    engine = shard.engine
    accounts = engine.accounts
    balances = [
        [user_id, asset_id, balance.available, balance.held]
        for user_id in sorted(accounts.balances)
        for asset_id, balance in sorted(accounts.balances[user_id].items())
    ]
    return [
        format_of(engine.rules_version),
        [shard.next_command_offset, shard.chain],
        [engine.seq, engine.epoch, engine.now_ms, engine.next_order_id, engine.rules_version],
        [[a, engine.asset_codes[a], engine.asset_decimals[a]] for a in sorted(engine.asset_decimals)],
        [_market_row(engine.markets[market_id]) for market_id in sorted(engine.markets)],
        balances,
        [
            [a, _counter(t.fees), _counter(t.deposited), _counter(t.withdrawn)]
            for a, t in sorted(accounts.totals.items())
        ],
        [[w.withdrawal_id, w.user_id, w.asset_id, w.amount] for _, w in sorted(engine.withdrawals.items())],
        [engine.deposit_ids.forgotten_max, list(engine.deposit_ids.seen)],
        [engine.withdrawal_ids.forgotten_max, list(engine.withdrawal_ids.seen)],
    ]


def from_rows(rows: list[Any], engine: Engine) -> Shard:
    """Rebuild the state in an empty engine. Raises ValueError on an unknown format, UnknownRulesError."""
    if rows[0] not in FIRST_RULES_OF_FORMAT:
        raise ValueError(f"snapshot of unknown format {rows[0]}")
    (
        _,
        place_in_log,
        counters,
        assets,
        markets,
        balances,
        totals,
        withdrawals,
        deposit_ids,
        withdrawal_ids,
    ) = rows
    shard = Shard(engine)
    accounts = engine.accounts
    shard.next_command_offset, shard.chain = place_in_log
    engine.seq, engine.epoch, engine.now_ms, engine.next_order_id, engine.rules_version = counters
    check_rules_version(engine.rules_version)
    for asset_id, code, decimals in assets:
        engine.asset_codes[asset_id] = code
        engine.asset_decimals[asset_id] = decimals
    for user_id, asset_id, available, held in balances:
        accounts.balances.setdefault(user_id, {})[asset_id] = Balance(available, held)
    for asset_id, fees, deposited, withdrawn in totals:
        accounts.totals[asset_id] = AssetTotals(int(fees), int(deposited), int(withdrawn))
    for row in markets:
        _restore_market(engine, row)
    for withdrawal_id, user_id, asset_id, amount in withdrawals:
        engine.withdrawals[withdrawal_id] = Withdrawal(withdrawal_id, user_id, asset_id, amount)
    engine.deposit_ids = _restored_window(deposit_ids)
    engine.withdrawal_ids = _restored_window(withdrawal_ids)
    return shard


def _counter(value: int) -> int | str:
    """A number that may grow for ever, as text once it is more than 63 bits hold."""
    return value if value <= INTEGER_MAX else str(value)


def _market_row(market: Market) -> list[Any]:
    reference = market.reference
    return [
        [getattr(market.rules, name) for name in _RULE_FIELDS],
        market.unit_atoms,
        market.mode,
        market.next_trade_id,
        [
            list(reference.minutes),
            list(reference.tick_lots),
            list(reference.lots),
            reference.last_ticks,
        ],
        [
            [getattr(order, name) for name in _ORDER_FIELDS]
            for side in (BUY, SELL)
            for order in market.book.orders(side)
        ],
    ]


def _restore_market(engine: Engine, row: list[Any]) -> None:
    rules_row, unit_atoms, mode, next_trade_id, reference_row, orders = row
    rules = RegisterMarket(*rules_row)
    market = engine.new_market(rules, unit_atoms, mode)
    market.next_trade_id = next_trade_id
    reference = market.reference
    reference.minutes, reference.tick_lots, reference.lots, reference.last_ticks = reference_row
    engine.markets[rules.market_id] = market
    # Worst price first, so that each new level becomes the last of its ladder and moves no other.
    levels = _by_level(orders)
    levels.reverse()
    for level in levels:
        for order_row in level:
            trader = engine.trader(market, order_row[1])
            engine.admit(market, trader)
            engine.rest(market, Order(*[*order_row, trader]))


def _by_level(orders: list[list[Any]]) -> list[list[list[Any]]]:
    """Rows of orders, which stand as they would trade, by side and price; oldest first in each."""
    levels: list[list[list[Any]]] = []
    place: tuple[int, int] = (0, 0)
    for order_row in orders:
        here = (order_row[4], order_row[5])
        if here != place:
            levels.append([])
            place = here
        levels[-1].append(order_row)
    return levels


def _restored_window(row: list[Any]) -> IdWindow:
    window = IdWindow()
    window.forgotten_max = row[0]
    for identifier in row[1]:
        window.seen[identifier] = True
    return window


def check_invariants(engine: Engine) -> None:
    """Check I1, I2, I3, I6 and I8 on the whole state. Raises InvariantError."""
    held: dict[tuple[int, int], int] = {}
    for market in engine.markets.values():
        _check_book(engine, market, held)
    for withdrawal in engine.withdrawals.values():
        key = (withdrawal.user_id, withdrawal.asset_id)
        held[key] = held.get(key, 0) + withdrawal.amount
    totals: dict[int, int] = {}
    for user_id, of_user in engine.accounts.balances.items():
        for asset_id, balance in of_user.items():
            if balance.available < 0 or balance.held < 0:
                raise InvariantError(f"I2: user {user_id} has negative money in asset {asset_id}")
            if balance.held != held.pop((user_id, asset_id), 0):
                raise InvariantError(f"I3: user {user_id} holds what no order of asset {asset_id} needs")
            totals[asset_id] = totals.get(asset_id, 0) + balance.available + balance.held
    if held:
        raise InvariantError(f"I3: orders without a hold: {sorted(held)}")
    for asset_id, of_exchange in engine.accounts.totals.items():
        inside = totals.get(asset_id, 0) + of_exchange.fees
        net = of_exchange.deposited - of_exchange.withdrawn
        if inside != net:
            raise InvariantError(f"I1: asset {asset_id} has {inside} atoms inside, {net} came in")


def _check_book(engine: Engine, market: Market, held: dict[tuple[int, int], int]) -> None:
    """One market's book: not crossed, every order legal and known; adds up the holds it needs."""
    rules = market.rules
    best_bid, best_ask = market.book.best(BUY), market.book.best(SELL)
    if best_bid is not None and best_ask is not None and best_bid.price_ticks >= best_ask.price_ticks:
        raise InvariantError(f"I6: {rules.symbol} is crossed")
    for side, asset_id in ((BUY, rules.quote_asset_id), (SELL, rules.base_asset_id)):
        for order in market.book.orders(side):
            if not 0 < order.open_lots <= order.quantity_lots:
                raise InvariantError(f"I8: order {order.order_id} rests with {order.open_lots} lots")
            if engine.orders.get(order.order_id) is not order:
                raise InvariantError(f"I8: order {order.order_id} rests but is not known")
            if side == BUY:
                needed = order.open_lots * order.price_ticks * market.unit_atoms
            else:
                needed = order.open_lots * rules.lot_atoms
            if order.held_atoms != needed:
                raise InvariantError(f"I3: order {order.order_id} holds {order.held_atoms}, not {needed}")
            held[(order.user_id, asset_id)] = held.get((order.user_id, asset_id), 0) + needed
