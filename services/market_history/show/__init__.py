"""The command that shows what the history holds."""
