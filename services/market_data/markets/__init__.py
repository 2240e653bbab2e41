"""What is known of the markets: in memory from the events, older than that from PostgreSQL."""
