-- A second factor (RFC 6238), and links by which a password is set anew; owned by the user service (ADR 0033).

CREATE TABLE second_factors (
    user_id          bigint PRIMARY KEY REFERENCES users (user_id),
    -- Sealed as the secrets of keys are (exchange/security/key_ring.py), bound to user_id.
    secret_encrypted bytea  NOT NULL,
    made_ms          bigint NOT NULL,
    -- NULL: its owner has not shown yet that he has it, so it protects nothing.
    confirmed_ms     bigint,
    -- The newest step whose code was taken: a code is good once.
    last_step        bigint NOT NULL DEFAULT 0
);

-- Who holds one may set that account's password, once. Only hashes are kept.
CREATE TABLE password_reset_tokens (
    token_hash bytea  PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id    bigint NOT NULL,
    expires_ms bigint NOT NULL,
    used_ms    bigint
);
CREATE INDEX password_reset_tokens_expired ON password_reset_tokens (expires_ms);
