"""Both logs, kept for ever as write-once segments in an object store (ADR 0010)."""
