"""Filters that change while markets trade (rules version 5, ADR 0045). Open orders keep what they have."""

from exchange.contracts import codes
from exchange.contracts.events import CommandRejected, Outcome
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.limits import ICEBERG_PARTS_MAX, TRAILING_BIPS_MAX, TRAILING_BIPS_MIN
from matching_engine.core.engine_limits import UNBOUNDED
from matching_engine.core.engine_state import EngineState
from matching_engine.core.market import Market
from matching_engine.core.rules import copy_of

# How many values a filter has; the others have one.
_VALUES = {
    codes.FILTER_PRICE: 3,
    codes.FILTER_LOT_SIZE: 3,
    codes.FILTER_MARKET_LOT_SIZE: 3,
    codes.FILTER_NOTIONAL: 4,
    codes.FILTER_MIN_NOTIONAL: 2,
    codes.FILTER_PERCENT_PRICE: 2,
    codes.FILTER_PERCENT_PRICE_BY_SIDE: 4,
    codes.FILTER_TRAILING_DELTA: 4,
}


def set_filter(state: EngineState, command: SetFilter, events: Outcome) -> None:
    """Change one filter, or say why not."""
    market = state.markets.get(command.market_id)
    kind, reason = command.filter_type, 0
    of_market = codes.FILTER_PRICE <= kind <= codes.FILTER_MAX_POSITION
    of_account = codes.FILTER_EXCHANGE_MAX_NUM_ORDERS <= kind <= codes.FILTER_EXCHANGE_MAX_NUM_ORDER_LISTS
    if of_market and market is None:
        reason = codes.REJECT_UNKNOWN_MARKET
    elif kind == codes.FILTER_MAX_ASSET and command.asset_id not in state.asset_decimals:
        reason = codes.REJECT_UNKNOWN_ASSET
    problem = ""
    if not reason:
        if not (of_market or of_account or kind == codes.FILTER_MAX_ASSET):
            problem = "no such filter"
        elif (command.market_id and not of_market) or (command.asset_id and kind != codes.FILTER_MAX_ASSET):
            problem = "the filter is another's"
        else:
            problem = _problem(state, command)
    if reason or problem:
        reason = reason or codes.REJECT_MALFORMED
        events.append(CommandRejected(0, command.market_id, reason, "", problem))
        return
    keep_filter(state, command)
    events.append(
        FilterChanged(
            kind,
            command.market_id,
            command.asset_id,
            command.first,
            command.second,
            command.third,
            command.fourth,
        )
    )


def keep_filter(state: EngineState, command: SetFilter) -> None:
    """Let a filter hold that was accepted."""
    filters, kind = state.filters, command.filter_type
    filters.set_by[(kind, command.market_id, command.asset_id)] = command
    market = state.markets.get(command.market_id)
    if market is not None:
        _keep_in_rules(market, command)
        _keep_counts(market, command)
        _keep_own(market, command)
        state.look_at_filters(market)
        return
    of_account = filters.of_account
    if kind == codes.FILTER_EXCHANGE_MAX_NUM_ORDERS:
        of_account.orders_max = command.first
    elif kind == codes.FILTER_EXCHANGE_MAX_NUM_ALGO_ORDERS:
        of_account.algo_orders_max = command.first
    elif kind == codes.FILTER_EXCHANGE_MAX_NUM_ICEBERG_ORDERS:
        of_account.iceberg_orders_max = command.first
    elif kind == codes.FILTER_EXCHANGE_MAX_NUM_ORDER_LISTS:
        of_account.order_lists_max = command.first
    else:
        filters.asset_atoms_max[command.asset_id] = command.first
    for each in state.markets.values():
        state.look_at_filters(each)


def _keep_in_rules(market: Market, command: SetFilter) -> None:
    """Filters that a market has been registered with: its rules are exchanged, never changed.

    The command that they come from belongs to whoever has read it.
    """
    kind = command.filter_type
    rules = copy_of(market.rules)
    first, second, third, fourth = command.first, command.second, command.third, command.fourth
    if kind == codes.FILTER_PRICE:
        rules.price_ticks_min, rules.price_ticks_max = first, second
    elif kind == codes.FILTER_LOT_SIZE:
        rules.quantity_lots_min, rules.quantity_lots_max = first, second
    elif kind == codes.FILTER_MARKET_LOT_SIZE:
        rules.market_quantity_lots_max = second
    elif kind == codes.FILTER_NOTIONAL:
        rules.notional_atoms_min, rules.notional_atoms_max = first, third
    elif kind == codes.FILTER_PERCENT_PRICE_BY_SIDE:
        rules.bid_multiplier_up_ppm, rules.bid_multiplier_down_ppm = first, second
        rules.ask_multiplier_up_ppm, rules.ask_multiplier_down_ppm = third, fourth
    elif kind == codes.FILTER_MAX_NUM_ORDERS:
        rules.open_orders_max = first
    else:
        return
    market.rules = rules


