"""What the world outside the processes is made of: logs, a lease, objects, a ledger, hot books."""
