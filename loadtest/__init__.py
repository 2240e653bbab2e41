"""Load and benchmarks: a whole exchange under orders, and the matching engine alone."""
