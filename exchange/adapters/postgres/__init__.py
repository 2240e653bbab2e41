"""PostgreSQL: the pool, and a queue in a table."""
