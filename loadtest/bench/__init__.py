"""The matching engine alone: how fast it is, and whether every build decides alike."""
