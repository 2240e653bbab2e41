"""People: accounts, passwords, sessions, outside identities."""
