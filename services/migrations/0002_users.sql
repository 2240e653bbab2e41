-- People and their API keys, owned by the user service.

CREATE TABLE users (
    user_id       bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
    -- Lower-case ASCII, so that one mailbox is one user.
    email         text   NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) <= 254),
    password_hash text   NOT NULL,
    created_ms    bigint NOT NULL
);

CREATE TABLE api_keys (
    -- SHA-256 of the key: looking it up tells nothing by its timing.
    key_hash         bytea  PRIMARY KEY CHECK (length(key_hash) = 32),
    api_key          text   NOT NULL,
    user_id          bigint NOT NULL REFERENCES users (user_id),
    label            text   NOT NULL,
    permissions      text[] NOT NULL CHECK (permissions <@ ARRAY ['READ', 'TRADE', 'WITHDRAW']),
    ip_allow_list    text[] NOT NULL,
    kind             text   NOT NULL CHECK (kind IN ('HMAC', 'ED25519')),
    -- Nonce and AES-256-GCM ciphertext, bound to key_hash; the data key is not in the database.
    secret_encrypted bytea,
    public_key_pem   text,
    created_ms       bigint NOT NULL,
    revoked_ms       bigint,
    CHECK ((kind = 'HMAC') = (secret_encrypted IS NOT NULL)),
    CHECK ((kind = 'ED25519') = (public_key_pem IS NOT NULL))
);

CREATE INDEX api_keys_by_user ON api_keys (user_id, created_ms) WHERE revoked_ms IS NULL;