def _keep_counts(market: Market, command: SetFilter) -> None:
    filters, kind = market.filters, command.filter_type
    if kind == codes.FILTER_MAX_NUM_ALGO_ORDERS:
        filters.algo_orders_max = command.first
    elif kind == codes.FILTER_MAX_NUM_ICEBERG_ORDERS:
        filters.iceberg_orders_max = command.first
    elif kind == codes.FILTER_MAX_NUM_ORDER_LISTS:
        filters.order_lists_max = command.first
    elif kind == codes.FILTER_MAX_NUM_ORDER_AMENDS:
        filters.order_amends_max = command.first
    elif kind == codes.FILTER_ICEBERG_PARTS:
        filters.iceberg_parts_max = command.first
    elif kind == codes.FILTER_TRAILING_DELTA:
        filters.above_bips_min, filters.above_bips_max = command.first, command.second
        filters.below_bips_min, filters.below_bips_max = command.third, command.fourth


def _keep_own(market: Market, command: SetFilter) -> None:
    """What only `MarketFilters` knows."""
    filters, kind = market.filters, command.filter_type
    if kind == codes.FILTER_PRICE:
        filters.price_step_ticks = command.third
    elif kind == codes.FILTER_LOT_SIZE:
        filters.quantity_step_lots = command.third
    elif kind == codes.FILTER_MARKET_LOT_SIZE:
        filters.market_lots_min, filters.market_step_lots = command.first, command.third
    elif kind == codes.FILTER_NOTIONAL:
        filters.market_notional_atoms_min = command.first if command.second else 0
        filters.market_notional_atoms_max = command.third if command.fourth else UNBOUNDED
    elif kind == codes.FILTER_MIN_NOTIONAL:
        filters.min_notional_atoms = command.first
        filters.min_notional_to_market = command.second > 0
    elif kind == codes.FILTER_PERCENT_PRICE:
        filters.percent_up_ppm, filters.percent_down_ppm = command.first, command.second
    elif kind == codes.FILTER_MAX_POSITION:
        filters.position_atoms_max = command.first


def _problem(state: EngineState, command: SetFilter) -> str:
    """Say what makes the values impossible; "" when nothing does."""
    kind = command.filter_type
    first, second, third, fourth = command.first, command.second, command.third, command.fourth
    count = _VALUES.get(kind, 1)
    if (count < 2 and second) or (count < 3 and third) or (count < 4 and fourth):
        return "the filter has fewer values"
    if kind in (codes.FILTER_PRICE, codes.FILTER_LOT_SIZE, codes.FILTER_MARKET_LOT_SIZE):
        if not 0 < first <= second:
            return "the range is empty"
        return "" if third else "the step is none"
    if kind == codes.FILTER_NOTIONAL:
        if second > 1 or fourth > 1:
            return "whether it applies is 0 or 1"
        return "" if first <= third else "the range is empty"
    if kind == codes.FILTER_MIN_NOTIONAL:
        if second > 1:
            return "whether it applies is 0 or 1"
        return "" if first or not second else "what is off applies to nothing"
    if kind == codes.FILTER_PERCENT_PRICE:
        return "" if 0 < second <= first or first == second == 0 else "the range is empty"
    if kind == codes.FILTER_PERCENT_PRICE_BY_SIDE:
        return "" if 0 < second <= first and 0 < fourth <= third else "the range is empty"
    if kind == codes.FILTER_TRAILING_DELTA:
        for low, high in ((first, second), (third, fourth)):
            if not TRAILING_BIPS_MIN <= low <= high <= TRAILING_BIPS_MAX:
                return "the range is empty, or wider than the engine's"
        return ""
    return _count_problem(state, kind, first)


def _count_problem(state: EngineState, kind: int, count: int) -> str:
    """The engine's limits are the upper bounds (exchange/contracts/limits.py)."""
    limits = state.limits
    if kind >= codes.FILTER_MAX_POSITION:
        return ""  # of more than one market, or no count: 0 is off
    if kind == codes.FILTER_MAX_NUM_ORDERS:
        most = limits.open_orders_max
    elif kind == codes.FILTER_MAX_NUM_ALGO_ORDERS:
        most = limits.algo_orders_max
    elif kind == codes.FILTER_MAX_NUM_ICEBERG_ORDERS:
        most = limits.iceberg_orders_max
    elif kind == codes.FILTER_MAX_NUM_ORDER_LISTS:
        most = limits.order_lists_max
    elif kind == codes.FILTER_MAX_NUM_ORDER_AMENDS:
        most = limits.order_amends_max
    else:
        most = ICEBERG_PARTS_MAX
    return "" if 0 < count <= most else "none, or more than the engine takes"
