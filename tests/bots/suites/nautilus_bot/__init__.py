"""A strategy of nautilus_trader on a live node, and its suite."""
