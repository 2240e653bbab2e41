"""Events about fees into bytes; the rest of `packing`."""

from librt.strings import BytesWriter

from exchange.contracts.events import Event
from exchange.contracts.fee_events import (
    AccountTierChanged,
    FeeDiscountChanged,
    FeeDiscountSwitched,
    FeeTierChanged,
    MarketFeesChanged,
    TradeExecutedWithDiscount,
)
from exchange.contracts.message_pack import put_array, put_integer

__all__ = ["put_fee_event", "put_trade_with_discount"]


def put_fee_event(out: BytesWriter, event: Event) -> bool:
    """`tag, [field, …]` of a kind that stands in `fee_events`; False, and nothing, of any other."""
    if isinstance(event, MarketFeesChanged):
        out.append(40)
        out.append(0x93)
        put_integer(out, event.market_id)
        put_integer(out, event.maker_fee_ppm)
        put_integer(out, event.taker_fee_ppm)
    elif isinstance(event, FeeTierChanged):
        out.append(41)
        out.append(0x95)
        put_integer(out, event.tier)
        put_integer(out, event.asset_id)
        put_integer(out, event.volume_atoms_min)
        put_integer(out, event.maker_share_ppm)
        put_integer(out, event.taker_share_ppm)
    elif isinstance(event, AccountTierChanged):
        out.append(42)
        out.append(0x92)
        put_integer(out, event.user_id)
        put_integer(out, event.tier)
    elif isinstance(event, FeeDiscountChanged):
        out.append(43)
        out.append(0x92)
        put_integer(out, event.asset_id)
        put_integer(out, event.discount_ppm)
    elif isinstance(event, FeeDiscountSwitched):
        out.append(44)
        out.append(0x92)
        put_integer(out, event.user_id)
        put_integer(out, event.is_on)
    else:
        return False
    return True


def put_trade_with_discount(out: BytesWriter, event: TradeExecutedWithDiscount) -> None:
    """`tag, [field, …]` of the one kind that is another kind too, and so is asked for first."""
    out.append(45)
    put_array(out, 17)
    put_integer(out, event.market_id)
    put_integer(out, event.trade_id)
    put_integer(out, event.taker_side)
    put_integer(out, event.price_ticks)
    put_integer(out, event.quantity_lots)
    put_integer(out, event.base_atoms)
    put_integer(out, event.quote_atoms)
    put_integer(out, event.buyer_order_id)
    put_integer(out, event.buyer_user_id)
    put_integer(out, event.buyer_fee_atoms)
    put_integer(out, event.buyer_released_atoms)
    put_integer(out, event.seller_order_id)
    put_integer(out, event.seller_user_id)
    put_integer(out, event.seller_fee_atoms)
    put_integer(out, event.discount_asset_id)
    put_integer(out, event.buyer_discount_fee_atoms)
    put_integer(out, event.seller_discount_fee_atoms)
