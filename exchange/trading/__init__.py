"""What trades and candles are, for the public API and for history alike. Pure."""
