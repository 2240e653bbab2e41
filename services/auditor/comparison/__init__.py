"""The stores against what the audit has derived, at the same seq."""
