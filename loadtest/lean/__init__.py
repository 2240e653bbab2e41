"""A lean generator of the same load, for rates at which Locust is the limit."""
