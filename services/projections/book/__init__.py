"""Events to the hot book in Valkey or Redis."""
