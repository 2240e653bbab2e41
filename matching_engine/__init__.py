"""The engine: one process, one thread, no I/O in `core`."""
