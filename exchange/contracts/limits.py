"""Every limit of the system from which another follows, or that a user can meet, and that they fit together.

The rule: a limit that another part relies on, or that somebody outside can run into, stands here, once. One
that only its own module knows (a page of an internal query, a retry's longest wait) stays at the top of
that module. Both carry their unit in the name. What must fit into what is asserted at the end of this file,
so that a change that breaks it cannot be imported; `limits_table` makes the table in ARCHITECTURE.md.

How big a thing can be is computed for the worst values that its type admits, not for usual ones.
"""

from typing import Final, NamedTuple

__all__ = ["Limit", "limits_table"]

# -- what one message can hold

INTEGER_MAX: Final = 2**63 - 1
TEXT_LENGTH_MAX: Final = 256  # characters of one text in a command or event
TEXT_SIZE_BYTES_MAX: Final = TEXT_LENGTH_MAX * 4
LEGS_MAX: Final = 3  # orders of one list
LEG_NAME_LENGTH_MAX: Final = 64  # characters of the name of one; a tick of lists fits a record
COMMANDS_PER_RECORD_MAX: Final = 10_000  # that the engine reads from one record
COMMANDS_PER_TICK_MAX: Final = 400  # that a gateway puts into one

# Of one event on the log, with the largest integers (9 bytes each in msgpack) and texts; a test encodes them.
_INTEGER_SIZE_BYTES: Final = 9
_TEXT_HEADER_SIZE_BYTES: Final = 3
_EVENT_FRAME_SIZE_BYTES: Final = 24  # array, hash of 16 bytes, tag, array of fields
_OUTCOME_FRAME_SIZE_BYTES: Final = 56
_RECORD_FRAME_SIZE_BYTES: Final = 32


def event_size_bytes_max(integers: int, texts: int) -> int:
    """The largest size on the log of an event with so many integers and texts."""
    text_bytes = texts * (_TEXT_HEADER_SIZE_BYTES + TEXT_SIZE_BYTES_MAX)
    return _EVENT_FRAME_SIZE_BYTES + integers * _INTEGER_SIZE_BYTES + text_bytes


def outcome_record_size_bytes_max(events_size_bytes: int) -> int:
    """The largest record that holds one outcome whose events have that size together."""
    return _RECORD_FRAME_SIZE_BYTES + _OUTCOME_FRAME_SIZE_BYTES + events_size_bytes


# Of a list: its own fields, and for each leg an array of twelve numbers and a short name.
_LEG_SIZE_BYTES_MAX: Final = 1 + 12 * _INTEGER_SIZE_BYTES + 2 + LEG_NAME_LENGTH_MAX * 4
ORDER_LIST_SIZE_BYTES_MAX: Final = event_size_bytes_max(6, 1) + 1 + LEGS_MAX * _LEG_SIZE_BYTES_MAX
# Of commands CancelOrder has most texts: two. RegisterMarket has most integers.
COMMAND_SIZE_BYTES_MAX: Final = max(
    event_size_bytes_max(6, 2), event_size_bytes_max(20, 1), ORDER_LIST_SIZE_BYTES_MAX
)
TRADE_SIZE_BYTES_MAX: Final = event_size_bytes_max(17, 0)  # with fees in the discount asset
ACCEPTED_SIZE_BYTES_MAX: Final = event_size_bytes_max(12, 1)
TERMS_ACCEPTED_SIZE_BYTES_MAX: Final = event_size_bytes_max(21, 1)
LIST_PLACED_SIZE_BYTES_MAX: Final = event_size_bytes_max(4, 1)
LIST_DONE_SIZE_BYTES_MAX: Final = event_size_bytes_max(3, 0)
REFILLED_SIZE_BYTES_MAX: Final = event_size_bytes_max(6, 0)
TRIGGERED_SIZE_BYTES_MAX: Final = event_size_bytes_max(9, 0)
PENDING_PLACED_SIZE_BYTES_MAX: Final = event_size_bytes_max(8, 0)
FUNDED_SIZE_BYTES_MAX: Final = event_size_bytes_max(7, 0)
CLOSED_SIZE_BYTES_MAX: Final = event_size_bytes_max(10, 1)
CLOSED_UNASKED_SIZE_BYTES_MAX: Final = event_size_bytes_max(11, 0)  # nobody's cancellation: no name
MODE_CHANGED_SIZE_BYTES_MAX: Final = event_size_bytes_max(2, 0)

