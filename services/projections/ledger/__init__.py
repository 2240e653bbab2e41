"""Events to the double-entry ledger in PostgreSQL."""
