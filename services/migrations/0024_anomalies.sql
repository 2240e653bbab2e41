-- What the watch over the events found unusual (ADR 0057): every anomaly that is open, and the newest that are over.
CREATE TABLE anomalies (
    anomaly_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard int NOT NULL,
    kind text NOT NULL,
    -- Whose it is; 0 where it is of no market, or of no account.
    market_id int NOT NULL,
    user_id bigint NOT NULL,
    -- By the engine's time, and the outcome that raised it.
    raised_ms bigint NOT NULL,
    raised_seq bigint NOT NULL,
    value bigint NOT NULL,
    limit_value bigint NOT NULL,
    cleared_ms bigint,
    -- Its market shall be turned to cancel-only. acted_ms: when somebody took that upon himself, before he did it, so
    -- it is done once at the most; outcome: what came of it, in words.
    asks_cancel_only boolean NOT NULL,
    acted_ms bigint,
    outcome text
);
-- One open anomaly of a kind and a market or account, whoever finds it.
CREATE UNIQUE INDEX anomalies_open ON anomalies (shard, kind, market_id, user_id) WHERE cleared_ms IS NULL;
CREATE INDEX anomalies_asking ON anomalies (shard, raised_ms) WHERE asks_cancel_only AND acted_ms IS NULL;
