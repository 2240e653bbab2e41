"""What an exchange of five years looks like in its tables, as SQL that makes it at any scale.

Half of the rows lie as densely as they would in the newest days of the whole exchange, so that what reads the
present meets as much as it would there; the other half is the past, thinned. Every row is a function of its
number: a scale gives the same tables each time.

- Accounts: the busiest, BUSIEST, is on one side in about a tenth of all trades; a bot that has retired,
RETIRED, had
  three in ten of the first three fifths; the others follow a power law.
- Each trade has an order of its maker and one of its taker, filled whole; one more order a trade was
cancelled.
- Eight entries in the ledger a trade, that sum to zero for each asset.
"""

from typing import Final, NamedTuple

__all__ = [
    "BUSIEST",
    "CHUNK_TABLE",
    "DAY_MS",
    "TABLES",
    "WHOLE_TRADES",
    "YEARS",
    "Scale",
    "chunk_statements",
    "closing_statements",
]

YEARS: Final = 5
DAY_MS: Final = 86_400_000
SPAN_MS: Final = YEARS * 365 * DAY_MS
# Of the exchange that is meant: 50 million in five years.
WHOLE_TRADES: Final = 50_000_000
WHOLE_OPEN_ORDERS: Final = 20_000
WHOLE_USERS: Final = 100_000
# The first account that signs up gets this number: it is opened through the API, with a key.
BUSIEST: Final = 1001
RETIRED: Final = 1002
ORDERS_PER_TRADE: Final = 3
TABLES: Final = ("orders", "trades", "ledger_entries", "candles", "balances", "deposits", "withdrawals")
# Larger than the seq of all that a fresh log holds.
_SEQ_BASE: Final = 1_000


