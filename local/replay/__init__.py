"""A recorded market traded again: `exchange replay` (ADR 0043)."""
