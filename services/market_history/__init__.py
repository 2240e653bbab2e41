"""Candles and trades in tables, and every trade in a stream for analysis, from the event log (ADR 0014)."""
