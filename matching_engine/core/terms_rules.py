"""What an order with terms must be like, and which filters it meets (binance-spot-api 2.2, 2.4, 2.6)."""

from exchange.contracts import codes
from exchange.contracts.codes import BUY, SELL
from exchange.contracts.commands import PlaceOrder
from exchange.contracts.limits import (
    PEG_OFFSET_LEVELS_MAX,
    STOP_MARKET_MARGIN_PPM,
)
from exchange.contracts.order_commands import OrderLeg
from matching_engine.core.filtering import own_rejection, reference_notional, step_rejection
from matching_engine.core.market import Market
from matching_engine.core.order import Order, Terms
from matching_engine.core.rules import PPM, limit_order_rejection, market_order_rejection
from matching_engine.core.trailing import trigger_ticks
from matching_engine.core.waiting import NO_LOW, rises_to_stop


def waits_for_price(order_type: int) -> bool:
    """Whether an order of this type waits until the price reaches it."""
    return order_type >= codes.STOP_LOSS


def works_at_any_price(order_type: int) -> bool:
    """Whether an order of this type works as a MARKET order."""
    return order_type in (codes.MARKET, codes.STOP_LOSS, codes.TAKE_PROFIT)


def plain_of(user_id: int, market_id: int, leg: OrderLeg, stp_mode: int, valid_until_ms: int) -> PlaceOrder:
    """The same as a plain order, which some filters look at."""
    return PlaceOrder(
        0,
        user_id,
        market_id,
        leg.client_order_id,
        leg.side,
        leg.order_type,
        leg.time_in_force,
        leg.price_ticks,
        leg.quantity_lots,
        0,
        stp_mode,
        valid_until_ms,
    )


def leg_of(order: Order, terms: Terms) -> OrderLeg:
    """A pending order as if it were asked for now; a pegged one without the price that it has taken."""
    return OrderLeg(
        order.client_order_id,
        order.side,
        terms.order_type,
        terms.time_in_force,
        0 if terms.peg_price_type else order.price_ticks,
        order.quantity_lots,
        terms.stop_price_ticks,
        terms.trailing_bips,
        terms.iceberg_lots,
        0,
        0,
        terms.peg_price_type,
        terms.peg_offset_levels,
    )


def is_leg_well_formed(leg: OrderLeg, quote_quantity_atoms: int, is_funded: bool = False) -> bool:
    """Codes in range, and the prices and quantities that the type needs, no others.

    `is_funded`: its quantity is left open, as the working order of its list pays it (ADR 0046).
    """
    if not (
        codes.BUY <= leg.side <= codes.SELL
        and codes.LIMIT <= leg.order_type <= codes.TAKE_PROFIT_LIMIT
        and codes.GTC <= leg.time_in_force <= codes.FOK
        and codes.PEG_NONE <= leg.peg_price_type <= codes.PEG_MARKET
        and leg.peg_offset_levels <= PEG_OFFSET_LEVELS_MAX
        and leg.client_order_id
    ):
        return False
    if (leg.stop_price_ticks > 0 or leg.trailing_bips > 0) != waits_for_price(leg.order_type):
        return False
    if leg.iceberg_lots and leg.time_in_force != codes.GTC:
        return False
    if works_at_any_price(leg.order_type):
        if leg.price_ticks or leg.iceberg_lots or leg.peg_price_type or leg.peg_offset_levels:
            return False
        if is_funded:
            return quote_quantity_atoms == 0
        if leg.order_type == codes.MARKET:
            return (leg.quantity_lots > 0) != (quote_quantity_atoms > 0)
        return leg.quantity_lots > 0 and quote_quantity_atoms == 0
    if (leg.quantity_lots == 0 and not is_funded) or quote_quantity_atoms:
        return False
    return _is_price_well_formed(leg)


def _is_price_well_formed(leg: OrderLeg) -> bool:
    """A limit price, or a peg that its type may have."""
    if leg.order_type == codes.LIMIT_MAKER and leg.time_in_force != codes.GTC:
        return False
    if leg.peg_price_type == codes.PEG_NONE:
        return leg.price_ticks > 0 and leg.peg_offset_levels == 0
    if leg.price_ticks:
        return False
    if leg.order_type == codes.LIMIT_MAKER:
        return leg.peg_price_type == codes.PEG_PRIMARY
    is_taker = leg.peg_price_type == codes.PEG_MARKET
    return leg.order_type != codes.LIMIT or is_taker or leg.time_in_force == codes.GTC


def filter_rejection(
    market: Market, leg: OrderLeg, plain: PlaceOrder, reference: tuple[int, int], is_placed_now: bool
) -> int:
    """Which filter refuses the order: codes.REJECT_*, or 0. `plain`: the same as a plain order."""
    rules = market.rules
    reason = _trigger_rejection(market, leg)
    if reason:
        return reason
    if leg.order_type == codes.MARKET:
        reason = market_order_rejection(rules, market.filters, market.unit_atoms, plain, reference)
    elif works_at_any_price(leg.order_type):
        reason = _stop_market_rejection(market, leg)
    elif leg.price_ticks or (plain.price_ticks and is_placed_now):
        reason = limit_order_rejection(rules, market.unit_atoms, plain, reference)
    else:
        in_range = rules.quantity_lots_min <= leg.quantity_lots <= rules.quantity_lots_max
        reason = 0 if in_range else codes.REJECT_LOT_SIZE
    if not reason and market.is_filtered:
        reason = _own_rejection(market, leg, plain, reference)
    return reason or iceberg_rejection(market, leg.iceberg_lots, leg.quantity_lots)


