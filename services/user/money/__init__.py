"""Money in and out: transfers, and what a withdrawal must pass."""
