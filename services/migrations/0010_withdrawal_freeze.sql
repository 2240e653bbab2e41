-- What holds withdrawals back: the auditor's place, and their owner's or an operator's word.

-- Seq of the event that reserved it: who pays waits until the auditor has seen that event. NULL in what an
-- older release wrote; then the ledger's entries tell.
ALTER TABLE withdrawals ADD COLUMN reserved_seq bigint CHECK (reserved_seq > 0);
UPDATE withdrawals AS w SET reserved_seq = (
    SELECT e.seq FROM ledger_entries AS e
    WHERE e.user_id = w.user_id AND e.asset_id = w.asset_id AND e.kind = 'WITHDRAWAL_RESERVE'
      AND e.reference = 'withdrawal:' || w.withdrawal_id
    LIMIT 1)
WHERE status = 'RESERVED';

-- Accounts from which nothing may leave; owned by the user service and the operator. OWNER: by a link from a
-- notice, ended by its owner with the password. OPERATOR: ended by the operator alone. Rows stay: the audit log
-- tells who did what, these tell what holds now.
CREATE TABLE withdrawal_freezes (
    user_id    bigint NOT NULL REFERENCES users (user_id),
    source     text   NOT NULL CHECK (source IN ('OWNER', 'OPERATOR')),
    frozen_ms  bigint NOT NULL,
    -- From then on it holds no more; NULL: until somebody ends it.
    ends_ms    bigint CHECK (ends_ms >= frozen_ms),
    PRIMARY KEY (user_id, source)
);

-- The links: who holds one may freeze that account, once, and nothing else. Only hashes are kept.
CREATE TABLE withdrawal_freeze_tokens (
    token_hash bytea  PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id    bigint NOT NULL,
    expires_ms bigint NOT NULL,
    used_ms    bigint
);
CREATE INDEX withdrawal_freeze_tokens_expired ON withdrawal_freeze_tokens (expires_ms);
