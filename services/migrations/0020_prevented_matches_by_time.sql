-- Orders that a prevented self-trade has ended, and the name of that match: the seq of the event that first told
-- of it, so that ids rise in time (ADR 0046). Older ones keep the name under which they were told: an order's id.
CREATE TABLE prevented_ends (
    order_id bigint PRIMARY KEY,
    counter_order_id bigint NOT NULL,
    match_id bigint NOT NULL
);
INSERT INTO prevented_ends (order_id, counter_order_id, match_id)
SELECT order_id, counter_order_id,
       CASE WHEN order_id > counter_order_id AND stp_mode = 4 THEN counter_order_id ELSE order_id END
FROM orders WHERE counter_order_id > 0;
CREATE INDEX prevented_ends_by_match ON prevented_ends (match_id);
CREATE INDEX prevented_ends_by_counter ON prevented_ends (counter_order_id, match_id);
