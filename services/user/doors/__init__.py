"""/v1 over HTTP: what a request must pass, its routes, and how failures look."""
