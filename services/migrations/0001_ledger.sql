-- The ledger: a projection of the event log (design decision 8). Units stand in the names; `_ms` counts
-- milliseconds since 1970. Small integers are the codes of exchange/contracts/codes.py.

-- Where the projection stands. The compare-and-set on last_seq is its idempotence and its fence.
CREATE TABLE positions (
    shard int PRIMARY KEY,
    last_seq bigint NOT NULL CHECK (last_seq >= 0),
    last_hash bytea NOT NULL CHECK (octet_length(last_hash) = 16),
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    updated_ms bigint NOT NULL
);

CREATE TABLE assets (
    asset_id int PRIMARY KEY,
    code text NOT NULL UNIQUE,
    decimals int NOT NULL CHECK (decimals BETWEEN 0 AND 18)
);

CREATE TABLE markets (
    market_id int PRIMARY KEY,
    symbol text NOT NULL UNIQUE,
    base_asset_id int NOT NULL REFERENCES assets,
    quote_asset_id int NOT NULL REFERENCES assets,
    tick_atoms bigint NOT NULL,
    lot_atoms bigint NOT NULL,
    notional_unit_atoms bigint NOT NULL,
    price_ticks_min bigint NOT NULL,
    price_ticks_max bigint NOT NULL,
    quantity_lots_min bigint NOT NULL,
    quantity_lots_max bigint NOT NULL,
    market_quantity_lots_max bigint NOT NULL,
    notional_atoms_min bigint NOT NULL,
    notional_atoms_max bigint NOT NULL,
    bid_multiplier_up_ppm bigint NOT NULL,
    bid_multiplier_down_ppm bigint NOT NULL,
    ask_multiplier_up_ppm bigint NOT NULL,
    ask_multiplier_down_ppm bigint NOT NULL,
    open_orders_max bigint NOT NULL,
    maker_fee_ppm bigint NOT NULL,
    taker_fee_ppm bigint NOT NULL,
    mode int NOT NULL
);

-- Traders only; what the exchange earned and what came from outside stand in ledger_entries.
CREATE TABLE balances (
    user_id bigint NOT NULL CHECK (user_id > 0),
    asset_id int NOT NULL,
    available_atoms bigint NOT NULL CHECK (available_atoms >= 0),
    held_atoms bigint NOT NULL CHECK (held_atoms >= 0),
    updated_ms bigint NOT NULL,
    PRIMARY KEY (user_id, asset_id)
) WITH (fillfactor = 70);

-- Buckets: 1 AVAILABLE, 2 HELD (traders); 3 FEES, 4 OUTSIDE (user_id 0).
-- The entries of one event sum to zero for each asset. entry_id = seq * 100 + place within the event.
CREATE TABLE ledger_entries (
    entry_id bigint PRIMARY KEY,
    seq bigint NOT NULL,
    time_ms bigint NOT NULL,
    user_id bigint NOT NULL,
    asset_id int NOT NULL,
    bucket smallint NOT NULL CHECK (bucket BETWEEN 1 AND 4),
    amount_atoms bigint NOT NULL CHECK (amount_atoms <> 0),
    kind text NOT NULL,
    reference text NOT NULL,
    CHECK ((bucket IN (1, 2)) = (user_id > 0))
);
CREATE INDEX ledger_entries_by_user ON ledger_entries (user_id, asset_id, entry_id);

-- held_atoms: what the order still holds (BUY: quote, SELL: base). close_reason 0: not closed.
CREATE TABLE orders (
    order_id bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    market_id int NOT NULL,
    client_order_id text NOT NULL,
    side smallint NOT NULL,
    order_type smallint NOT NULL,
    time_in_force smallint NOT NULL,
    price_ticks bigint NOT NULL,
    quantity_lots bigint NOT NULL,
    quote_quantity_atoms bigint NOT NULL,
    stp_mode smallint NOT NULL,
    executed_lots bigint NOT NULL CHECK (executed_lots BETWEEN 0 AND quantity_lots),
    executed_quote_atoms bigint NOT NULL CHECK (executed_quote_atoms >= 0),
    held_atoms bigint NOT NULL CHECK (held_atoms >= 0),
    status smallint NOT NULL CHECK (status BETWEEN 1 AND 6),
    close_reason smallint NOT NULL DEFAULT 0,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    working_ms bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX orders_by_user ON orders (user_id, market_id, order_id);
CREATE INDEX orders_by_client_order_id ON orders (user_id, market_id, client_order_id);
-- 1 NEW and 2 PARTIALLY_FILLED are the open ones.
CREATE INDEX orders_open ON orders (market_id, user_id, order_id) WHERE status IN (1, 2);

CREATE TABLE trades (
    market_id int NOT NULL,
    trade_id bigint NOT NULL,
    time_ms bigint NOT NULL,
    seq bigint NOT NULL,
    taker_side smallint NOT NULL,
    price_ticks bigint NOT NULL,
    quantity_lots bigint NOT NULL,
    base_atoms bigint NOT NULL,
    quote_atoms bigint NOT NULL,
    buyer_order_id bigint NOT NULL,
    buyer_user_id bigint NOT NULL,
    buyer_fee_atoms bigint NOT NULL,
    seller_order_id bigint NOT NULL,
    seller_user_id bigint NOT NULL,
    seller_fee_atoms bigint NOT NULL,
    PRIMARY KEY (market_id, trade_id)
);
CREATE INDEX trades_by_buyer ON trades (buyer_user_id, market_id, trade_id);
CREATE INDEX trades_by_seller ON trades (seller_user_id, market_id, trade_id);
CREATE INDEX trades_by_time ON trades (market_id, time_ms);

CREATE TABLE deposits (
    deposit_id bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    asset_id int NOT NULL,
    amount_atoms bigint NOT NULL CHECK (amount_atoms > 0),
    time_ms bigint NOT NULL
);
CREATE INDEX deposits_by_user ON deposits (user_id, deposit_id);

-- time_ms: when it was reserved.
CREATE TABLE withdrawals (
    withdrawal_id bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    asset_id int NOT NULL,
    amount_atoms bigint NOT NULL CHECK (amount_atoms > 0),
    address text NOT NULL,
    status text NOT NULL CHECK (status IN ('RESERVED', 'SETTLED', 'RELEASED')),
    time_ms bigint NOT NULL
);
CREATE INDEX withdrawals_by_user ON withdrawals (user_id, withdrawal_id);
CREATE INDEX withdrawals_reserved ON withdrawals (withdrawal_id) WHERE status = 'RESERVED';

-- Numbers for deposits and withdrawals; services take them before they send the command.
CREATE SEQUENCE deposit_ids;
CREATE SEQUENCE withdrawal_ids;
