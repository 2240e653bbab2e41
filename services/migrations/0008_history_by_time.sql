-- concurrently: each statement by itself, while the exchange writes (services/migrations/runner.py)
-- History costs what it returns, however old an account is (services/order/view/pages.py).

-- Which order was the first at a time: ids ascend with time within a market. New rows come at the right edge.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_time ON orders (market_id, created_ms, order_id);

-- The newest order of a name, where a bot gives all its orders the same one.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_name ON orders (user_id, market_id, client_order_id, order_id);
DROP INDEX CONCURRENTLY IF EXISTS orders_by_client_order_id;

-- The trades of one order, without all others of its account.
CREATE INDEX CONCURRENTLY IF NOT EXISTS trades_by_buyer_order ON trades (buyer_order_id, trade_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS trades_by_seller_order ON trades (seller_order_id, trade_id);
