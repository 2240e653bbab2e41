-- Data keys, the rules for withdrawals, and the audit log; owned by the user service.

-- Keys that secrets are encrypted with, wrapped by a key that is not in the database.
CREATE TABLE data_keys (
    version    int    PRIMARY KEY CHECK (version > 0),
    wrapped    bytea  NOT NULL,
    created_ms bigint NOT NULL
);

-- Secrets sealed before there were data keys cannot be opened any more: their owners make new keys.
UPDATE api_keys SET revoked_ms = created_ms WHERE kind = 'HMAC' AND revoked_ms IS NULL;
COMMENT ON COLUMN api_keys.secret_encrypted IS
    'see exchange/key_ring.py: bound to user_id and key_hash, so that rows cannot be swapped';

CREATE TABLE withdrawal_addresses (
    address_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users (user_id),
    asset_id   int    NOT NULL,
    address    text   NOT NULL,
    label      text   NOT NULL,
    created_ms bigint NOT NULL,
    usable_ms  bigint NOT NULL CHECK (usable_ms >= created_ms),
    removed_ms bigint
);
CREATE UNIQUE INDEX withdrawal_addresses_listed ON withdrawal_addresses (user_id, asset_id, address)
    WHERE removed_ms IS NULL;

-- What was let through to the engine, for the limits within a day. The ledger's table comes later than
-- the next request does, so it cannot be asked.
CREATE TABLE withdrawal_requests (
    withdrawal_id bigint  PRIMARY KEY,
    user_id       bigint  NOT NULL REFERENCES users (user_id),
    asset_id      int     NOT NULL,
    amount_atoms  bigint  NOT NULL CHECK (amount_atoms > 0),
    time_ms       bigint  NOT NULL,
    -- The engine refused it, or never got it: it counts for nothing.
    refused       boolean NOT NULL DEFAULT false
);
CREATE INDEX withdrawal_requests_lately ON withdrawal_requests (user_id, asset_id, time_ms) WHERE NOT refused;

-- Rows are only ever added; services/user/audit_log.py says what hash covers. The ids have no gap.
CREATE TABLE audit_log (
    id            bigint PRIMARY KEY CHECK (id > 0),
    time_ms       bigint NOT NULL,
    user_id       bigint,
    ip            text   NOT NULL,
    act           text   NOT NULL,
    -- json, not jsonb: the text stays as it was hashed.
    detail        json   NOT NULL,
    previous_hash bytea  NOT NULL CHECK (octet_length(previous_hash) = 32),
    hash          bytea  NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE INDEX audit_log_by_user ON audit_log (user_id, id);

-- The last row's id and hash, so that rows missing at the end are noticed.
CREATE TABLE audit_log_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id       bigint  NOT NULL,
    hash     bytea   NOT NULL
);
