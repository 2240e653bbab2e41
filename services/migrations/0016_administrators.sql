-- People who give orders over HTTP (/v1/admin, docs/operator.md), each by a token of his own. The token itself
-- is nowhere: token_hash is its SHA-256. A name is taken for good, because the audit log speaks of it.

CREATE TABLE administrators (
    name       text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    role       text NOT NULL CHECK (role IN ('ADMIN', 'VIEWER')),
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    created_ms bigint NOT NULL,
    revoked_ms bigint
);
