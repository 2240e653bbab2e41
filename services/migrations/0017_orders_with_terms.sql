-- Orders that are more than plain ones (rules version 4, ADR 0039): what a plain order lacks stays at its default,
-- so nothing is written for it. Units as in 0001; 0 is "not set".

-- order_list_id: the list that it is part of. state: codes.STATE_*: 1 it works or has ended, 2 it
-- waits for its price, 3 for its list's working order. trailing_ms: when it began to follow the price, -1:
-- not yet. prevented_lots: of it that met an order of the same user and traded with nobody (DECREMENT).
-- decrement_seq: the event that last did so. displayed_lots: what the book shows of it; NULL of a plain order, of which the book shows all that is open.
ALTER TABLE orders
    ADD COLUMN order_list_id bigint NOT NULL DEFAULT 0,
    ADD COLUMN state smallint NOT NULL DEFAULT 1,
    ADD COLUMN stop_price_ticks bigint NOT NULL DEFAULT 0,
    ADD COLUMN trailing_bips int NOT NULL DEFAULT 0,
    ADD COLUMN trailing_ms bigint NOT NULL DEFAULT -1,
    ADD COLUMN iceberg_lots bigint NOT NULL DEFAULT 0,
    ADD COLUMN strategy_id bigint NOT NULL DEFAULT 0,
    ADD COLUMN strategy_type bigint NOT NULL DEFAULT 0,
    ADD COLUMN peg_price_type smallint NOT NULL DEFAULT 0,
    ADD COLUMN peg_offset_levels int NOT NULL DEFAULT 0,
    ADD COLUMN prevented_lots bigint NOT NULL DEFAULT 0 CHECK (prevented_lots >= 0),
    ADD COLUMN decrement_seq bigint NOT NULL DEFAULT 0,
    ADD COLUMN displayed_lots bigint CHECK (displayed_lots >= 0);

-- done_ms 0: its orders still decide about each other. contingency: codes.CONTINGENCY_*.
CREATE TABLE order_lists (
    order_list_id bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    market_id int NOT NULL,
    list_client_order_id text NOT NULL,
    contingency smallint NOT NULL,
    created_ms bigint NOT NULL,
    done_ms bigint NOT NULL DEFAULT 0
);
CREATE INDEX order_lists_by_user ON order_lists (user_id, order_list_id);
CREATE INDEX order_lists_by_client_id ON order_lists (user_id, list_client_order_id, order_list_id);
CREATE INDEX order_lists_by_time ON order_lists (user_id, created_ms, order_list_id);
CREATE INDEX order_lists_open ON order_lists (order_list_id) WHERE done_ms = 0;

-- execution_id: seq of the event.
CREATE TABLE order_amendments (
    order_id bigint NOT NULL,
    execution_id bigint NOT NULL,
    old_client_order_id text NOT NULL,
    new_client_order_id text NOT NULL,
    old_quantity_lots bigint NOT NULL,
    new_quantity_lots bigint NOT NULL,
    time_ms bigint NOT NULL,
    PRIMARY KEY (order_id, execution_id)
);

-- Self-trades that made both orders smaller; those that ended an order stand in orders.counter_order_id.
CREATE TABLE decrements (
    seq bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    market_id int NOT NULL,
    taker_order_id bigint NOT NULL,
    maker_order_id bigint NOT NULL,
    price_ticks bigint NOT NULL,
    prevented_lots bigint NOT NULL CHECK (prevented_lots > 0),
    time_ms bigint NOT NULL
);
CREATE INDEX decrements_of_taker ON decrements (taker_order_id, seq);
CREATE INDEX decrements_of_maker ON decrements (maker_order_id, seq);
