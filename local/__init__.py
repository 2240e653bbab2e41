"""The exchange on one machine: `make run`, `make stack` and `make rebuild`."""
