"""What the order service knows: accounts, open orders and markets in memory, the rest in PostgreSQL."""
