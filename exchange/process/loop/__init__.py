"""A loop that does not stand still, and who notices when it does."""
