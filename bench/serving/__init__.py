"""The bench's own process: the embedded exchange, a house that quotes, and its door."""
