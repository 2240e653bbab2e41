"""What the filters refuse that a market may have beside its rules (binance-spot-api 2.2, ADR 0045).

Asked only where there is such a filter: `Market.is_filtered`.
"""

from exchange.contracts import codes
from matching_engine.core.engine_state import EngineState
from matching_engine.core.market import Market
from matching_engine.core.order import Trader
from matching_engine.core.rules import PPM

__all__ = [
    "account_rejection",
    "amount_rejection",
    "own_rejection",
    "percent_rejection",
    "reference_notional",
    "step_rejection",
]


def reference_notional(market: Market, quantity_lots: int, reference: tuple[int, int]) -> int:
    """What a quantity is worth at the reference price, in quote atoms; 0 when there is none."""
    numerator, denominator = reference
    return numerator * quantity_lots * market.unit_atoms // denominator if denominator else 0


def step_rejection(market: Market, price_ticks: int, quantity_lots: int) -> int:
    """Whether a price or a quantity is between two steps; 0 is neither."""
    filters = market.filters
    if price_ticks % filters.price_step_ticks:
        return codes.REJECT_PRICE_FILTER
    return codes.REJECT_LOT_SIZE if quantity_lots % filters.quantity_step_lots else 0


def own_rejection(
    market: Market,
    at_any_price: bool,
    price_ticks: int,
    quantity_lots: int,
    notional_atoms: int,
    reference: tuple[int, int],
) -> int:
    """Which filter refuses an order, whoever sends it: codes.REJECT_*, or 0.

    `price_ticks`, `quantity_lots`, `notional_atoms`: 0 where they are not known.
    """
    filters = market.filters
    if (
        at_any_price
        and quantity_lots
        and (quantity_lots < filters.market_lots_min or quantity_lots % filters.market_step_lots)
    ):
        return codes.REJECT_MARKET_LOT_SIZE
    if notional_atoms:
        applies = filters.min_notional_to_market or not at_any_price
        if applies and notional_atoms < filters.min_notional_atoms:
            return codes.REJECT_MIN_NOTIONAL
        if filters.quote_atoms_max and notional_atoms > filters.quote_atoms_max:
            return codes.REJECT_MAX_ASSET
    return percent_rejection(market, price_ticks, reference)


def percent_rejection(market: Market, price_ticks: int, reference: tuple[int, int]) -> int:
    """Whether a price (0: none yet) is too far from the average one, whichever side it is on."""
    filters = market.filters
    numerator, denominator = reference
    if price_ticks and denominator and filters.percent_up_ppm:
        scaled = price_ticks * denominator * PPM
        if not numerator * filters.percent_down_ppm <= scaled <= numerator * filters.percent_up_ppm:
            return codes.REJECT_PERCENT_PRICE
    return 0


def amount_rejection(market: Market, trader: Trader, lots: int, buys_lots: int) -> int:
    """Whether an order of so many lots is too large, or what it `buys_lots` of (0: it sells) is too much.

    The position that MAX_POSITION bounds: all of the base asset that the account has, available and held,
    what its open BUY orders in this market would bring, and this order's quantity.
    """
    filters, lot_atoms = market.filters, market.rules.lot_atoms
    if filters.base_atoms_max and lots * lot_atoms > filters.base_atoms_max:
        return codes.REJECT_MAX_ASSET
    most = filters.position_atoms_max
    if most and buys_lots:
        has = trader.base.available + trader.base.held
        if has + (trader.open_buy_lots + buys_lots) * lot_atoms > most:
            return codes.REJECT_MAX_POSITION
    return 0


def account_rejection(
    state: EngineState, trader: Trader, orders: int, algo_orders: int, iceberg_orders: int, order_lists: int
) -> int:
    """Whether these would be too many for an account in all markets together: codes.REJECT_*, or 0."""
    most = state.filters.of_account
    if most.orders_max and orders and len(trader.named) + orders > most.orders_max:
        return codes.REJECT_EXCHANGE_MAX_NUM_ORDERS
    counts = state.open_counts.get(trader.user_id)
    if most.algo_orders_max and algo_orders:
        open_now = 0 if counts is None else counts.algo_orders
        if open_now + algo_orders > most.algo_orders_max:
            return codes.REJECT_EXCHANGE_MAX_NUM_ALGO_ORDERS
    if most.iceberg_orders_max and iceberg_orders:
        open_now = 0 if counts is None else counts.iceberg_orders
        if open_now + iceberg_orders > most.iceberg_orders_max:
            return codes.REJECT_EXCHANGE_MAX_NUM_ICEBERG_ORDERS
    if most.order_lists_max and order_lists:
        named = state.lists_by_name.get(trader.user_id)
        open_now = 0 if named is None else len(named)
        if open_now + order_lists > most.order_lists_max:
            return codes.REJECT_EXCHANGE_MAX_NUM_ORDER_LISTS
    return 0
