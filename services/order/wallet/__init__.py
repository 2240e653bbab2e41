"""The wallet and account calls of /sapi that clients make, answered from the ledger."""
