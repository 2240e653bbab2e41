"""A past for a fresh exchange: seeded makers have traded before anybody came (ADR 0035)."""
