"""Signed requests to programs of the exchange's people."""
