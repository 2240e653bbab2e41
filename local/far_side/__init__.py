"""What follows the event log and nobody waits for, in a process of its own: ledger, hot books, notices."""
