"""The only definition of every message that crosses a process border."""
