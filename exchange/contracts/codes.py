"""Small integer codes carried by commands and events, and their public names.

The codes are part of the log format: a number, once used, never changes its meaning.
"""

from typing import Final

BUY: Final = 1
SELL: Final = 2
SIDE_NAMES: Final = {BUY: "BUY", SELL: "SELL"}

LIMIT: Final = 1
MARKET: Final = 2
LIMIT_MAKER: Final = 3
ORDER_TYPE_NAMES: Final = {LIMIT: "LIMIT", MARKET: "MARKET", LIMIT_MAKER: "LIMIT_MAKER"}

GTC: Final = 1
IOC: Final = 2
FOK: Final = 3
TIME_IN_FORCE_NAMES: Final = {GTC: "GTC", IOC: "IOC", FOK: "FOK"}

# Self-trade prevention (binance-spot-api 2.8): the taker's mode decides.
STP_NONE: Final = 1
STP_EXPIRE_TAKER: Final = 2
STP_EXPIRE_MAKER: Final = 3
STP_EXPIRE_BOTH: Final = 4
STP_NAMES: Final = {
    STP_NONE: "NONE",
    STP_EXPIRE_TAKER: "EXPIRE_TAKER",
    STP_EXPIRE_MAKER: "EXPIRE_MAKER",
    STP_EXPIRE_BOTH: "EXPIRE_BOTH",
}

NEW: Final = 1
PARTIALLY_FILLED: Final = 2
FILLED: Final = 3
CANCELED: Final = 4
EXPIRED: Final = 5
EXPIRED_IN_MATCH: Final = 6
ORDER_STATUS_NAMES: Final = {
    NEW: "NEW",
    PARTIALLY_FILLED: "PARTIALLY_FILLED",
    FILLED: "FILLED",
    CANCELED: "CANCELED",
    EXPIRED: "EXPIRED",
    EXPIRED_IN_MATCH: "EXPIRED_IN_MATCH",
}

# Why an order was closed before it was filled (OrderClosed.reason).
CLOSED_BY_USER: Final = 1
CLOSED_IOC_REMAINDER: Final = 2
CLOSED_FOK_UNFILLABLE: Final = 3
CLOSED_NO_LIQUIDITY: Final = 4
CLOSED_SELF_TRADE: Final = 5
CLOSED_TOO_MANY_FILLS: Final = 6
CLOSE_REASON_NAMES: Final = {
    CLOSED_BY_USER: "NONE",
    CLOSED_IOC_REMAINDER: "UNFILLED_IOC_QUANTITY_EXPIRED",
    CLOSED_FOK_UNFILLABLE: "UNFILLED_FOK_ORDER_EXPIRED",
    CLOSED_NO_LIQUIDITY: "INSUFFICIENT_LIQUIDITY",
    CLOSED_SELF_TRADE: "NONE",
    CLOSED_TOO_MANY_FILLS: "TOO_MANY_FILLS",
}

CANCEL_ANY: Final = 0
CANCEL_ONLY_NEW: Final = 1
CANCEL_ONLY_PARTIALLY_FILLED: Final = 2
CANCEL_RESTRICTION_NAMES: Final = {
    CANCEL_ONLY_NEW: "ONLY_NEW",
    CANCEL_ONLY_PARTIALLY_FILLED: "ONLY_PARTIALLY_FILLED",
}

# Degraded modes are engine states, changed by commands (design decision 13).
MODE_HALTED: Final = 1
MODE_CANCEL_ONLY: Final = 2
MODE_POST_ONLY: Final = 3
MODE_TRADING: Final = 4
# Binance's statuses of a symbol (binance-spot-api 2.1). BREAK: ordinary orders are refused for a while, and
# LIMIT_MAKER is the one type that the market lists.
TRADING_MODE_NAMES: Final = {
    MODE_HALTED: "HALT",
    MODE_CANCEL_ONLY: "CANCEL_ONLY",
    MODE_POST_ONLY: "BREAK",
    MODE_TRADING: "TRADING",
}

# Why a command was refused (CommandRejected.reason). Grouped by owner.
# -- request
REJECT_MALFORMED: Final = 1
REJECT_UNKNOWN_COMMAND: Final = 2
REJECT_UNKNOWN_MARKET: Final = 3
REJECT_UNKNOWN_ASSET: Final = 4
REJECT_STALE: Final = 5
REJECT_OVERFLOW: Final = 6
REJECT_ALREADY_EXISTS: Final = 7
# -- book
REJECT_UNKNOWN_ORDER: Final = 20
REJECT_DUPLICATE_CLIENT_ORDER_ID: Final = 21
REJECT_MARKET_CLOSED: Final = 22
REJECT_WOULD_TAKE: Final = 23
REJECT_CANCEL_RESTRICTED: Final = 24
REJECT_CLIENT_ORDER_ID_MISMATCH: Final = 25
REJECT_ZERO_NOTIONAL: Final = 26
REJECT_QUOTE_BUYS_LESS_THAN_A_LOT: Final = 27
# -- filters
REJECT_PRICE_FILTER: Final = 40
REJECT_LOT_SIZE: Final = 41
REJECT_MARKET_LOT_SIZE: Final = 42
REJECT_NOTIONAL: Final = 43
REJECT_PERCENT_PRICE_BY_SIDE: Final = 44
REJECT_MAX_NUM_ORDERS: Final = 45
# -- accounts
REJECT_INSUFFICIENT_BALANCE: Final = 60
REJECT_UNKNOWN_WITHDRAWAL: Final = 61
REJECT_DUPLICATE_REFERENCE: Final = 62
# The operator ordered the engine to go past this command.
REJECT_SKIPPED: Final = 90
