"""Every message on the logs: its tag, its class, and its fields in order."""

from typing import Any, Final

from exchange.contracts.commands import (
    ActivateRules,
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    KeepTime,
    LeaderElected,
    PlaceOrder,
    RegisterAsset,
    RegisterMarket,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
    SetTradingMode,
    SkipCommand,
)
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
from exchange.contracts.fee_commands import (
    SetAccountTier,
    SetFeeDiscount,
    SetFeeTier,
    SetMarketFees,
    SwitchFeeDiscount,
)
from exchange.contracts.fee_events import (
    AccountTierChanged,
    FeeDiscountChanged,
    FeeDiscountSwitched,
    FeeTierChanged,
    MarketFeesChanged,
    TradeExecutedWithDiscount,
)
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.order_commands import (
    AmendOrder,
    CancelOrderList,
    OrderLeg,
    PlaceOrderList,
    PlaceOrderWithTerms,
)
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

__all__ = ["COMMANDS", "EVENTS", "LEGS_FIELD", "LEG_FIELDS", "TEXT_FIELDS"]

TEXT_FIELDS: Final = frozenset(
    {
        "code",
        "symbol",
        "client_order_id",
        "cancel_client_order_id",
        "list_client_order_id",
        "new_client_order_id",
        "address",
        "leader_id",
        "detail",
        "signature",
    }
)


def _row(cls: type[Any], names: str) -> tuple[type[Any], tuple[str, ...]]:
    return cls, tuple(names.split())


