"""Accounts, open orders and markets in memory; the rest in PostgreSQL."""
