"""The operator's command for dead letters."""
