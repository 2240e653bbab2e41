"""What trades and candles are: one definition for the public API and for the history that is kept. Pure."""
