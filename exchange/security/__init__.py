"""Keys, credentials, identities, and the stop of withdrawals."""
