"""Events about orders with terms into bytes; the rest of `packing`."""

from librt.strings import BytesWriter

from exchange.contracts.events import Event
from exchange.contracts.message_pack import put_array, put_integer, put_text
from exchange.contracts.order_events import (
    IcebergRefilled,
    OrderAmended,
    OrderListDone,
    OrderListPlaced,
    OrderTriggered,
    OrderWithTermsAccepted,
    PendingOrderFunded,
    PendingOrderPlaced,
    SelfTradeDecremented,
    TrailingStarted,
)

__all__ = ["put_order_event"]


def put_order_event(out: BytesWriter, event: Event) -> bool:
    """`tag, [field, …]` of a kind that stands in `order_events`; False, and nothing, of any other."""
    if isinstance(event, OrderWithTermsAccepted):
        _put_order_with_terms_accepted(out, event)
    elif isinstance(event, IcebergRefilled):
        out.append(26)
        out.append(0x96)
        put_integer(out, event.order_id)
        put_integer(out, event.user_id)
        put_integer(out, event.market_id)
        put_integer(out, event.side)
        put_integer(out, event.price_ticks)
        put_integer(out, event.displayed_lots)
    elif isinstance(event, OrderTriggered):
        _put_order_triggered(out, event)
    elif isinstance(event, SelfTradeDecremented):
        _put_self_trade_decremented(out, event)
    elif isinstance(event, OrderAmended):
        _put_order_amended(out, event)
    elif isinstance(event, PendingOrderPlaced):
        _put_pending_order_placed(out, event)
    elif isinstance(event, PendingOrderFunded):
        _put_pending_order_funded(out, event)
    elif isinstance(event, OrderListPlaced):
        out.append(29)
        out.append(0x95)
        put_integer(out, event.order_list_id)
        put_integer(out, event.user_id)
        put_integer(out, event.market_id)
        put_text(out, event.list_client_order_id)
        put_integer(out, event.contingency)
    elif isinstance(event, OrderListDone):
        out.append(30)
        out.append(0x93)
        put_integer(out, event.order_list_id)
        put_integer(out, event.user_id)
        put_integer(out, event.market_id)
    elif isinstance(event, TrailingStarted):
        out.append(24)
        out.append(0x94)
        put_integer(out, event.order_id)
        put_integer(out, event.user_id)
        put_integer(out, event.market_id)
        put_integer(out, event.price_ticks)
    else:
        return False
    return True


def _put_order_with_terms_accepted(out: BytesWriter, event: OrderWithTermsAccepted) -> None:
    out.append(22)
    put_array(out, 22)
    put_integer(out, event.order_id)
    put_integer(out, event.user_id)
    put_integer(out, event.market_id)
    put_text(out, event.client_order_id)
    put_integer(out, event.side)
    put_integer(out, event.order_type)
    put_integer(out, event.time_in_force)
    put_integer(out, event.price_ticks)
    put_integer(out, event.quantity_lots)
    put_integer(out, event.quote_quantity_atoms)
    put_integer(out, event.stp_mode)
    put_integer(out, event.held_atoms)
    put_integer(out, event.resting_lots)
    put_integer(out, event.order_list_id)
    put_integer(out, event.state)
    put_integer(out, event.stop_price_ticks)
    put_integer(out, event.trailing_bips)
    put_integer(out, event.iceberg_lots)
    put_integer(out, event.strategy_id)
    put_integer(out, event.strategy_type)
    put_integer(out, event.peg_price_type)
    put_integer(out, event.peg_offset_levels)


def _put_order_triggered(out: BytesWriter, event: OrderTriggered) -> None:
    out.append(23)
    out.append(0x99)
    put_integer(out, event.order_id)
    put_integer(out, event.user_id)
    put_integer(out, event.market_id)
    put_integer(out, event.side)
    put_integer(out, event.price_ticks)
    put_integer(out, event.trigger_price_ticks)
    put_integer(out, event.held_atoms)
    put_integer(out, event.released_atoms)
    put_integer(out, event.resting_lots)


def _put_pending_order_placed(out: BytesWriter, event: PendingOrderPlaced) -> None:
    out.append(25)
    out.append(0x98)
    put_integer(out, event.order_id)
    put_integer(out, event.user_id)
    put_integer(out, event.market_id)
    put_integer(out, event.side)
    put_integer(out, event.price_ticks)
    put_integer(out, event.state)
    put_integer(out, event.held_atoms)
    put_integer(out, event.resting_lots)


def _put_pending_order_funded(out: BytesWriter, event: PendingOrderFunded) -> None:
    out.append(35)
    out.append(0x97)
    put_integer(out, event.order_id)
    put_integer(out, event.user_id)
    put_integer(out, event.market_id)
    put_integer(out, event.side)
    put_integer(out, event.quantity_lots)
    put_integer(out, event.held_atoms)
    put_integer(out, event.released_atoms)


def _put_order_amended(out: BytesWriter, event: OrderAmended) -> None:
    out.append(27)
    out.append(0x99)
    put_integer(out, event.order_id)
    put_integer(out, event.user_id)
    put_integer(out, event.market_id)
    put_text(out, event.client_order_id)
    put_integer(out, event.side)
    put_integer(out, event.price_ticks)
    put_integer(out, event.quantity_lots)
    put_integer(out, event.released_atoms)
    put_integer(out, event.unbooked_lots)


def _put_self_trade_decremented(out: BytesWriter, event: SelfTradeDecremented) -> None:
    out.append(28)
    out.append(0x99)
    put_integer(out, event.market_id)
    put_integer(out, event.user_id)
    put_integer(out, event.taker_side)
    put_integer(out, event.price_ticks)
    put_integer(out, event.prevented_lots)
    put_integer(out, event.taker_order_id)
    put_integer(out, event.taker_released_atoms)
    put_integer(out, event.maker_order_id)
    put_integer(out, event.maker_released_atoms)
