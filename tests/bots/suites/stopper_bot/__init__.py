"""A stop that a bot on python-binance watches itself, and its suite."""
