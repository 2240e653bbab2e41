"""Events about fees into bytes; the rest of `packing`."""

from librt.strings import BytesWriter

from exchange.contracts.events import Event
from exchange.contracts.fee_events import MarketFeesChanged
from exchange.contracts.message_pack import put_integer

__all__ = ["put_fee_event"]


def put_fee_event(out: BytesWriter, event: Event) -> bool:
    """`tag, [field, …]` of a kind that stands in `fee_events`; False, and nothing, of any other."""
    if isinstance(event, MarketFeesChanged):
        out.append(40)
        out.append(0x93)
        put_integer(out, event.market_id)
        put_integer(out, event.maker_fee_ppm)
        put_integer(out, event.taker_fee_ppm)
    else:
        return False
    return True
