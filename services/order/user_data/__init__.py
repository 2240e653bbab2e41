"""User data streams: what is told to whose listeners."""