# -- what one command can do (rules version 2; matching_engine/core/engine_limits.py)

# Resting orders that one order meets, traded with or closed. An outcome is one step for every reader, and a
# fill costs each of them tens of microseconds (the ledger seven rows): a thousand keep that step below a
# tenth of a second, and leave the outcome at a sixth of a record. Upstream's largest real orders meet some
# hundreds.
FILLS_PER_COMMAND_MAX: Final = 1_000
# Orders that an order sends to work by what it does: triggered by its prices, or pending until it was filled.
# One begins while at most half of the fills above are used up, and meets at most the other half. What is due
# beyond that goes to work with the next placements in the market, or with the leader's next word (ADR 0037).
FOLLOW_UPS_PER_COMMAND_MAX: Final = 100
FILLS_PER_FOLLOW_UP_MAX: Final = FILLS_PER_COMMAND_MAX // 2
# Of one account in one market; all its open orders together are counted too (binance-spot-api 2.2).
ALGO_ORDERS_MAX: Final = 100  # that wait for a price
ICEBERG_ORDERS_MAX: Final = 100
ORDER_LISTS_MAX: Final = 50
ORDER_AMENDS_MAX: Final = 10  # of one order
ICEBERG_PARTS_MAX: Final = 100
TRAILING_BIPS_MIN: Final = 10
TRAILING_BIPS_MAX: Final = 2_000
PEG_OFFSET_LEVELS_MAX: Final = 100
# Who waits for a price to buy at any price holds what the quantity costs at that price, and this much more.
STOP_MARKET_MARGIN_PPM: Final = 50_000
# A market's own limit may be lower, never higher: cancelling all of them is one command. Upstream has 200.
OPEN_ORDERS_MAX: Final = 500
MARKETS_MAX: Final = 2_000
ASSETS_MAX: Final = 2_000
# All money of an asset that is inside the exchange; what one event moves fits into 63 bits.
AMOUNT_ATOMS_MAX: Final = 2**62
FEE_TIERS_MAX: Final = 20
IDS_REMEMBERED_MAX: Final = 100_000  # deposit ids, and withdrawal ids

# -- anomalies (ADR 0057)

ANOMALY_ACCOUNTS_MAX: Final = 10_000  # whose commands are counted: those that were at work last
ANOMALIES_OPEN_MAX: Final = 200  # at once; what is more is no alarm until others are over
ANOMALIES_KEPT_MAX: Final = 200  # that are over, for operators to look at
ANOMALY_ACTS_WITHIN_MS: Final = 30_000  # after it was raised; later it is told alone

# -- the logs

# What the engine packs into one record, so that a reader's step and a fetch stay small.
RECORD_SIZE_BYTES_MAX: Final = 900_000
# What one hash of the event log's format 2 covers, unless one outcome is larger. Part of that format, so it
# never changes; a reader checks a link before it hands out any of it.
LINK_SIZE_BYTES_MAX: Final = 65_536
# A topic's limit, Kafka's own default. Its frame around a record, and the headers, count towards it.
TOPIC_MESSAGE_SIZE_BYTES_MAX: Final = 1_048_588
LOG_RECORD_FRAME_SIZE_BYTES: Final = 16_384
# What every log takes and no log takes more of: Kafka, the file, and those of the tests.
LOG_RECORD_SIZE_BYTES_MAX: Final = TOPIC_MESSAGE_SIZE_BYTES_MAX - LOG_RECORD_FRAME_SIZE_BYTES
FETCH_SIZE_BYTES_MAX: Final = 4 * 1024 * 1024