def _may_trail(market: Market, leg: OrderLeg) -> bool:
    """Whether an order may follow the price at its distance (TRAILING_DELTA)."""
    filters = market.filters
    if rises_to_stop(leg.side, leg.order_type):
        return filters.above_bips_min <= leg.trailing_bips <= filters.above_bips_max
    return filters.below_bips_min <= leg.trailing_bips <= filters.below_bips_max


def _own_rejection(market: Market, leg: OrderLeg, plain: PlaceOrder, reference: tuple[int, int]) -> int:
    """What the filters refuse that the market has beside its rules; a price of the book needs no step."""
    lots, at_any_price = leg.quantity_lots, works_at_any_price(leg.order_type)
    reason = step_rejection(market, leg.price_ticks, lots)
    reason = reason or step_rejection(market, leg.stop_price_ticks, leg.iceberg_lots)
    if reason:
        return reason
    notional: int = plain.quote_quantity_atoms
    price: int = plain.price_ticks
    if not notional and leg.order_type == codes.MARKET:
        notional = reference_notional(market, lots, reference)
    elif not notional:
        at = leg.stop_price_ticks or market.reference.last_ticks if at_any_price else price
        notional = at * (lots * market.unit_atoms)
    return own_rejection(market, at_any_price, price, lots, notional, reference)


def _trigger_rejection(market: Market, leg: OrderLeg) -> int:
    """Whether what an order waits for is out of range."""
    rules, stop = market.rules, leg.stop_price_ticks
    if stop and not rules.price_ticks_min <= stop <= rules.price_ticks_max:
        return codes.REJECT_PRICE_FILTER
    if leg.trailing_bips and not _may_trail(market, leg):
        return codes.REJECT_TRAILING_DELTA
    return 0


def price_range_rejection(market: Market, leg: OrderLeg) -> int:
    """The filters that an order meets whatever its quantity will be."""
    reason = _trigger_rejection(market, leg)
    if reason:
        return reason
    price = leg.price_ticks
    if price and not market.rules.price_ticks_min <= price <= market.rules.price_ticks_max:
        return codes.REJECT_PRICE_FILTER
    return step_rejection(market, price, 0) or step_rejection(market, leg.stop_price_ticks, leg.iceberg_lots)


def _stop_market_rejection(market: Market, leg: OrderLeg) -> int:
    """As of a MARKET order, at the price at which it begins."""
    rules, quantity = market.rules, leg.quantity_lots
    if not rules.quantity_lots_min <= quantity <= rules.quantity_lots_max:
        return codes.REJECT_LOT_SIZE
    if quantity > rules.market_quantity_lots_max:
        return codes.REJECT_MARKET_LOT_SIZE
    price = leg.stop_price_ticks or market.reference.last_ticks
    notional = price * (quantity * market.unit_atoms)
    low, high = market.filters.market_notional_atoms_min, market.filters.market_notional_atoms_max
    if price and not low <= notional <= high:
        return codes.REJECT_NOTIONAL
    return 0


def iceberg_rejection(market: Market, iceberg_lots: int, quantity_lots: int) -> int:
    """Whether an iceberg shows too little, or too much, of itself."""
    if not iceberg_lots:
        return 0
    if iceberg_lots >= quantity_lots:
        return codes.REJECT_ICEBERG_EXCEEDS_QUANTITY
    if iceberg_lots < market.rules.quantity_lots_min:
        return codes.REJECT_LOT_SIZE
    if -(-quantity_lots // iceberg_lots) > market.filters.iceberg_parts_max:
        return codes.REJECT_ICEBERG_PARTS
    return 0


def price_rejection(market: Market, side: int, terms: Terms) -> int:
    """Whether the price that an order would wait for is there already, or cannot be told."""
    last = market.reference.last_ticks
    stop = terms.stop_price_ticks
    if not stop:
        return 0 if last else codes.REJECT_NO_LAST_PRICE
    low, high = last or NO_LOW, last
    waiting = market.waiting
    if waiting is not None:
        # What is still being sent to work counts as the last price.
        high = max(high, waiting.reach.high, waiting.start_reach.high)
        low = min(low, waiting.reach.low, waiting.start_reach.low)
    rises = rises_to_stop(side, terms.order_type)
    is_reached = stop <= high if rises else stop >= low
    return codes.REJECT_WOULD_TRIGGER if is_reached else 0


def hold_ticks(market: Market, side: int, price_ticks: int, terms: Terms) -> int:
    """The price at which a BUY holds for each lot; 0 for what holds lots.

    Or exactly what the book will cost.
    """
    if side == SELL or terms.order_type == codes.MARKET:
        return 0
    if price_ticks:
        return price_ticks
    start = terms.stop_price_ticks or market.reference.last_ticks
    if terms.trailing_bips:
        start = trigger_ticks(True, start, terms.trailing_bips)
    return -(-start * (PPM + STOP_MARKET_MARGIN_PPM) // PPM)


def need_atoms(market: Market, side: int, lots: int, ticks: int) -> int:
    """What an order holds for so many lots. `ticks`: as of `hold_ticks`."""
    if side == SELL:
        return lots * market.rules.lot_atoms
    return ticks * (lots * market.unit_atoms)


def pegged_ticks(market: Market, side: int, peg_price_type: int, offset_levels: int) -> int:
    """The price that a pegged order takes from the book now, 0 if the book has none there."""
    same = peg_price_type == codes.PEG_PRIMARY
    of_side = side if same else (SELL if side == BUY else BUY)
    levels = market.book.depth(of_side, offset_levels + 1)
    return levels[offset_levels][0] if len(levels) > offset_levels else 0
