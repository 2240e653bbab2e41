"""The page for those without a session, rendered before it is sent (ADR 0042)."""