# What one meeting can lead to: a trade (or what prevents it), the end of the order that was met and of two
# more of its list, that list's end, the next slice of an iceberg, and what an OPO keeps for its pending ones.
EVENTS_PER_FILL_MAX: Final = 7
FILL_SIZE_BYTES_ON_LOG_MAX: Final = (
    TRADE_SIZE_BYTES_MAX
    + 3 * CLOSED_UNASKED_SIZE_BYTES_MAX
    + LIST_DONE_SIZE_BYTES_MAX
    + REFILLED_SIZE_BYTES_MAX
    + FUNDED_SIZE_BYTES_MAX
)
# What an order sent to work comes to beside its fills: its own word and end, the end of two others of its
# list, and that of the list; or the two pending orders of a list, their quantities, ends and the list's.
EVENTS_PER_FOLLOW_UP_MAX: Final = 7
FOLLOW_UP_SIZE_BYTES_MAX: Final = LIST_DONE_SIZE_BYTES_MAX + max(
    TRIGGERED_SIZE_BYTES_MAX + 3 * CLOSED_UNASKED_SIZE_BYTES_MAX,
    2 * (FUNDED_SIZE_BYTES_MAX + PENDING_PLACED_SIZE_BYTES_MAX + CLOSED_UNASKED_SIZE_BYTES_MAX),
)
# The largest outcome: an order, or a list of them, that meets as many others as it may, and what follows from
# that; all orders of a market cancelled.
ORDER_OUTCOME_SIZE_BYTES_MAX: Final = outcome_record_size_bytes_max(
    LIST_PLACED_SIZE_BYTES_MAX
    + LEGS_MAX * (TERMS_ACCEPTED_SIZE_BYTES_MAX + CLOSED_SIZE_BYTES_MAX)
    + FILLS_PER_COMMAND_MAX * FILL_SIZE_BYTES_ON_LOG_MAX
    + FOLLOW_UPS_PER_COMMAND_MAX * FOLLOW_UP_SIZE_BYTES_MAX
)
CANCEL_OUTCOME_SIZE_BYTES_MAX: Final = outcome_record_size_bytes_max(
    OPEN_ORDERS_MAX * (CLOSED_SIZE_BYTES_MAX + LIST_DONE_SIZE_BYTES_MAX)
)
# A market ends: so many events close its orders, and up to three more where the last of them ends a list.
RETIRED_EVENTS_PER_COMMAND_MAX: Final = OPEN_ORDERS_MAX
RETIRED_OUTCOME_SIZE_BYTES_MAX: Final = outcome_record_size_bytes_max(
    MODE_CHANGED_SIZE_BYTES_MAX + (RETIRED_EVENTS_PER_COMMAND_MAX + LEGS_MAX) * CLOSED_UNASKED_SIZE_BYTES_MAX
)
MODES_OUTCOME_SIZE_BYTES_MAX: Final = outcome_record_size_bytes_max(MARKETS_MAX * MODE_CHANGED_SIZE_BYTES_MAX)
EVENTS_PER_OUTCOME_MAX: Final = max(
    1
    + 2 * LEGS_MAX
    + FILLS_PER_COMMAND_MAX * EVENTS_PER_FILL_MAX
    + FOLLOW_UPS_PER_COMMAND_MAX * EVENTS_PER_FOLLOW_UP_MAX,
    2 * OPEN_ORDERS_MAX,
    MARKETS_MAX,
)


# -- who reads the logs

# Applied between two pauses, so that a process with sockets stays answerable; a fill costs some 20 to 50 us.
EVENTS_PER_TURN_MAX: Final = 500
# Of the event log, decoded and checked between two pauses: some 4,000 events. A record is never split.
TAIL_READ_SIZE_BYTES_MAX: Final = 262_144
# One transaction of the ledger. A fill is at most ten entries, and one outcome is never split. Beside that it
# closes orders, or it pays an OPO's pending ones.
ENTRIES_PER_TRADE_MAX: Final = 10
ENTRIES_PER_ORDER_EVENT_MAX: Final = 2
LEDGER_OUTCOMES_PER_BATCH_MAX: Final = 2_000
LEDGER_ENTRIES_PER_BATCH_MAX: Final = 20_000
ENTRIES_PER_OUTCOME_MAX: Final = (
    FILLS_PER_COMMAND_MAX * (ENTRIES_PER_TRADE_MAX + 3 * ENTRIES_PER_ORDER_EVENT_MAX)
    + (OPEN_ORDERS_MAX + 2 * LEGS_MAX) * ENTRIES_PER_ORDER_EVENT_MAX
    + FOLLOW_UPS_PER_COMMAND_MAX * 4 * ENTRIES_PER_ORDER_EVENT_MAX
)

# -- what waits for a client

