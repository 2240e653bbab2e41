"""Candles against the trades, for `reconcile`: a sample, so that the check of years takes no longer.

Seconds are compared with the trades themselves, each coarser step with the finer one: of each series the
newest rows, and rows at moments drawn by chance.
"""

from typing import Final

__all__ = ["CANDLE_CHECKS", "NEWEST_ROWS", "RANDOM_ROWS"]

NEWEST_ROWS: Final = 50
RANDOM_ROWS: Final = 50

_SAMPLE: Final = f"""
WITH series AS (
    SELECT f.market_id, s.step_ms, s.finer_ms, oldest.open_ms AS oldest_ms, newest.open_ms AS newest_ms
    FROM candle_folds AS f
    CROSS JOIN (VALUES (1000, 0), (60000, 1000), (900000, 60000), (3600000, 900000), (86400000, 3600000))
        AS s(step_ms, finer_ms)
    CROSS JOIN LATERAL (
        SELECT open_ms FROM candles AS c WHERE c.market_id = f.market_id AND c.step_ms = s.step_ms
        ORDER BY open_ms LIMIT 1
    ) AS oldest
    CROSS JOIN LATERAL (
        SELECT open_ms FROM candles AS c WHERE c.market_id = f.market_id AND c.step_ms = s.step_ms
        ORDER BY open_ms DESC LIMIT 1
    ) AS newest
), sample AS (
    SELECT s.finer_ms, c.* FROM series AS s CROSS JOIN LATERAL (
        (SELECT * FROM candles AS c WHERE c.market_id = s.market_id AND c.step_ms = s.step_ms
            ORDER BY open_ms DESC LIMIT {NEWEST_ROWS})
        UNION
        (SELECT drawn.* FROM generate_series(1, {RANDOM_ROWS}) CROSS JOIN LATERAL (
            SELECT s.oldest_ms + floor(random() * (s.newest_ms - s.oldest_ms))::bigint AS time_ms
        ) AS moment CROSS JOIN LATERAL (
            SELECT * FROM candles AS c WHERE c.market_id = s.market_id AND c.step_ms = s.step_ms
                AND c.open_ms >= moment.time_ms ORDER BY open_ms LIMIT 1
        ) AS drawn)
    ) AS c
)
"""
_VALUES: Final = (
    "{0}.open_ticks, {0}.high_ticks, {0}.low_ticks, {0}.close_ticks, {0}.quantity_lots, {0}.quote_atoms, "
    "{0}.taker_lots, {0}.taker_quote_atoms, {0}.first_id, {0}.last_id"
)

# Name of the check -> a query whose rows (subject, detail) are breaches, as in `reconcile`.
CANDLE_CHECKS: Final = {
    # The trades before the first and behind the last are looked at too: neither may belong to it.
    "C1 candles are what was traded": f"""{_SAMPLE}, counted AS (
        SELECT s.market_id, s.step_ms, s.open_ms, t.* FROM sample AS s CROSS JOIN LATERAL (
            SELECT (min(ARRAY[trade_id, price_ticks]))[2] AS open_ticks, max(price_ticks) AS high_ticks,
                min(price_ticks) AS low_ticks, (max(ARRAY[trade_id, price_ticks]))[2] AS close_ticks,
                sum(quantity_lots) AS quantity_lots, sum(quote_atoms) AS quote_atoms,
                coalesce(sum(quantity_lots) FILTER (WHERE taker_side = 1), 0) AS taker_lots,
                coalesce(sum(quote_atoms) FILTER (WHERE taker_side = 1), 0) AS taker_quote_atoms,
                min(trade_id) AS first_id, max(trade_id) AS last_id
            FROM trades AS t WHERE t.market_id = s.market_id
                AND t.trade_id BETWEEN s.first_id - 1 AND s.last_id + 1
                AND t.time_ms >= s.open_ms AND t.time_ms < s.open_ms + s.step_ms
        ) AS t WHERE s.finer_ms = 0
        UNION ALL
        SELECT s.market_id, s.step_ms, s.open_ms, f.* FROM sample AS s CROSS JOIN LATERAL (
            SELECT (min(ARRAY[first_id, open_ticks]))[2], max(high_ticks), min(low_ticks),
                (max(ARRAY[last_id, close_ticks]))[2], sum(quantity_lots), sum(quote_atoms),
                sum(taker_lots), sum(taker_quote_atoms), min(first_id), max(last_id)
            FROM candles AS f WHERE f.market_id = s.market_id AND f.step_ms = s.finer_ms
                AND f.open_ms >= s.open_ms AND f.open_ms < s.open_ms + s.step_ms
        ) AS f WHERE s.finer_ms > 0
    )
        SELECT 'market ' || market_id || ' step ' || step_ms || ' at ' || open_ms AS subject,
               'stored ' || ROW({_VALUES.format("s")}) || ', traded ' || ROW({_VALUES.format("c")}) AS detail
        FROM sample AS s JOIN counted AS c USING (market_id, step_ms, open_ms)
        WHERE ROW({_VALUES.format("s")}) IS DISTINCT FROM ROW({_VALUES.format("c")})
        ORDER BY market_id, step_ms, open_ms
    """,
    # While older trades are still folded, after an upgrade, it says so too.
    "C2 candles reach the newest trade": """
        SELECT 'market ' || m.market_id || coalesce(' step ' || s.step_ms, '') AS subject,
               'candles up to trade ' || coalesce(c.last_id, 0) || ', folded up to '
               || coalesce(f.last_trade_id, 0) || ', traded up to ' || t.trade_id AS detail
        FROM markets AS m LEFT JOIN candle_folds AS f USING (market_id)
        CROSS JOIN (VALUES (1000), (60000), (900000), (3600000), (86400000)) AS s(step_ms)
        CROSS JOIN LATERAL (
            SELECT trade_id FROM trades AS t WHERE t.market_id = m.market_id ORDER BY trade_id DESC LIMIT 1
        ) AS t
        LEFT JOIN LATERAL (
            SELECT last_id FROM candles AS c WHERE c.market_id = m.market_id AND c.step_ms = s.step_ms
            ORDER BY open_ms DESC LIMIT 1
        ) AS c ON true
        WHERE c.last_id IS DISTINCT FROM t.trade_id OR f.last_trade_id IS DISTINCT FROM t.trade_id
        ORDER BY m.market_id, s.step_ms
    """,
}
