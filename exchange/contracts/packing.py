"""Events into bytes, without a tuple or a library between: MessagePack, each value in its shortest form.

Byte for byte what msgspec makes of the same values (`tests/unit/exchange/test_packing.py`), so a record can
be read with any MessagePack library.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

from exchange.contracts.events import (
    AssetRegistered,
    CommandRejected,
    DepositCredited,
    Event,
    LeaderChanged,
    MarketRegistered,
    OrderAccepted,
    OrderClosed,
    RulesActivated,
    SkipRecorded,
    TimeKept,
    TradeExecuted,
    TradingModeChanged,
    WithdrawalReleased,
    WithdrawalReserved,
    WithdrawalSettled,
)
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.contracts.fee_packing import put_fee_event, put_trade_with_discount
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.message_pack import put_array, put_integer, put_text
from exchange.contracts.order_packing import put_order_event
from exchange.contracts.plain_packing import packed

IS_COMPILED: Final = not __file__.endswith(".py")


def put_event(out: BytesWriter, event: Event) -> None:
    """`tag, [field, …]`, as exchange/contracts/tables.py lists them."""
    if IS_COMPILED:
        put_fields(out, event)
    else:
        out.write(packed(event))


def put_fields(out: BytesWriter, event: Event) -> None:
    """The same without a library; the frequent kinds first."""
    if isinstance(event, OrderAccepted):
        _put_order_accepted(out, event)
    elif isinstance(event, OrderClosed):
        _put_order_closed(out, event)
    elif isinstance(event, TradeExecutedWithDiscount):
        put_trade_with_discount(out, event)
    elif isinstance(event, TradeExecuted):
        _put_trade_executed(out, event)
    elif isinstance(event, CommandRejected):
        out.append(1)
        out.append(0x95)
        put_integer(out, event.user_id)
        put_integer(out, event.market_id)
        put_integer(out, event.reason)
        put_text(out, event.client_order_id)
        put_text(out, event.detail)
    elif isinstance(event, TimeKept):
        out.append(21)
        out.append(0x91)
        put_integer(out, event.epoch)
    elif isinstance(event, DepositCredited):
        _put_transfer(out, 8, event.user_id, event.asset_id, event.amount_atoms, event.deposit_id)
    elif isinstance(event, WithdrawalReserved):
        out.append(9)
        out.append(0x95)
        put_integer(out, event.user_id)
        put_integer(out, event.asset_id)
        put_integer(out, event.amount_atoms)
        put_integer(out, event.withdrawal_id)
        put_text(out, event.address)
    elif isinstance(event, WithdrawalSettled):
        _put_transfer(out, 10, event.user_id, event.asset_id, event.amount_atoms, event.withdrawal_id)
    elif isinstance(event, WithdrawalReleased):
        _put_transfer(out, 11, event.user_id, event.asset_id, event.amount_atoms, event.withdrawal_id)
    elif not (put_order_event(out, event) or put_fee_event(out, event)):
        _put_administration(out, event)


def _put_order_accepted(out: BytesWriter, event: OrderAccepted) -> None:
    out.append(5)
    out.append(0x9D)
    put_integer(out, event.order_id)
    as_sent = event.as_sent
    if as_sent is None:
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
    else:
        out.write(as_sent)
    put_integer(out, event.held_atoms)
    put_integer(out, event.resting_lots)


def _put_trade_executed(out: BytesWriter, event: TradeExecuted) -> None:
    out.append(6)
    out.append(0x9E)
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


def _put_order_closed(out: BytesWriter, event: OrderClosed) -> None:
    out.append(7)
    out.append(0x9B)
    put_integer(out, event.order_id)
    put_integer(out, event.user_id)
    put_integer(out, event.market_id)
    put_integer(out, event.side)
    put_integer(out, event.price_ticks)
    put_integer(out, event.status)
    put_integer(out, event.reason)
    put_integer(out, event.released_atoms)
    put_integer(out, event.unbooked_lots)
    put_text(out, event.cancel_client_order_id)
    put_integer(out, event.counter_order_id)


def _put_transfer(
    out: BytesWriter, tag: i64, user_id: i64, asset_id: i64, amount_atoms: i64, transfer_id: i64
) -> None:
    out.append(u8(tag))
    out.append(0x94)
    put_integer(out, user_id)
    put_integer(out, asset_id)
    put_integer(out, amount_atoms)
    put_integer(out, transfer_id)


def _put_administration(out: BytesWriter, event: Event) -> None:
    if isinstance(event, AssetRegistered):
        out.append(2)
        out.append(0x93)
        put_integer(out, event.asset_id)
        put_text(out, event.code)
        put_integer(out, event.decimals)
    elif isinstance(event, MarketRegistered):
        _put_market_registered(out, event)
    elif isinstance(event, TradingModeChanged):
        out.append(4)
        out.append(0x92)
        put_integer(out, event.market_id)
        put_integer(out, event.mode)
    elif isinstance(event, FilterChanged):
        out.append(50)
        out.append(0x97)
        put_integer(out, event.filter_type)
        put_integer(out, event.market_id)
        put_integer(out, event.asset_id)
        put_integer(out, event.first)
        put_integer(out, event.second)
        put_integer(out, event.third)
        put_integer(out, event.fourth)
    elif isinstance(event, LeaderChanged):
        out.append(12)
        out.append(0x92)
        put_text(out, event.leader_id)
        put_integer(out, event.epoch)
    elif isinstance(event, RulesActivated):
        out.append(13)
        out.append(0x91)
        put_integer(out, event.version)
    elif isinstance(event, SkipRecorded):
        out.append(20)
        out.append(0x92)
        put_integer(out, event.offset)
        put_integer(out, event.index)
    else:
        raise AssertionError(f"{type(event).__name__} is no event that a log takes")


def _put_market_registered(out: BytesWriter, event: MarketRegistered) -> None:
    out.append(3)
    put_array(out, 21)
    put_integer(out, event.market_id)
    put_text(out, event.symbol)
    put_integer(out, event.base_asset_id)
    put_integer(out, event.quote_asset_id)
    put_integer(out, event.tick_atoms)
    put_integer(out, event.lot_atoms)
    put_integer(out, event.notional_unit_atoms)
    put_integer(out, event.price_ticks_min)
    put_integer(out, event.price_ticks_max)
    put_integer(out, event.quantity_lots_min)
    put_integer(out, event.quantity_lots_max)
    put_integer(out, event.market_quantity_lots_max)
    put_integer(out, event.notional_atoms_min)
    put_integer(out, event.notional_atoms_max)
    put_integer(out, event.bid_multiplier_up_ppm)
    put_integer(out, event.bid_multiplier_down_ppm)
    put_integer(out, event.ask_multiplier_up_ppm)
    put_integer(out, event.ask_multiplier_down_ppm)
    put_integer(out, event.open_orders_max)
    put_integer(out, event.maker_fee_ppm)
    put_integer(out, event.taker_fee_ppm)