# An execution report on a user data stream, and a fill in the answer to an order: with the longest numbers.
REPORT_SIZE_BYTES_MAX: Final = 1_536
FILL_SIZE_BYTES_MAX: Final = 256
# What a frame costs beside its bytes.
FRAME_COST_BYTES: Final = 128
# A queue is bounded by bytes and by the age of what waits longest, never by a count: one outcome is delivered
# in one step, in which nobody can read.
SOCKET_QUEUE_SIZE_BYTES_MAX: Final = 10 * 1024 * 1024
SOCKET_QUEUE_AGE_S_MAX: Final = 5
# Who trades with himself gets two reports of each fill; his orders that end with their list, and those sent
# to work, have one or two of their own.
REPORTS_PER_OUTCOME_MAX: Final = (
    2 * FILLS_PER_COMMAND_MAX + OPEN_ORDERS_MAX + 2 * FOLLOW_UPS_PER_COMMAND_MAX + 2
)
ANSWER_SIZE_BYTES_MAX: Final = 4_096 + FILLS_PER_COMMAND_MAX * FILL_SIZE_BYTES_MAX

# What client libraries take of one frame unless they are told otherwise.
CLIENT_FRAME_SIZE_BYTES_MAX: Final = 1_048_576

# -- the doors

BODY_SIZE_BYTES_MAX: Final = 16_384
QUERY_SIZE_BYTES_MAX: Final = 32_768
PARAMETERS_MAX: Final = 64
# A frame that the server hands on at all; each kind of socket takes less, and says so.
WEBSOCKET_MESSAGE_SIZE_BYTES_MAX: Final = 65_536
STREAM_MESSAGE_SIZE_BYTES_MAX: Final = 4_096
CONNECTIONS_MAX: Final = 12_000  # of one process: requests and sockets together
API_SOCKETS_MAX: Final = 9_000  # of one order process; the others are for requests
STREAM_SOCKETS_MAX: Final = 9_000  # of one market-data process
SOCKETS_PER_ADDRESS_MAX: Final = 300  # of a kind that an address holds in one process
SOCKET_ATTEMPTS_PER_ADDRESS_MAX: Final = 300  # of a kind within five minutes
INVENTED_STREAMS_PER_SOCKET_MAX: Final = 100  # names without a stream that are remembered
INVENTED_STREAMS_MAX: Final = 100_000  # of all sockets of a process
STREAMS_PER_SOCKET_MAX: Final = 1_024
USER_STREAMS_PER_SOCKET_MAX: Final = 1_000
REQUESTS_IN_WORK_PER_SOCKET_MAX: Final = 64
COMMANDS_WAITING_MAX: Final = 10_000  # in one process, for their outcomes
LISTEN_KEY_MESSAGES_WAITING_MAX: Final = 20_000
PAGE_ROWS_MAX: Final = 1_000
DEPTH_LEVELS_MAX: Final = 5_000
LEVEL_SIZE_BYTES_MAX: Final = 64
API_KEYS_PER_USER_MAX: Final = 30
ADDRESSES_PER_USER_MAX: Final = 100


class Limit(NamedTuple):
    """One line of the table: what is bounded, by how much, and who meets it."""

    what: str
    value: int
    unit: str
    met_by: str


def limits_table() -> str:
    """The table of ARCHITECTURE.md, as Markdown."""
    lines = ["| what | at most | who meets it |", "|---|---:|---|"]
    lines += [f"| {x.what} | {x.value:,} {x.unit} | {x.met_by} |" for x in _TABLE]
    return "\n".join(lines) + "\n"


