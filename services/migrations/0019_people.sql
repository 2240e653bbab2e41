-- Rooms for people (ADR 0049): how an administrator shows who he is, and what an account's owner is told, by
-- which way.

-- The second factor of an administrator (RFC 6238); who has none has no session. Sealed as the secrets of keys
-- are (exchange/security/key_ring.py), bound to the name.
CREATE TABLE administrator_factors (
    name              text   PRIMARY KEY REFERENCES administrators (name),
    secret_encrypted  bytea  NOT NULL,
    made_ms           bigint NOT NULL,
    -- The newest step whose code was taken: a code is good once.
    last_step         bigint NOT NULL DEFAULT 0,
    -- Tries since then: six digits are few.
    tries             int    NOT NULL DEFAULT 0,
    tries_since_ms    bigint NOT NULL DEFAULT 0
);

-- Token and code together begin one; only hashes are kept. Every look and every order needs one that lives.
CREATE TABLE administrator_sessions (
    token_hash bytea  PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    name       text   NOT NULL REFERENCES administrators (name),
    begun_ms   bigint NOT NULL,
    ends_ms    bigint NOT NULL CHECK (ends_ms >= begun_ms)
);
CREATE INDEX administrator_sessions_of ON administrator_sessions (name, begun_ms);

-- What somebody wants to be told, and by which ways; no row is the default (exchange/contracts/notice_topics.py).
CREATE TABLE notice_choices (
    user_id bigint  NOT NULL REFERENCES users (user_id),
    topic   text    NOT NULL CHECK (topic IN ('FILLS', 'DEPOSITS', 'WITHDRAWALS', 'LOGINS', 'KEYS')),
    mail    boolean NOT NULL,
    webhook boolean NOT NULL,
    browser boolean NOT NULL,
    PRIMARY KEY (user_id, topic)
);

-- Addresses that have said by a link that they want mail. Who asks for the link and who opens it are both in the
-- audit log; the address is the account's of that moment.
CREATE TABLE notice_addresses (
    user_id      bigint PRIMARY KEY REFERENCES users (user_id),
    address      text   NOT NULL CHECK (length(address) BETWEEN 3 AND 254),
    confirmed_ms bigint NOT NULL
);
CREATE TABLE notice_address_tokens (
    token_hash bytea  PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id    bigint NOT NULL,
    expires_ms bigint NOT NULL,
    used_ms    bigint
);
CREATE INDEX notice_address_tokens_expired ON notice_address_tokens (expires_ms);

-- Where a program of somebody's is told, and the key that signs what it is told (sealed, bound to user_id).
CREATE TABLE webhooks (
    user_id          bigint PRIMARY KEY REFERENCES users (user_id),
    url              text   NOT NULL CHECK (length(url) BETWEEN 9 AND 500),
    secret_encrypted bytea  NOT NULL,
    made_ms          bigint NOT NULL,
    -- Notices in a row that were given up; at a limit nothing is sent any more, until its owner sets it anew.
    given_up         int    NOT NULL DEFAULT 0,
    -- What came of the last try, for its owner.
    last_ms          bigint,
    last_result      text   CHECK (length(last_result) <= 200)
);
CREATE TABLE webhook_deliveries (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL REFERENCES users (user_id),
    -- Of the notice: one that is made twice is sent once.
    notice_id   text   NOT NULL,
    body        text   NOT NULL,
    attempts    int    NOT NULL DEFAULT 0,
    due_ms      bigint NOT NULL,
    UNIQUE (user_id, notice_id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_ms);
