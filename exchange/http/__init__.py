"""What bounds and shapes requests, the same on every service."""
