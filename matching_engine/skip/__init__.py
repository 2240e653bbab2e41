"""The operator's tool for a halted engine."""
