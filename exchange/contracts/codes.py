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
# Of rules version 4 (ADR 0037).
STOP_LOSS: Final = 4
STOP_LOSS_LIMIT: Final = 5
TAKE_PROFIT: Final = 6
TAKE_PROFIT_LIMIT: Final = 7
ORDER_TYPE_NAMES: Final = {LIMIT: "LIMIT", MARKET: "MARKET", LIMIT_MAKER: "LIMIT_MAKER"}
# Of orders that wait for a price.
TRIGGERED_TYPE_NAMES: Final = {
    STOP_LOSS: "STOP_LOSS",
    STOP_LOSS_LIMIT: "STOP_LOSS_LIMIT",
    TAKE_PROFIT: "TAKE_PROFIT",
    TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
}

GTC: Final = 1
IOC: Final = 2
FOK: Final = 3
TIME_IN_FORCE_NAMES: Final = {GTC: "GTC", IOC: "IOC", FOK: "FOK"}

# Self-trade prevention (binance-spot-api 2.8): the taker's mode decides.
STP_NONE: Final = 1
STP_EXPIRE_TAKER: Final = 2
STP_EXPIRE_MAKER: Final = 3
STP_EXPIRE_BOTH: Final = 4
STP_DECREMENT: Final = 5
# Between accounts of one trade group, of which there are none: within one account it is DECREMENT.
STP_TRANSFER: Final = 6
STP_NAMES: Final = {
    STP_NONE: "NONE",
    STP_EXPIRE_TAKER: "EXPIRE_TAKER",
    STP_EXPIRE_MAKER: "EXPIRE_MAKER",
    STP_EXPIRE_BOTH: "EXPIRE_BOTH",
}
# The modes of rules version 4.
STP_DECREMENTING_NAMES: Final = {STP_DECREMENT: "DECREMENT", STP_TRANSFER: "TRANSFER"}

NEW: Final = 1
PARTIALLY_FILLED: Final = 2
FILLED: Final = 3
CANCELED: Final = 4
EXPIRED: Final = 5
EXPIRED_IN_MATCH: Final = 6
PENDING_NEW: Final = 7
ORDER_STATUS_NAMES: Final = {
    NEW: "NEW",
    PARTIALLY_FILLED: "PARTIALLY_FILLED",
    FILLED: "FILLED",
    CANCELED: "CANCELED",
    EXPIRED: "EXPIRED",
    EXPIRED_IN_MATCH: "EXPIRED_IN_MATCH",
    PENDING_NEW: "PENDING_NEW",
}

# What an accepted order with terms does (OrderWithTermsAccepted.state, PendingOrderPlaced.state).
STATE_WORKING: Final = 1  # it trades, rests or has ended, as any order
STATE_WAITING: Final = 2  # for a price; it holds money and stands on no book
STATE_PENDING: Final = 3  # for the working order of its list to be filled; it holds nothing

# How the orders of a list decide about each other (binance-spot-api 2.6).
CONTINGENCY_OCO: Final = 1
CONTINGENCY_OTO: Final = 2
CONTINGENCY_OTOCO: Final = 3
# Of rules version 5 (ADR 0046): pending orders sell what the working order has bought.
CONTINGENCY_OPO: Final = 4
CONTINGENCY_OPOCO: Final = 5
# To the outside all but OCO are an OTO.
CONTINGENCY_NAMES: Final = {
    CONTINGENCY_OCO: "OCO",
    CONTINGENCY_OTO: "OTO",
    CONTINGENCY_OTOCO: "OTO",
    CONTINGENCY_OPO: "OTO",
    CONTINGENCY_OPOCO: "OTO",
}

# From which side of the book a pegged order takes its price.
PEG_NONE: Final = 0
PEG_PRIMARY: Final = 1
PEG_MARKET: Final = 2
PEG_PRICE_TYPE_NAMES: Final = {PEG_PRIMARY: "PRIMARY_PEG", PEG_MARKET: "MARKET_PEG"}

