-- Notices to people, owned by the notifier.

-- How far each source has been read: "events.<shard>" by seq, "logins" by the id of the audit log. The
-- compare-and-set on last_id is the fence against a second notifier.
CREATE TABLE notice_positions (
    source      text   PRIMARY KEY,
    last_id     bigint NOT NULL CHECK (last_id >= 0),
    -- Of events only: hash of the last one, and the offset at which the log is read on.
    last_hash   bytea  NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    updated_ms  bigint NOT NULL
);

-- The queue where there is no SQS (exchange/adapters/database_queue.py).
CREATE TABLE message_queue (
    message_id text        PRIMARY KEY,
    body       text        NOT NULL,
    attempts   int         NOT NULL DEFAULT 0,
    -- When it may be given to somebody.
    visible_at timestamptz NOT NULL DEFAULT now(),
    -- Of its last delivery.
    receipt    uuid,
    -- A dead letter since then.
    dead_at    timestamptz
) WITH (fillfactor = 70);
CREATE INDEX message_queue_due ON message_queue (visible_at) WHERE dead_at IS NULL;
CREATE INDEX message_queue_dead ON message_queue (dead_at) WHERE dead_at IS NOT NULL;
