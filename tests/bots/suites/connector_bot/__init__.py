"""What a bot on binance-connector does, which wants an environment without python-binance."""
