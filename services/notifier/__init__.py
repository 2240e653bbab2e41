"""Tells people what has happened to their account: fills, deposits, withdrawals, logins."""
