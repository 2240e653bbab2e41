-- concurrently: each statement by itself, while the exchange writes (services/migrations/runner.py)
-- The orders of a list; most orders are of none.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_list ON orders (order_list_id, order_id) WHERE order_list_id > 0;
