-- concurrently: each statement by itself, while the exchange writes (services/migrations/runner.py)
-- The orders that expired against one order; few orders ever do.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_prevented ON orders (counter_order_id, order_id) WHERE counter_order_id > 0;
