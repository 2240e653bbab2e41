"""/v1 over HTTP: what a request must pass, and how failures look."""