# Tag -> class and the constructor's fields in order; a test holds it equal to the classes. A tag is
# never reused, a field never moved: old logs must stay readable.
COMMANDS: Final[dict[int, tuple[type[Command], tuple[str, ...]]]] = {
    1: _row(
        RegisterAsset,
        "command_id asset_id code decimals",
    ),
    2: _row(
        RegisterMarket,
        "command_id market_id symbol base_asset_id quote_asset_id tick_atoms lot_atoms "
        "price_ticks_min price_ticks_max quantity_lots_min quantity_lots_max "
        "market_quantity_lots_max notional_atoms_min notional_atoms_max bid_multiplier_up_ppm "
        "bid_multiplier_down_ppm ask_multiplier_up_ppm ask_multiplier_down_ppm open_orders_max "
        "maker_fee_ppm taker_fee_ppm",
    ),
    3: _row(
        SetTradingMode,
        "command_id market_id mode",
    ),
    4: _row(
        PlaceOrder,
        "command_id user_id market_id client_order_id side order_type time_in_force price_ticks "
        "quantity_lots quote_quantity_atoms stp_mode valid_until_ms",
    ),
    5: _row(
        CancelOrder,
        "command_id user_id market_id order_id client_order_id cancel_client_order_id restriction "
        "valid_until_ms",
    ),
    6: _row(
        CancelAllOrders,
        "command_id user_id market_id cancel_client_order_id valid_until_ms",
    ),
    7: _row(
        CreditDeposit,
        "command_id user_id asset_id amount_atoms deposit_id",
    ),
    8: _row(
        ReserveWithdrawal,
        "command_id user_id asset_id amount_atoms withdrawal_id address",
    ),
    9: _row(
        SettleWithdrawal,
        "command_id withdrawal_id",
    ),
    10: _row(
        ReleaseWithdrawal,
        "command_id withdrawal_id",
    ),
    11: _row(
        LeaderElected,
        "command_id leader_id epoch",
    ),
    12: _row(ActivateRules, "command_id version"),
    20: _row(SkipCommand, "command_id offset index signature"),
    21: _row(KeepTime, "command_id epoch wall_ms"),
    22: _row(
        PlaceOrderWithTerms,
        "command_id user_id market_id client_order_id side order_type time_in_force price_ticks "
        "quantity_lots quote_quantity_atoms stp_mode valid_until_ms stop_price_ticks trailing_bips "
        "iceberg_lots strategy_id strategy_type peg_price_type peg_offset_levels",
    ),
    23: _row(
        PlaceOrderList,
        "command_id user_id market_id list_client_order_id contingency stp_mode valid_until_ms legs",
    ),
    24: _row(
        CancelOrderList,
        "command_id user_id market_id order_list_id list_client_order_id cancel_client_order_id "
        "valid_until_ms",
    ),
    25: _row(
        AmendOrder,
        "command_id user_id market_id order_id client_order_id new_client_order_id quantity_lots "
        "valid_until_ms",
    ),
    50: _row(SetFilter, "command_id filter_type market_id asset_id first second third fourth"),
    40: _row(SetMarketFees, "command_id market_id maker_fee_ppm taker_fee_ppm"),
    41: _row(SetFeeTier, "command_id tier asset_id volume_atoms_min maker_share_ppm taker_share_ppm"),
    42: _row(SetAccountTier, "command_id user_id tier"),
    43: _row(SetFeeDiscount, "command_id asset_id discount_ppm"),
    44: _row(SwitchFeeDiscount, "command_id user_id is_on"),
}
# The one field that is neither a number nor a text: the orders of a list, each an array of these fields.
LEGS_FIELD: Final = "legs"
LEG_FIELDS: Final = _row(
    OrderLeg,
    "client_order_id side order_type time_in_force price_ticks quantity_lots stop_price_ticks trailing_bips "
    "iceberg_lots strategy_id strategy_type peg_price_type peg_offset_levels",
)[1]
EVENTS: Final[dict[int, tuple[type[Event], tuple[str, ...]]]] = {
    1: _row(
        CommandRejected,
        "user_id market_id reason client_order_id detail",
    ),
    2: _row(
        AssetRegistered,
        "asset_id code decimals",
    ),
    3: _row(
        MarketRegistered,
        "market_id symbol base_asset_id quote_asset_id tick_atoms lot_atoms notional_unit_atoms "
        "price_ticks_min price_ticks_max quantity_lots_min quantity_lots_max "
        "market_quantity_lots_max notional_atoms_min notional_atoms_max bid_multiplier_up_ppm "
        "bid_multiplier_down_ppm ask_multiplier_up_ppm ask_multiplier_down_ppm open_orders_max "
        "maker_fee_ppm taker_fee_ppm",
    ),
    4: _row(
        TradingModeChanged,
        "market_id mode",
    ),
    5: _row(
        OrderAccepted,
        "order_id user_id market_id client_order_id side order_type time_in_force price_ticks "
        "quantity_lots quote_quantity_atoms stp_mode held_atoms resting_lots",
    ),
    6: _row(
        TradeExecuted,
        "market_id trade_id taker_side price_ticks quantity_lots base_atoms quote_atoms "
        "buyer_order_id buyer_user_id buyer_fee_atoms buyer_released_atoms seller_order_id "
        "seller_user_id seller_fee_atoms",
    ),
    7: _row(
        OrderClosed,
        "order_id user_id market_id side price_ticks status reason released_atoms unbooked_lots "
        "cancel_client_order_id counter_order_id",
    ),
    8: _row(
        DepositCredited,
        "user_id asset_id amount_atoms deposit_id",
    ),
    9: _row(
        WithdrawalReserved,
        "user_id asset_id amount_atoms withdrawal_id address",
    ),
    10: _row(
        WithdrawalSettled,
        "user_id asset_id amount_atoms withdrawal_id",
    ),
    11: _row(
        WithdrawalReleased,
        "user_id asset_id amount_atoms withdrawal_id",
    ),
    12: _row(
        LeaderChanged,
        "leader_id epoch",
    ),
    13: _row(RulesActivated, "version"),
    20: _row(SkipRecorded, "offset index"),
    21: _row(TimeKept, "epoch"),
    22: _row(
        OrderWithTermsAccepted,
        "order_id user_id market_id client_order_id side order_type time_in_force price_ticks "
        "quantity_lots quote_quantity_atoms stp_mode held_atoms resting_lots order_list_id state "
        "stop_price_ticks trailing_bips iceberg_lots strategy_id strategy_type peg_price_type "
        "peg_offset_levels",
    ),
    23: _row(
        OrderTriggered,
        "order_id user_id market_id side price_ticks trigger_price_ticks held_atoms released_atoms "
        "resting_lots",
    ),
    24: _row(TrailingStarted, "order_id user_id market_id price_ticks"),
    25: _row(PendingOrderPlaced, "order_id user_id market_id side price_ticks state held_atoms resting_lots"),
    26: _row(IcebergRefilled, "order_id user_id market_id side price_ticks displayed_lots"),
    27: _row(
        OrderAmended,
        "order_id user_id market_id client_order_id side price_ticks quantity_lots released_atoms "
        "unbooked_lots",
    ),
    28: _row(
        SelfTradeDecremented,
        "market_id user_id taker_side price_ticks prevented_lots taker_order_id taker_released_atoms "
        "maker_order_id maker_released_atoms",
    ),
    29: _row(OrderListPlaced, "order_list_id user_id market_id list_client_order_id contingency"),
    30: _row(OrderListDone, "order_list_id user_id market_id"),
    50: _row(FilterChanged, "filter_type market_id asset_id first second third fourth"),
    40: _row(MarketFeesChanged, "market_id maker_fee_ppm taker_fee_ppm"),
    41: _row(FeeTierChanged, "tier asset_id volume_atoms_min maker_share_ppm taker_share_ppm"),
    42: _row(AccountTierChanged, "user_id tier"),
    43: _row(FeeDiscountChanged, "asset_id discount_ppm"),
    44: _row(FeeDiscountSwitched, "user_id is_on"),
    45: _row(
        TradeExecutedWithDiscount,
        "market_id trade_id taker_side price_ticks quantity_lots base_atoms quote_atoms "
        "buyer_order_id buyer_user_id buyer_fee_atoms buyer_released_atoms seller_order_id "
        "seller_user_id seller_fee_atoms discount_asset_id buyer_discount_fee_atoms "
        "seller_discount_fee_atoms",
    ),
    35: _row(PendingOrderFunded, "order_id user_id market_id side quantity_lots held_atoms released_atoms"),
}
