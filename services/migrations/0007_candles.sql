-- Candles as rows: what was traded in each second, minute, quarter of an hour, hour and day (UTC) in which
-- something was. Written with the trades, in one transaction, so that nobody ever has to sum up the trades of
-- years. All other intervals and time zones are put together from these (services/market_data/markets/history.py).
--
-- first_id and last_id are trade ids, without gaps within a market: last_id - first_id + 1 is the number of trades.
-- taker_*: the part that takers bought. Sums are numeric: a day may turn an asset over many times, and 2^63 atoms
-- are few where an asset has many decimals.
--
-- Kept for ever, the seconds too: behind each row of a second is at least one trade, which is kept as ten rows of
-- other tables. A table for each step, so that the rows of a series lie close together.
CREATE TABLE candles (
    market_id int NOT NULL,
    step_ms int NOT NULL,
    open_ms bigint NOT NULL,
    open_ticks bigint NOT NULL,
    high_ticks bigint NOT NULL,
    low_ticks bigint NOT NULL,
    close_ticks bigint NOT NULL,
    quantity_lots numeric NOT NULL,
    quote_atoms numeric NOT NULL,
    taker_lots numeric NOT NULL,
    taker_quote_atoms numeric NOT NULL,
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    PRIMARY KEY (market_id, step_ms, open_ms),
    CHECK (open_ms % step_ms = 0),
    CHECK (first_id > 0 AND last_id >= first_id),
    CHECK (low_ticks <= LEAST(open_ticks, close_ticks) AND high_ticks >= GREATEST(open_ticks, close_ticks)),
    CHECK (taker_lots BETWEEN 0 AND quantity_lots AND taker_quote_atoms BETWEEN 0 AND quote_atoms)
) PARTITION BY LIST (step_ms);

-- The newest row of a series is written again with every trade: room for its next version on the same page.
CREATE TABLE candles_1s PARTITION OF candles FOR VALUES IN (1000) WITH (fillfactor = 90);
CREATE TABLE candles_1m PARTITION OF candles FOR VALUES IN (60000) WITH (fillfactor = 90);
CREATE TABLE candles_15m PARTITION OF candles FOR VALUES IN (900000) WITH (fillfactor = 90);
CREATE TABLE candles_1h PARTITION OF candles FOR VALUES IN (3600000) WITH (fillfactor = 90);
CREATE TABLE candles_1d PARTITION OF candles FOR VALUES IN (86400000) WITH (fillfactor = 90);

-- How far a market's trades are in its candles. The compare-and-set on last_trade_id makes each trade count once,
-- whoever folds it. What was traded before this table was made is folded in steps, by the ledger projection or by
-- `python -m services.projections.ledger.candle_backfill`.
CREATE TABLE candle_folds (
    market_id int PRIMARY KEY,
    last_trade_id bigint NOT NULL CHECK (last_trade_id >= 0)
) WITH (fillfactor = 70);
INSERT INTO candle_folds (market_id, last_trade_id) SELECT market_id, 0 FROM markets;
