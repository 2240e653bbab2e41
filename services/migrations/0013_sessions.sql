-- Sessions as their owner sees and ends them, and keys that end with one; owned by the user service (ADR 0033).

-- Sessions that a password opened. Whether one is alive is the cache's to say; rows stay, like the audit log's.
CREATE TABLE login_sessions (
    session_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea  NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    user_id    bigint NOT NULL REFERENCES users (user_id),
    ip         text   NOT NULL,
    -- What the client calls itself, cut: a hint for its owner, believed by nobody.
    agent      text   NOT NULL CHECK (length(agent) <= 200),
    begun_ms   bigint NOT NULL,
    expires_ms bigint NOT NULL CHECK (expires_ms > begun_ms),
    ended_ms   bigint
);
CREATE INDEX login_sessions_by_user ON login_sessions (user_id, session_id) WHERE ended_ms IS NULL;
CREATE INDEX login_sessions_open ON login_sessions (session_id) WHERE ended_ms IS NULL;

ALTER TABLE api_keys
    -- The key is good for as long as this session is; NULL: until it is revoked.
    ADD COLUMN session_id bigint REFERENCES login_sessions (session_id),
    -- When it was last shown to a service, to the minute.
    ADD COLUMN last_used_ms bigint;
CREATE INDEX api_keys_by_session ON api_keys (session_id) WHERE session_id IS NOT NULL AND revoked_ms IS NULL;
