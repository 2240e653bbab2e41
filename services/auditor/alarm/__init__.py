"""Red: what happens after a breach, and what stays so until an operator clears it."""
