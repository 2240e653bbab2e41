"""The user service's tables in PostgreSQL, the audit log among them."""
