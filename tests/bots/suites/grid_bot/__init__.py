"""A grid bot on ccxt, and its suite."""