# Why an order was closed before it was filled (OrderClosed.reason).
CLOSED_BY_USER: Final = 1
CLOSED_IOC_REMAINDER: Final = 2
CLOSED_FOK_UNFILLABLE: Final = 3
CLOSED_NO_LIQUIDITY: Final = 4
CLOSED_SELF_TRADE: Final = 5
CLOSED_TOO_MANY_FILLS: Final = 6
CLOSED_OCO_TRIGGER: Final = 7  # another order of its list went to work, or ended
CLOSED_OTO_PHASE_ONE_EXPIRED: Final = 8  # the working order of its list ended unfilled
CLOSED_PENDING_REFUSED: Final = 9  # its turn came, and it could not be placed
CLOSED_HOLD_SPENT: Final = 10  # what it held from the start bought no more
CLOSED_MARKET_RETIRED: Final = 11  # its market has ended (rules version 5)
CLOSE_REASON_NAMES: Final = {
    CLOSED_BY_USER: "NONE",
    CLOSED_IOC_REMAINDER: "UNFILLED_IOC_QUANTITY_EXPIRED",
    CLOSED_FOK_UNFILLABLE: "UNFILLED_FOK_ORDER_EXPIRED",
    CLOSED_NO_LIQUIDITY: "INSUFFICIENT_LIQUIDITY",
    CLOSED_SELF_TRADE: "NONE",
    CLOSED_TOO_MANY_FILLS: "TOO_MANY_FILLS",
    CLOSED_OCO_TRIGGER: "OCO_TRIGGER",
    CLOSED_OTO_PHASE_ONE_EXPIRED: "OTO_PHASE_ONE_EXPIRED",
    CLOSED_PENDING_REFUSED: "REJECTED",
    CLOSED_HOLD_SPENT: "INSUFFICIENT_LIQUIDITY",
    CLOSED_MARKET_RETIRED: "EXCHANGE_CANCELED",
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
MODE_RETIRED: Final = 5  # for good: its open orders are cancelled, and no mode follows (rules version 5)
# Binance's statuses of a symbol (binance-spot-api 2.1). BREAK: ordinary orders are refused for a while, and
# LIMIT_MAKER is the one type that the market lists.
TRADING_MODE_NAMES: Final = {
    MODE_HALTED: "HALT",
    MODE_CANCEL_ONLY: "CANCEL_ONLY",
    MODE_POST_ONLY: "BREAK",
    MODE_TRADING: "TRADING",
    MODE_RETIRED: "END_OF_DAY",
}

# Filters that a command changes (rules version 5): their values, and those of a market that sets none, stand
# in exchange/contracts/filter_kinds.py.
FILTER_PRICE: Final = 1
FILTER_LOT_SIZE: Final = 2
FILTER_MARKET_LOT_SIZE: Final = 3
FILTER_NOTIONAL: Final = 4
FILTER_MIN_NOTIONAL: Final = 5
FILTER_PERCENT_PRICE: Final = 6
FILTER_PERCENT_PRICE_BY_SIDE: Final = 7
FILTER_MAX_NUM_ORDERS: Final = 8
FILTER_MAX_NUM_ALGO_ORDERS: Final = 9
FILTER_MAX_NUM_ICEBERG_ORDERS: Final = 10
FILTER_MAX_NUM_ORDER_LISTS: Final = 11
FILTER_MAX_NUM_ORDER_AMENDS: Final = 12
FILTER_ICEBERG_PARTS: Final = 13
FILTER_TRAILING_DELTA: Final = 14
FILTER_MAX_POSITION: Final = 15
# Of an account in all markets together.
FILTER_EXCHANGE_MAX_NUM_ORDERS: Final = 20
FILTER_EXCHANGE_MAX_NUM_ALGO_ORDERS: Final = 21
FILTER_EXCHANGE_MAX_NUM_ICEBERG_ORDERS: Final = 22
FILTER_EXCHANGE_MAX_NUM_ORDER_LISTS: Final = 23
# Of an asset, whichever market.
FILTER_MAX_ASSET: Final = 30

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
REJECT_WOULD_TRIGGER: Final = 28
REJECT_ICEBERG_EXCEEDS_QUANTITY: Final = 29
REJECT_LIST_PRICES: Final = 30
REJECT_NO_CHANGE: Final = 31
REJECT_AMEND_INCREASES: Final = 32
REJECT_COMBINATION: Final = 33
REJECT_NO_LAST_PRICE: Final = 34
REJECT_NO_PEG_PRICE: Final = 35
REJECT_AMEND_UNFUNDED: Final = 36
# -- filters
REJECT_PRICE_FILTER: Final = 40
REJECT_LOT_SIZE: Final = 41
REJECT_MARKET_LOT_SIZE: Final = 42
REJECT_NOTIONAL: Final = 43
REJECT_PERCENT_PRICE_BY_SIDE: Final = 44
REJECT_MAX_NUM_ORDERS: Final = 45
REJECT_MAX_NUM_ALGO_ORDERS: Final = 46
REJECT_MAX_NUM_ICEBERG_ORDERS: Final = 47
REJECT_MAX_NUM_ORDER_LISTS: Final = 48
REJECT_MAX_NUM_ORDER_AMENDS: Final = 49
REJECT_ICEBERG_PARTS: Final = 50
REJECT_TRAILING_DELTA: Final = 51
REJECT_MIN_NOTIONAL: Final = 52
REJECT_PERCENT_PRICE: Final = 53
REJECT_MAX_POSITION: Final = 54
REJECT_EXCHANGE_MAX_NUM_ORDERS: Final = 55
REJECT_EXCHANGE_MAX_NUM_ALGO_ORDERS: Final = 56
REJECT_EXCHANGE_MAX_NUM_ICEBERG_ORDERS: Final = 57
REJECT_EXCHANGE_MAX_NUM_ORDER_LISTS: Final = 58
REJECT_MAX_ASSET: Final = 59
# -- accounts
REJECT_INSUFFICIENT_BALANCE: Final = 60
REJECT_UNKNOWN_WITHDRAWAL: Final = 61
REJECT_DUPLICATE_REFERENCE: Final = 62
# The operator ordered the engine to go past this command.
REJECT_SKIPPED: Final = 90
