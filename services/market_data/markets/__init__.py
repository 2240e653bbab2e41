"""What is known of the markets: from the events, older than that from PostgreSQL."""
