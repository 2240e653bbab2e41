-- What the auditor found. While a row is not cleared the auditor is red after every start. An operator who
-- has repaired the cause sets cleared_ms and starts the auditor again; nothing in the program does.
CREATE TABLE audit_breaches (
    breach_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard int NOT NULL,
    seq bigint NOT NULL,
    invariant text NOT NULL,
    detail text NOT NULL,
    found_ms bigint NOT NULL,
    -- When the engine confirmed that trading is halted; NULL: not yet.
    halted_ms bigint,
    cleared_ms bigint,
    UNIQUE (shard, seq, invariant, detail)
);
CREATE INDEX audit_breaches_open ON audit_breaches (shard, breach_id) WHERE cleared_ms IS NULL;