_TABLE: Final = (
    Limit("one text in a command or event", TEXT_LENGTH_MAX, "characters", "the command is refused"),
    Limit("commands that a gateway sends at once", COMMANDS_PER_TICK_MAX, "", "nobody: the next wait"),
    Limit("commands in one record", COMMANDS_PER_RECORD_MAX, "", "the record is refused whole"),
    Limit(
        "resting orders that one order meets", FILLS_PER_COMMAND_MAX, "",
        "the rest expires, `TOO_MANY_FILLS`",
    ),
    Limit("orders sent to work by one command", FOLLOW_UPS_PER_COMMAND_MAX, "",
          "nobody: the next commands send them"),
    Limit("resting orders that one of those meets", FILLS_PER_FOLLOW_UP_MAX, "",
          "the rest expires, `TOO_MANY_FILLS`"),
    Limit("orders of one list", LEGS_MAX, "", "the command is refused"),
    Limit("orders of one account in one market that wait for a price", ALGO_ORDERS_MAX, "",
          "-1013 `MAX_NUM_ALGO_ORDERS`"),
    Limit("its icebergs there", ICEBERG_ORDERS_MAX, "", "-1013 `MAX_NUM_ICEBERG_ORDERS`"),
    Limit("its order lists there", ORDER_LISTS_MAX, "", "-1013 `MAX_NUM_ORDER_LISTS`"),
    Limit("parts of an iceberg", ICEBERG_PARTS_MAX, "", "-1013 `ICEBERG_PARTS`"),
    Limit("amendments of one order", ORDER_AMENDS_MAX, "", "-2038"),
    Limit("open orders of one account in one market", OPEN_ORDERS_MAX, "", "-1013 `MAX_NUM_ORDERS`"),
    Limit("events of one command that end orders with their market", RETIRED_EVENTS_PER_COMMAND_MAX, "",
          "nobody: the leader's next words go on"),
    Limit("markets", MARKETS_MAX, "", "the operator"),
    Limit("assets", ASSETS_MAX, "", "the operator"),
    Limit("tiers of fees", FEE_TIERS_MAX, "", "the operator"),
    Limit("money of one asset inside", AMOUNT_ATOMS_MAX, "atoms", "a deposit is refused"),
    Limit("deposit ids remembered, and withdrawal ids", IDS_REMEMBERED_MAX, "", "older ones count as used"),
    Limit("events of one outcome", EVENTS_PER_OUTCOME_MAX, "", "nobody: follows"),
    Limit("the largest outcome of an order", ORDER_OUTCOME_SIZE_BYTES_MAX, "bytes", "nobody: follows"),
    Limit("the largest outcome of a cancel-all", CANCEL_OUTCOME_SIZE_BYTES_MAX, "bytes", "nobody: follows"),
    Limit("a link of the chain, of several outcomes", LINK_SIZE_BYTES_MAX, "bytes", "nobody: the next"),
    Limit("a record that the engine packs", RECORD_SIZE_BYTES_MAX, "bytes", "nobody: it begins another"),
    Limit("a record on any log", LOG_RECORD_SIZE_BYTES_MAX, "bytes", "the writer: `LogError`"),
    Limit("of the event log decoded between two pauses", TAIL_READ_SIZE_BYTES_MAX, "bytes",
          "nobody: it is a pause"),
    Limit("events between two pauses of a reader", EVENTS_PER_TURN_MAX, "", "nobody: it is a pause"),
    Limit("outcomes of one ledger transaction", LEDGER_OUTCOMES_PER_BATCH_MAX, "", "nobody: the next"),
    Limit("entries of one ledger transaction", LEDGER_ENTRIES_PER_BATCH_MAX, "", "nobody: the next"),
    Limit("what waits for a socket", SOCKET_QUEUE_SIZE_BYTES_MAX, "bytes", "who does not read: cut off"),
    Limit("how long it waits", SOCKET_QUEUE_AGE_S_MAX, "s", "who does not read: cut off"),
    Limit("the answer to an order, with fills", ANSWER_SIZE_BYTES_MAX, "bytes", "nobody: follows"),
    Limit("a request's body", BODY_SIZE_BYTES_MAX, "bytes", "413"),
    Limit("a market-data query", QUERY_SIZE_BYTES_MAX, "bytes", "414"),
    Limit("a request's parameters", PARAMETERS_MAX, "", "-1101"),
    Limit("a message to the WebSocket API", BODY_SIZE_BYTES_MAX, "bytes", "the socket ends, 1009"),
    Limit("a message to a stream", STREAM_MESSAGE_SIZE_BYTES_MAX, "bytes", "the socket ends, 1009"),
    Limit("connections of one process", CONNECTIONS_MAX, "", "503"),
    Limit("sockets of one order process", API_SOCKETS_MAX, "", "503"),
    Limit("sockets of one market-data process", STREAM_SOCKETS_MAX, "", "503"),
    Limit("sockets of a kind of one address", SOCKETS_PER_ADDRESS_MAX, "", "429"),
    Limit("sockets that it opens in 5 minutes", SOCKET_ATTEMPTS_PER_ADDRESS_MAX, "", "429, then 418"),
    Limit("streams that do not exist, of one socket", INVENTED_STREAMS_PER_SOCKET_MAX, "",
          "nobody: more are taken and forgotten"),
    Limit("streams that do not exist, of a process", INVENTED_STREAMS_MAX, "",
          "nobody: more are taken and forgotten"),
    Limit("streams of one socket", STREAMS_PER_SOCKET_MAX, "", "the socket ends, 1008"),
    Limit("user streams of one socket", USER_STREAMS_PER_SOCKET_MAX, "", "-2042"),
    Limit("requests in work of one socket", REQUESTS_IN_WORK_PER_SOCKET_MAX, "", "later ones wait unread"),
    Limit("commands that wait in one process", COMMANDS_WAITING_MAX, "", "-1008"),
    Limit("messages that wait for listen keys", LISTEN_KEY_MESSAGES_WAITING_MAX, "", "they are dropped"),
    Limit("rows of one page", PAGE_ROWS_MAX, "", "a larger `limit` is cut"),
    Limit("levels of one depth", DEPTH_LEVELS_MAX, "", "a larger `limit` is cut"),
    Limit("API keys of one user", API_KEYS_PER_USER_MAX, "", "409"),
    Limit("withdrawal addresses of one user", ADDRESSES_PER_USER_MAX, "", "409"),
    Limit("accounts whose bursts are watched", ANOMALY_ACCOUNTS_MAX, "", "nobody: who was at work last"),
    Limit("anomalies that are open", ANOMALIES_OPEN_MAX, "", "the operator: no more are raised"),
    Limit("one fetch from a log", FETCH_SIZE_BYTES_MAX, "bytes", "nobody: it reads again"),
)  # fmt: skip

