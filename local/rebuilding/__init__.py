"""`make rebuild`, and what it works on."""
