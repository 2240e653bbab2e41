-- Filters that a command has changed (ADR 0045): codes.FILTER_*, of a market, of all (both ids 0), or of an
-- asset. What the values mean and count, exchange/contracts/filter_kinds.py says; all 0: switched off.
-- What a market was registered with stays in its own row.
CREATE TABLE filters (
    filter_type smallint NOT NULL,
    market_id int NOT NULL,
    asset_id int NOT NULL,
    first bigint NOT NULL CHECK (first >= 0),
    second bigint NOT NULL CHECK (second >= 0),
    third bigint NOT NULL CHECK (third >= 0),
    fourth bigint NOT NULL CHECK (fourth >= 0),
    PRIMARY KEY (filter_type, market_id, asset_id)
);
