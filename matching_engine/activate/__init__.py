"""The operator's tool for newer rules."""