# -- that they fit together

assert outcome_record_size_bytes_max(COMMANDS_PER_TICK_MAX * COMMAND_SIZE_BYTES_MAX) <= RECORD_SIZE_BYTES_MAX
assert LINK_SIZE_BYTES_MAX <= RECORD_SIZE_BYTES_MAX, "a link fits one record"
assert 2 * FILLS_PER_FOLLOW_UP_MAX <= FILLS_PER_COMMAND_MAX, "half of the fills are left for who follows"
assert ORDER_OUTCOME_SIZE_BYTES_MAX <= RECORD_SIZE_BYTES_MAX, "an order's outcome fits one record"
assert CANCEL_OUTCOME_SIZE_BYTES_MAX <= RECORD_SIZE_BYTES_MAX, "a cancel-all's outcome fits one record"
assert RETIRED_OUTCOME_SIZE_BYTES_MAX <= RECORD_SIZE_BYTES_MAX, "a step of a market's end fits one record"
assert MODES_OUTCOME_SIZE_BYTES_MAX <= RECORD_SIZE_BYTES_MAX, "a halt of all markets fits one record"
assert ENTRIES_PER_OUTCOME_MAX <= LEDGER_ENTRIES_PER_BATCH_MAX, "one outcome fits a transaction"
assert SOCKET_QUEUE_SIZE_BYTES_MAX >= 2 * (
    REPORTS_PER_OUTCOME_MAX * (REPORT_SIZE_BYTES_MAX + FRAME_COST_BYTES) + ANSWER_SIZE_BYTES_MAX
), "a queue holds two outcomes' reports, and the answers"
assert RECORD_SIZE_BYTES_MAX < LOG_RECORD_SIZE_BYTES_MAX, "every log takes what the engine packs"
assert LOG_RECORD_SIZE_BYTES_MAX < TOPIC_MESSAGE_SIZE_BYTES_MAX < FETCH_SIZE_BYTES_MAX, "every fetch moves on"
assert 2 * AMOUNT_ATOMS_MAX - 1 <= INTEGER_MAX, "a deposit on top of all that may be inside fits an event"
assert ANSWER_SIZE_BYTES_MAX <= CLIENT_FRAME_SIZE_BYTES_MAX, "clients take the answer with all its fills"
assert DEPTH_LEVELS_MAX * 2 * LEVEL_SIZE_BYTES_MAX <= CLIENT_FRAME_SIZE_BYTES_MAX, "and the deepest book"
assert max(API_SOCKETS_MAX, STREAM_SOCKETS_MAX) <= CONNECTIONS_MAX * 3 // 4, "a quarter is for requests"
assert BODY_SIZE_BYTES_MAX < WEBSOCKET_MESSAGE_SIZE_BYTES_MAX, "who sends too much is told so"
assert STREAM_MESSAGE_SIZE_BYTES_MAX < WEBSOCKET_MESSAGE_SIZE_BYTES_MAX, "and on streams"
assert REPORTS_PER_OUTCOME_MAX <= LISTEN_KEY_MESSAGES_WAITING_MAX, "one outcome's reports can wait"
assert OPEN_ORDERS_MAX <= PAGE_ROWS_MAX, "open orders of a market fit one page"
