-- Who people are elsewhere: sign-ins by outside issuers; owned by the user service (ADR 0015).

-- An account that an outside sign-in opened has no password: nobody logs in to it with one.
ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL;

CREATE TABLE identities (
    issuer     text   NOT NULL,
    subject    text   NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    user_id    bigint NOT NULL REFERENCES users (user_id),
    -- The address that the issuer had verified when the identity was linked.
    email      text   NOT NULL,
    created_ms bigint NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_by_user ON identities (user_id);

-- Log-ins at outside issuers that were seen here: each stands once in the audit log, and stays ended after a
-- log-out, also when the cache has lost its data. Rows go when no token of the log-in can be good any more.
CREATE TABLE outside_logins (
    login_hash bytea  PRIMARY KEY CHECK (octet_length(login_hash) = 32),
    user_id    bigint NOT NULL REFERENCES users (user_id),
    begun_ms   bigint NOT NULL,
    forget_ms  bigint NOT NULL,
    ended_ms   bigint
);
CREATE INDEX outside_logins_to_forget ON outside_logins (forget_ms);
