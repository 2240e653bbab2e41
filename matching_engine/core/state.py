"""The state as plain rows, for snapshots and the state hash.

Rows are lists of integers and text in a fixed order, so that equal states give equal bytes.
"""

from typing import Any

from exchange.contracts.codes import BUY, SELL
from exchange.contracts.commands import RegisterMarket
from exchange.contracts.limits import INTEGER_MAX
from matching_engine.core.accounts import AssetTotals, Balance
from matching_engine.core.engine import Engine
from matching_engine.core.engine_state import Withdrawal
from matching_engine.core.fee_table import FeeTable, FeeTier, Standing
from matching_engine.core.filter_state import filters_row, restore_filters
from matching_engine.core.id_window import IdWindow
from matching_engine.core.market import Market
from matching_engine.core.order import Terms
from matching_engine.core.rules_version import attends_clock, check_rules_version
from matching_engine.core.shard import Shard
from matching_engine.core.terms_state import (
    ORDER_FIELDS,
    lists_row,
    order_from,
    pending_orders,
    restore_lists,
    restore_waiting,
    terms_from,
    terms_row,
    waiting_row,
)

# Format of the rows -> the rules version that brings it. A format is written from the command on that
# activates its rules, and not a record earlier: until then the version of the code before can go on with
# what this one has written. Every format in this table can be read.
FIRST_RULES_OF_FORMAT: dict[int, int] = {4: 1, 5: 4, 6: 5}
FORMAT_OF_TERMS = 5
# Filters and fees that change.
FORMAT_OF_ADMINISTRATION = 6
_ROWS = 10  # of every format; FORMAT_OF_TERMS adds one, FORMAT_OF_ADMINISTRATION two
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
    form = format_of(engine.rules_version)
    rows: list[Any] = [
        form,
        [shard.next_command_offset, shard.chain],
        _counters_row(engine),
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
    if form >= FORMAT_OF_TERMS:
        rows.append(_rows_of_terms(engine))
    if form >= FORMAT_OF_ADMINISTRATION:
        rows += [filters_row(engine), _rows_of_fees(engine.fees)]
    return rows


def _rows_of_fees(fees: FeeTable) -> list[Any]:
    """What format 6 adds: the tiers, the discount, and where accounts stand."""
    return [
        [
            [t.tier, t.asset_id, t.volume_atoms_min, t.maker_share_ppm, t.taker_share_ppm]
            for _, t in sorted(fees.tiers.items())
        ],
        [fees.discount_asset_id, fees.discount_ppm],
        [[user_id, s.tier, int(s.pays_discounted)] for user_id, s in sorted(fees.standings.items())],
    ]


def _restore_fees(fees: FeeTable, rows: list[Any]) -> None:
    tiers, discount, standings = rows
    for row in tiers:
        fees.tiers[row[0]] = FeeTier(row[0], row[1], row[2], row[3], row[4])
    fees.discount_asset_id, fees.discount_ppm = discount
    for user_id, tier, pays_discounted in standings:
        fees.standings[user_id] = Standing(tier, pays_discounted == 1)


def _rows_of_terms(engine: Engine) -> list[Any]:
    """What format 5 adds: the terms of orders on books, by order id; what waits, by market; lists; turns."""
    pending = pending_orders(engine)
    markets = [engine.markets[market_id] for market_id in sorted(engine.markets)]
    return [
        engine.next_order_list_id,
        list(engine.backlog),
        [
            [order.order_id, *terms_row(order.terms)]
            for market in markets
            for side in (BUY, SELL)
            for order in market.book.orders(side)
            if order.terms is not None
        ],
        [waiting_row(market, pending.get(market.rules.market_id, [])) for market in markets],
        lists_row(engine),
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
    ) = rows[:_ROWS]
    of_terms: list[Any] = rows[_ROWS] if rows[0] >= FORMAT_OF_TERMS else [1, [], [], [], []]
    terms_of = {row[0]: terms_from(row[1:]) for row in of_terms[2]}
    shard = Shard(engine)
    accounts = engine.accounts
    shard.next_command_offset, shard.chain = place_in_log
    engine.seq, engine.epoch, engine.now_ms, engine.next_order_id, engine.rules_version = counters[:5]
    check_rules_version(engine.rules_version)
    if attends_clock(engine.rules_version):
        engine.attended_ms = counters[5]
    for asset_id, code, decimals in assets:
        engine.asset_codes[asset_id] = code
        engine.asset_decimals[asset_id] = decimals
    for user_id, asset_id, available, held in balances:
        accounts.balances.setdefault(user_id, {})[asset_id] = Balance(available, held)
    for asset_id, fees, deposited, withdrawn in totals:
        accounts.totals[asset_id] = AssetTotals(int(fees), int(deposited), int(withdrawn))
    if rows[0] >= FORMAT_OF_ADMINISTRATION:
        _restore_fees(engine.fees, rows[_ROWS + 2])
    for row in markets:
        _restore_market(engine, row, terms_of)
    engine.find_discount_markets()
    for withdrawal_id, user_id, asset_id, amount in withdrawals:
        engine.withdrawals[withdrawal_id] = Withdrawal(withdrawal_id, user_id, asset_id, amount)
    engine.deposit_ids = _restored_window(deposit_ids)
    engine.withdrawal_ids = _restored_window(withdrawal_ids)
    _restore_terms(engine, of_terms)
    if rows[0] >= FORMAT_OF_ADMINISTRATION:
        restore_filters(engine, rows[_ROWS + 1])
    return shard


def _restore_terms(engine: Engine, rows: list[Any]) -> None:
    engine.next_order_list_id = rows[0]
    engine.backlog = dict.fromkeys(rows[1], True)
    due: dict[int, list[int]] = {}
    for market_id, row in zip(sorted(engine.markets), rows[3], strict=False):
        restore_waiting(engine, engine.markets[market_id], row)
        if row:
            due[market_id] = row[3]
    restore_lists(engine, rows[4], due)


def _counters_row(engine: Engine) -> list[int]:
    row = [engine.seq, engine.epoch, engine.now_ms, engine.next_order_id, engine.rules_version]
    return [*row, engine.attended_ms] if attends_clock(engine.rules_version) else row


def _counter(value: int) -> int | str:
    """A number that may grow for ever, as text once it is more than 63 bits hold."""
    return value if value <= INTEGER_MAX else str(value)


def _market_row(market: Market) -> list[Any]:
    return [
        [getattr(market.rules, name) for name in _RULE_FIELDS],
        market.unit_atoms,
        market.mode,
        market.next_trade_id,
        [*market.reference.buckets(), market.reference.last_ticks],
        [
            [getattr(order, name) for name in ORDER_FIELDS]
            for side in (BUY, SELL)
            for order in market.book.orders(side)
        ],
    ]


def _restore_market(engine: Engine, row: list[Any], terms_of: dict[int, Terms]) -> None:
    rules_row, unit_atoms, mode, next_trade_id, reference_row, orders = row
    rules = RegisterMarket(*rules_row)
    market = engine.new_market(rules, unit_atoms, mode)
    market.next_trade_id = next_trade_id
    minutes, tick_lots, lots, last_ticks = reference_row
    market.reference.restore(minutes, tick_lots, lots, last_ticks)
    engine.markets[rules.market_id] = market
    # Worst price first, so that each new level becomes the last of its ladder and moves no other.
    levels = _by_level(orders)
    levels.reverse()
    for level in levels:
        for order_row in level:
            trader = engine.trader(market, order_row[1])
            engine.admit(market, trader)
            order = order_from(order_row, trader)
            terms = terms_of.get(order.order_id)
            if terms is None:
                engine.rest(market, order)
            else:
                # Its shown lots are the row's, its hidden ones the terms'.
                order.terms = terms
                market.book.add(order)
                engine.know(order, terms)


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
