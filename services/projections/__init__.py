"""What others see of the events: the ledger, the hot book, settled withdrawals."""