class Scale(NamedTuple):
    """How much of it is made. `now_ms`: when the last trade was."""

    trades: int
    now_ms: int

    @property
    def share(self) -> float:
        """Of the exchange that is meant."""
        return self.trades / WHOLE_TRADES

    @property
    def users(self) -> int:
        """Accounts: no fewer than a tenth of the whole, for services hold them in memory."""
        return min(WHOLE_USERS, max(20, self.trades // 50))

    @property
    def open_orders(self) -> int:
        """All of them, as soon as there are enough trades to stand beside."""
        return min(WHOLE_OPEN_ORDERS, max(20, self.trades // 20))

    @property
    def dense_ms(self) -> int:
        """How long the newest half takes, at the density of the whole."""
        return min(SPAN_MS // 2, SPAN_MS * (self.trades // 2) // WHOLE_TRADES)


# Ten trades in a row: five of the first market, four of the second, one of the third.
_NUMBERED: Final = """
SELECT n, (ARRAY[1,2,1,3,1,2,1,2,1,2])[n % 10 + 1] AS market_id,
    (n / 10) * (ARRAY[5,4,5,1,5,4,5,4,5,4])[n % 10 + 1] + (ARRAY[1,1,2,1,3,2,4,3,5,4])[n % 10 + 1] AS
    trade_id, abs(hashint8extended(n, 1)) AS h, abs(hashint8extended(n, 2)) AS g
FROM generate_series({first}::bigint, {last}::bigint) AS n
"""
_TIME: Final = """
CASE WHEN n < {half} THEN {now} - {span} + n * ({span} - {dense}) / {half}
     ELSE {now} - {dense} + (n - {half}) * {dense} / {half} END
"""
# A power law: of two accounts, the one before the other trades far more.
_USER: Final = "{busiest} + floor({users} * power(({hash} % 1000000) / 1000000.0::float8, 4))::bigint"
_CHUNK: Final = """
INSERT INTO chunk
SELECT n, market_id, trade_id, {time}, 1 + (h % 2)::int AS taker_side,
    CASE market_id WHEN 1 THEN 6000000 WHEN 2 THEN 300000 ELSE 5000 END
        * (100 + (30 * sin(n * 40.0 / {trades}))::int + (h % 200)::int / 100) / 100 AS price_ticks,
    10 + h % 1000 AS lots,
    {buyer} AS buyer, {seller} AS seller,
    {per_trade} * n + CASE WHEN h % 2 = 0 THEN 2 ELSE 1 END AS buyer_order_id,
    {per_trade} * n + CASE WHEN h % 2 = 0 THEN 1 ELSE 2 END AS seller_order_id
FROM ({numbered}) AS numbered
"""
CHUNK_TABLE: Final = """
CREATE TEMPORARY TABLE chunk (
    n bigint, market_id int, trade_id bigint, time_ms bigint, taker_side int, price_ticks bigint, lots bigint,
    buyer bigint, seller bigint, buyer_order_id bigint, seller_order_id bigint
)
"""
_TRADES: Final = f"""
INSERT INTO trades
SELECT c.market_id, trade_id, time_ms, {_SEQ_BASE} + n, taker_side, price_ticks, lots, lots * lot_atoms,
    price_ticks * lots * notional_unit_atoms, buyer_order_id, buyer, lots * lot_atoms / 1000,
    seller_order_id, seller, price_ticks * lots * notional_unit_atoms / 1000
FROM chunk AS c JOIN markets USING (market_id) ORDER BY n
"""
# Status 3: filled, 4: cancelled.
_ORDERS: Final = """
INSERT INTO orders
SELECT {per_trade} * n + place,
    CASE WHEN place = 3 OR place = 1 + (taker_side = 1)::int THEN buyer ELSE seller END, c.market_id,
    CASE WHEN buyer = {busiest} THEN 'grid-' || n % 20 ELSE 'web_' || to_hex(n * 4 + place) END,
    CASE WHEN place = 3 OR place = 1 + (taker_side = 1)::int THEN 1 ELSE 2 END, 1, 1, price_ticks, lots, 0, 1,
    CASE place WHEN 3 THEN 0 ELSE lots END,
    CASE place WHEN 3 THEN 0 ELSE price_ticks * lots * notional_unit_atoms END, 0,
    CASE place WHEN 3 THEN 4 ELSE 3 END, CASE place WHEN 3 THEN 1 ELSE 0 END, time_ms, time_ms, time_ms
FROM chunk AS c JOIN markets USING (market_id), generate_series(1, {per_trade}) AS place ORDER BY n, place
"""
_ENTRIES: Final = f"""
INSERT INTO ledger_entries
SELECT ({_SEQ_BASE} + n) * 100 + place, {_SEQ_BASE} + n, time_ms,
    CASE WHEN place IN (5, 7) THEN 0 WHEN place IN (0, 3, 4) THEN buyer ELSE seller END,
    CASE WHEN place IN (0, 1, 6, 7) THEN quote_asset_id ELSE base_asset_id END,
    CASE WHEN place IN (0, 2) THEN 2 WHEN place IN (5, 7) THEN 3 ELSE 1 END,
    CASE place WHEN 0 THEN -q WHEN 1 THEN q WHEN 2 THEN -b WHEN 3 THEN b WHEN 4 THEN -(b / 1000)
         WHEN 5 THEN b / 1000 WHEN 6 THEN -(q / 1000) ELSE q / 1000 END,
    CASE WHEN place < 4 THEN 'TRADE' ELSE 'FEE' END, 'trade:' || market_id || ':' || trade_id
FROM (SELECT c.*, base_asset_id, quote_asset_id, lots * lot_atoms AS b,
             price_ticks * lots * notional_unit_atoms AS q
      FROM chunk AS c JOIN markets USING (market_id)) AS c,
    generate_series(0, 7) AS place
ORDER BY n, place
"""


def chunk_statements(scale: Scale, first: int, last: int) -> list[str]:
    """The trades with numbers `first` to `last` (from 0), their orders and entries. Needs CHUNK_TABLE."""
    half = max(1, scale.trades // 2)
    time = _TIME.format(half=half, now=scale.now_ms, span=SPAN_MS, dense=scale.dense_ms)
    buyer = _USER.format(busiest=BUSIEST, users=scale.users, hash="h / 7")
    seller = _USER.format(busiest=BUSIEST, users=scale.users, hash="g / 7")
    retired = f"CASE WHEN n < {scale.trades} * 3 / 5 AND g % 10 < 3 THEN {RETIRED} ELSE {seller} END"
    chunk = _CHUNK.format(
        time=time,
        trades=scale.trades,
        buyer=buyer,
        seller=retired,
        per_trade=ORDERS_PER_TRADE,
        numbered=_NUMBERED.format(first=first, last=last),
    )
    orders = _ORDERS.format(per_trade=ORDERS_PER_TRADE, busiest=BUSIEST)
    return ["TRUNCATE chunk", chunk, _TRADES, orders, _ENTRIES]


_CANDLES: Final = """ INSERT INTO candles SELECT b.market_id, {step}, b.open_ms, o.price_ticks, b.high, b.low,
c.price_ticks, b.lots, b.quote, b.taker_lots,
    b.taker_quote, b.first_id, b.last_id
FROM (
    SELECT market_id, time_ms - time_ms % {step} AS open_ms, max(price_ticks) AS high, min(price_ticks) AS
    low,
        sum(quantity_lots) AS lots, sum(quote_atoms) AS quote,
        coalesce(sum(quantity_lots) FILTER (WHERE taker_side = 1), 0) AS taker_lots,
        coalesce(sum(quote_atoms) FILTER (WHERE taker_side = 1), 0) AS taker_quote,
        min(trade_id) AS first_id, max(trade_id) AS last_id
    FROM trades GROUP BY 1, 2
) AS b
JOIN trades AS o ON o.market_id = b.market_id AND o.trade_id = b.first_id
JOIN trades AS c ON c.market_id = b.market_id AND c.trade_id = b.last_id
"""
STEPS_MS: Final = (1_000, 60_000, 900_000, 3_600_000, DAY_MS)


def closing_statements(scale: Scale) -> list[tuple[str, str]]:
    """What comes beside the trades, each with a word for it: accounts, money, open orders, candles."""
    user = _USER.format(busiest=BUSIEST, users=scale.users, hash="abs(hashint8extended(n, 3))")
    orders = scale.trades * ORDERS_PER_TRADE + 10
    transfers = max(10, scale.trades // 50)
    time = f"{scale.now_ms} - {SPAN_MS} + n * {SPAN_MS}::bigint / {transfers}"
    return [
        (
            "accounts",
            "INSERT INTO users (user_id, email, created_ms) OVERRIDING SYSTEM VALUE "
            f"SELECT {BUSIEST} + n, 'user' || n || '@example.com', {scale.now_ms - SPAN_MS} "
            f"FROM generate_series(1, {scale.users}) AS n",
        ),
        (
            "balances",
            f"INSERT INTO balances SELECT {BUSIEST} + n, asset_id, 100000000000, 0, {scale.now_ms} "
            f"FROM generate_series(0, {scale.users}) AS n, assets",
        ),
        (
            "open orders",
            f"INSERT INTO orders SELECT {orders} + n, {user}, 1 + n % 3, 'open_' || n, 1 + n % 2, 1, 1, "
            "CASE n % 3 WHEN 0 THEN 6000000::bigint WHEN 1 THEN 300000 ELSE 5000 END "
            "* (CASE n % 2 WHEN 0 THEN 900 ELSE 1500 END - (n % 97)) / 1000, 100, 0, 1, 0, 0, 0, 1, 0, "
            f"{scale.now_ms}, {scale.now_ms}, {scale.now_ms} "
            f"FROM generate_series(1, {scale.open_orders}) AS n",
        ),
        (
            "deposits",
            f"INSERT INTO deposits SELECT n, {user}, 1 + n % 3, 100000000, {time} "
            f"FROM generate_series(1, {transfers}) AS n",
        ),
        (
            "withdrawals",
            f"INSERT INTO withdrawals SELECT n, {user}, 1 + n % 3, 100000000, 'address', 'SETTLED', {time} "
            f"FROM generate_series(1, {transfers}) AS n",
        ),
        ("statistics of the trades", "ANALYZE trades"),
        *((f"candles of {step // 1_000} s", _CANDLES.format(step=step)) for step in STEPS_MS),
        (
            "candles' place",
            "INSERT INTO candle_folds SELECT market_id, max(trade_id) FROM trades GROUP BY 1 "
            "ON CONFLICT (market_id) DO UPDATE SET last_trade_id = EXCLUDED.last_trade_id",
        ),
    ]
