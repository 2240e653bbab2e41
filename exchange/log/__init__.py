"""The way of a command to the engine, and of its outcome back."""
