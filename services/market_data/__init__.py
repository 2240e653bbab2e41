"""Books, trades, candles and tickers from the event log, by REST and by streams."""
