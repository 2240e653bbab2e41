"""Candles and trades in tables and a stream, from the event log (ADR 0014)."""
