"""The fees of a trade of which a side does not simply pay its market's (rules version 5, ADR 0047)."""

from exchange.contracts.events import TradeExecuted
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from matching_engine.core.engine_state import EngineState
from matching_engine.core.fee_table import FeeTable, Standing
from matching_engine.core.market import Market
from matching_engine.core.order import Order
from matching_engine.core.rules import PPM, fee_atoms


def charge(
    state: EngineState, market: Market, trade: TradeExecuted, buyer: Order, seller: Order
) -> TradeExecuted:
    """Settle what both receive, and take their fees; what is to be told of it.

    `trade` tells the fees of the market. Its price is recorded, and what both pay has left them.
    """
    taker_buys = buyer.side == trade.taker_side
    buyer_ppm = rate_ppm(state.fees, market, buyer.trader.standing, taker_buys)
    seller_ppm = rate_ppm(state.fees, market, seller.trader.standing, not taker_buys)
    base, quote = trade.base_atoms, trade.quote_atoms
    # One side after the other, and each receives first: so a fee of what comes in can always be paid, and
    # what comes in may pay for itself.
    buyer.trader.base.available += base
    buyer_discounted = _discounted(state, market, buyer, quote, buyer_ppm)
    trade.buyer_fee_atoms = 0 if buyer_discounted else fee_atoms(base, buyer_ppm)
    market.base.charge(buyer.trader.base, trade.buyer_fee_atoms)
    seller.trader.quote.available += quote
    seller_discounted = _discounted(state, market, seller, quote, seller_ppm)
    trade.seller_fee_atoms = 0 if seller_discounted else fee_atoms(quote, seller_ppm)
    market.quote.charge(seller.trader.quote, trade.seller_fee_atoms)
    if not (buyer_discounted or seller_discounted):
        return trade
    return _with_discount(trade, state.fees.discount_asset_id, buyer_discounted, seller_discounted)


def rate_ppm(fees: FeeTable, market: Market, standing: Standing | None, is_taker: bool) -> int:
    """What a side pays of what it receives: the market's fee, or its tier's share of it, rounded down."""
    own_ppm = market.rules.taker_fee_ppm if is_taker else market.rules.maker_fee_ppm
    tier = None if standing is None else fees.tiers.get(standing.tier)
    if tier is None:
        return own_ppm
    return own_ppm * (tier.taker_share_ppm if is_taker else tier.maker_share_ppm) // PPM


def _discounted(state: EngineState, market: Market, order: Order, quote_atoms: int, ppm: int) -> int:
    """Take a side's fee in the discount asset; how much that was. 0: it pays in what it receives.

    Which it does without the switch, a price, or enough of the asset.
    """
    standing = order.trader.standing
    if standing is None or not standing.pays_discounted or not ppm:
        return 0
    asset_id = state.fees.discount_asset_id
    balance = state.accounts.find(order.user_id, asset_id) if asset_id else None
    if balance is None:
        return 0
    fee = _discount_atoms(state, market, quote_atoms, ppm)
    if not 0 < fee <= balance.available:
        return 0
    state.accounts.totals[asset_id].charge(balance, fee)
    return fee


def _discount_atoms(state: EngineState, market: Market, quote_atoms: int, ppm: int) -> int:
    """A fee of `ppm` of the quote amount, less the discount, in the discount asset; 0: it has no price.

    At the last price of discount asset / quote asset. One rounding, of the exact value, up to the next atom.
    """
    quote_id, fees = market.rules.quote_asset_id, state.fees
    part = quote_atoms * ppm * (PPM - fees.discount_ppm)
    if quote_id == fees.discount_asset_id:
        return _rounded_up(part, PPM * PPM)
    priced = state.discount_markets.get(quote_id)
    if priced is None or not priced.reference.last_ticks:
        return 0
    return _rounded_up(
        part * priced.rules.lot_atoms, PPM * PPM * priced.reference.last_ticks * priced.unit_atoms
    )


def _rounded_up(numerator: int, denominator: int) -> int:
    return (numerator + denominator - 1) // denominator


def _with_discount(
    trade: TradeExecuted, asset_id: int, buyer_atoms: int, seller_atoms: int
) -> TradeExecutedWithDiscount:
    return TradeExecutedWithDiscount(
        trade.market_id,
        trade.trade_id,
        trade.taker_side,
        trade.price_ticks,
        trade.quantity_lots,
        trade.base_atoms,
        trade.quote_atoms,
        trade.buyer_order_id,
        trade.buyer_user_id,
        trade.buyer_fee_atoms,
        trade.buyer_released_atoms,
        trade.seller_order_id,
        trade.seller_user_id,
        trade.seller_fee_atoms,
        asset_id,
        buyer_atoms,
        seller_atoms,
    )
